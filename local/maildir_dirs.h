/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of a Maildir, opened safely and kept open between deliveries for as long as
 * they are the ones that the path leads to.
 */
#ifndef LOCAL_MAILDIR_DIRS_H
#define LOCAL_MAILDIR_DIRS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "local/place.h"
#include "queue/group_sync.h"

struct maildir_dirs {
	int tmp_fd, new_fd;
	dev_t device;
	ino_t inode;      /* of new/ */
	bool keeps_order; /* rename_keeps_order, of this device */
	unsigned users;
	struct group_sync sync; /* of new/, shared by the deliveries that end together */
};

struct maildir_cache {
	pthread_mutex_t mutex;
	struct maildir_dirs *current;
	char *new_path;    /* absolute */
	dev_t keeps_order; /* the device where rename_keeps_order; 0: none known */
};

void maildir_cache_init(struct maildir_cache *c, const struct place *p);
void maildir_cache_done(struct maildir_cache *c);

/*
 * The open directories; what is missing is made. NULL with errno: ELOOP when a symbolic link is
 * in the way, EACCES when a part belongs to somebody else or everybody may write to it. With
 * `fresh` nothing kept is used.
 */
struct maildir_dirs *maildir_dirs_take(
    struct maildir_cache *c, const struct place *p, bool fresh);
void maildir_dirs_give(struct maildir_cache *c, struct maildir_dirs *d);

/*
 * Opens a path below root_fd without following any symbolic link and without leaving it. -1
 * with errno (ELOOP: a link was in the way).
 */
int open_beneath(int root_fd, const char *path, int flags, unsigned mode);

#endif
