/* SPDX-License-Identifier: Apache-2.0 */
/* One logical line of master.cf. */
#ifndef CONF_MASTER_FIELDS_H
#define CONF_MASTER_FIELDS_H

#include "conf/master_cf.h"

/*
 * Fills *out (its owner frees it with master_entry_done, in any case). chroot_default is what
 * "-" means in that column. False: *why (heap) says what is wrong and what is allowed.
 */
bool master_entry_parse(
    struct view line, bool chroot_default, struct master_entry *out, char **why);
void master_entry_done(struct master_entry *e);

#endif
