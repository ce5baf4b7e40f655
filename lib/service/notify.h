/* SPDX-License-Identifier: Apache-2.0 */
/* Tells systemd, when it started this process, in which state it is. */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
