/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one mailbox a worker serves. The worker works it out from main.cf and from the account it
 * was started for: the deciding process says which message, never which file.
 */
#ifndef LOCAL_PLACE_H
#define LOCAL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "conf/conf.h"

enum worker_place {
	WORKER_HOME = 1,  /* home_mailbox, below the user's home directory */
	WORKER_SPOOL = 2, /* mail_spool_directory, with that directory's group */
};

struct place {
	char *user; /* whose mailbox */
	char *root; /* absolute */
	char *path; /* below root, without a slash at its end */
	char *name; /* both, for messages */
	bool is_maildir;
	bool use_dotlock, use_fcntl, use_flock; /* for an mbox */
	unsigned lock_attempts;
	nanoseconds lock_delay, stale_time;
	uint64_t size_limit; /* of an mbox file or a Maildir message; 0: none */
	bool strict_owner;
	char *fault; /* why nothing can be delivered there; NULL: all is well */
};

/* Where mail for this account goes, and in which form. Root's never goes to its home. */
enum worker_place place_kind(const struct conf_values *v, bool is_root);
bool place_is_maildir(const struct conf_values *v, enum worker_place kind);

void place_init(struct place *p, const struct conf_values *v, enum worker_place kind,
    const char *user, const char *home);
void place_done(struct place *p);

#endif
