/* SPDX-License-Identifier: Apache-2.0 */
/* Who is master of a queue: the lock that master holds and the commands look at. */
#ifndef SERVICE_LOCK_H
#define SERVICE_LOCK_H

#define LOCK_FILE "pid/master.lock" /* below the queue directory */

/*
 * Takes the lock of the queue directory that is the working directory, for the life of this
 * process; log_fatal names the holder when there is one.
 */
void lock_take(void);

enum lock_state {
	LOCK_FREE,
	LOCK_HELD,    /* *pid is the holder */
	LOCK_UNKNOWN, /* errno: not allowed to look; or a master that is just starting */
};
enum lock_state lock_look(const char *queue_directory, long *pid);

#endif
