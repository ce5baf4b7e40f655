/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Around both mailbox formats: the root of the place, forward files that must be respected, and
 * how outcomes are worded.
 */
#include "local/deliver_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

bool
deliver_fail(struct deliver_file *d, enum deliver_result result, const char *dsn,
    const char *format, ...)
{
	va_list ap;

	d->result = result;
	d->dsn = dsn;
	buf_clear(&d->reason);
	va_start(ap, format);
	buf_vprintf(&d->reason, format, ap);
	va_end(ap);
	return false;
}

bool
deliver_fail_errno(struct deliver_file *d, const char *what, const char *path, int error)
{
	bool full = error == EDQUOT || error == EFBIG;

	return deliver_fail(d, full ? DELIVER_BOUNCED : DELIVER_DEFERRED,
	    full                  ? "5.2.2"
		: error == ENOSPC ? "4.3.0"
				  : "4.2.0",
	    "cannot update mailbox: %s %s: %s", what, path, strerror(error));
}

int
open_beneath(int root_fd, const char *path, int flags, unsigned mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EINTR);
	return (int)fd;
}

/*
 * A user's .forward says that the mailbox is not where mail goes. Forwarding is not built yet:
 * the mail waits rather than going against the user's word. A file that cannot be looked at
 * counts as one that is there.
 */
static bool
forwards_are_absent(struct deliver_file *d)
{
	struct view rest = d->job->forwards, line;

	while (view_next_word(&rest, "\n", &line)) {
		char *path = mem_dup(line.p, line.n);
		struct stat st;
		int error = lstat(path, &st) == 0 ? 0 : errno;
		bool absent = error == ENOENT || error == ENOTDIR;

		if (!absent && error)
			deliver_fail_errno(d, "look at", path, error);
		else if (!absent)
			deliver_fail(d, DELIVER_DEFERRED, "4.3.5",
			    "%s exists, and forwarding by such files is not available yet",
			    path);
		mem_free(path);
		if (!absent)
			return false;
	}
	return true;
}

void
deliver_file_run(struct deliver_file *d)
{
	char *root = mem_dup(d->job->root.p, d->job->root.n);
	int root_fd = -1;

	deliver_fail(d, DELIVER_DEFERRED, "4.3.0", "delivery was not tried");
	if (forwards_are_absent(d)) {
		root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root_fd < 0)
			deliver_fail_errno(d, "open directory", root, errno);
		else if (d->job->is_maildir)
			maildir_deliver(d, root_fd);
		else
			mbox_deliver(d, root_fd);
	}
	file_close(&root_fd);
	mem_free(root);
}
