/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept connections to one service: a conversation takes an idle one or makes a new one, and
 * gives it back in a clean state or drops it. A reused connection that turns out dead before
 * anything was answered is replaced by a new one (the caller asks again with ipc_pool_take).
 */
#ifndef IPC_IPC_POOL_H
#define IPC_IPC_POOL_H

#include "ipc/ipc.h"

struct ipc_pool;

/* path is copied; at most max_idle connections are kept, each no longer than max_idle_time. */
struct ipc_pool *ipc_pool_new(const char *path, size_t max_idle, nanoseconds max_idle_time);
void ipc_pool_free(struct ipc_pool **p);

/*
 * NULL: errno; *reused says whether it served before. A reused one may have died since the last
 * turn of the loop; a caller that gives NULL for reused, and so cannot ask again, gets none
 * such.
 */
struct ipc *ipc_pool_take(struct ipc_pool *p, nanoseconds deadline, bool *reused);
void ipc_pool_give(struct ipc_pool *p, struct ipc **c); /* in a clean state */

#endif
