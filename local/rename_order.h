/* SPDX-License-Identifier: Apache-2.0 */
/* What a file system promises about a rename and the data written before it. */
#ifndef LOCAL_RENAME_ORDER_H
#define LOCAL_RENAME_ORDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/view.h"

/*
 * Whether on this device a file that was written out (sync_file_range with all three flags) and
 * then renamed is never found under its new name without its data, and its fsync makes name and
 * data durable together: known of ext4 and XFS, whose journals keep that order. Looks into
 * /proc/self/mountinfo: before the jail. False when that does not tell.
 */
bool rename_keeps_order(dev_t device);

/* The same from the text of mountinfo (proc_pid_mountinfo(5)). */
bool rename_keeps_order_in(struct view mountinfo, dev_t device);

#endif
