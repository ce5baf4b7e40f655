/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories below those of mail_owner are made by a child that has become mail_owner:
 * root follows no path that another user can change.
 */
#include "queue/queue.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "master/master.h"
#include "service/sandbox.h"

void
queue_prepare(void)
{
	struct sandbox_identity owner = { 0 };
	const char *why = "";
	int status = 0;
	pid_t pid;

	if (master.is_root)
		sandbox_user(master.conf, master.values->mail_owner, &owner);
	pid = fork();
	if (pid < 0)
		log_fatal("fork: %s", strerror(errno));
	if (pid == 0) {
		sandbox_become(&owner);
		if (!queue_create(".", &why))
			log_error("queue directories: %s", why);
		_exit(why[0] != '\0');
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (status != 0)
		log_fatal("cannot make the queue directories");
}
