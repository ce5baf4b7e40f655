/* SPDX-License-Identifier: Apache-2.0 */
/* The asking side of the `tables` service. */
#ifndef TABLE_PROXY_TABLE_H
#define TABLE_PROXY_TABLE_H

/* Closes kept connections, forgets answers and the path of table_set_proxy. */
void proxy_table_done(void);

#endif
