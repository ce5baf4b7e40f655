/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_generic_maps: addresses that mean something only here become those that the world knows,
 * on the way out, in envelope and header.
 */
#ifndef SMTP_GENERIC_H
#define SMTP_GENERIC_H

#include "smtp/client.h"

#define GENERIC_HEADER_MAX ((size_t)1024 * 1024) /* bytes of a block that is rewritten */

void generic_open(void); /* before the jail */

/*
 * Fills sender, header and the addresses of the recipients in d, when there are tables. NULL,
 * or why that cannot be done now. May wait.
 */
struct problem *generic_rewrite(struct delivery *d);

#endif
