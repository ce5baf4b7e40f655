/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jail, step by step. The order matters: chroot and users need root; Landlock and seccomp
 * need no_new_privs; threads inherit what the thread that makes them has, so the offload pool
 * starts between Landlock (which binds one thread) and seccomp (which then forbids clone).
 */
#include "service/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "task/task.h"

void
sandbox_apply(
    const struct sandbox *s, const struct sandbox_identity *identity, const struct conf *c)
{
	sandbox_become(identity);
	sandbox_limits(s);
	if (s->off)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_fatal("no_new_privs: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warn("PR_SET_DUMPABLE: %s", strerror(errno));
	sandbox_landlock(s, c);
	if (s->calls & SANDBOX_THREADS)
		task_offload_start();
	sandbox_seccomp(s->calls);
}
