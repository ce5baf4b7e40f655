/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Around both mailbox formats: forward files that must be respected, and how outcomes are
 * worded.
 */
#include "local/deliver_file.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

void
mailbox_init(struct mailbox *m, const struct conf_values *v, enum worker_place kind,
    const char *user, const char *home)
{
	place_init(&m->place, v, kind, user, home);
	maildir_cache_init(&m->dirs, &m->place);
	pthread_mutex_init(&m->turn, NULL);
}

void
mailbox_done(struct mailbox *m)
{
	pthread_mutex_destroy(&m->turn);
	maildir_cache_done(&m->dirs);
	place_done(&m->place);
}

static void
outcome_set(struct deliver_file *d, enum deliver_result result, const char *dsn)
{
	d->result = result;
	d->dsn = dsn;
	buf_clear(&d->reason);
}

bool
deliver_end(struct deliver_file *d, enum deliver_result result, const char *dsn,
    const char *format, ...)
{
	va_list ap;

	outcome_set(d, result, dsn);
	va_start(ap, format);
	buf_vprintf(&d->reason, format, ap);
	va_end(ap);
	return false;
}

bool
deliver_fail(struct deliver_file *d, enum deliver_result result, const char *dsn,
    const char *format, ...)
{
	const struct place *p = &d->mailbox->place;
	va_list ap;

	outcome_set(d, result, dsn);
	if (p->is_maildir)
		buf_append_str(&d->reason, "maildir delivery failed: ");
	else
		buf_printf(
		    &d->reason, "cannot update mailbox %s for user %s. ", p->name, p->user);
	va_start(ap, format);
	buf_vprintf(&d->reason, format, ap);
	va_end(ap);
	return false;
}

static const char *
error_text(int error)
{
	return error == ELOOP ? "a symbolic link is in the way"
	    : error == EXDEV  ? "the path leads outside of its directory"
	    : error == EACCES ? "Permission denied, or it belongs to somebody else"
			      : strerror(error);
}

bool
deliver_fail_errno(struct deliver_file *d, const char *what, int error)
{
	bool full = error == EDQUOT || error == EFBIG;

	return deliver_fail(d, full ? DELIVER_BOUNCED : DELIVER_DEFERRED,
	    full                  ? "5.2.2"
		: error == ENOSPC ? "4.3.0"
				  : "4.2.0",
	    "%s: %s", what, error_text(error));
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
			deliver_end(d, DELIVER_DEFERRED, "4.2.0", "cannot look for %s: %s",
			    path, strerror(error));
		else if (!absent)
			deliver_end(d, DELIVER_DEFERRED, "4.3.5",
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
	const struct place *p = &d->mailbox->place;

	deliver_end(d, DELIVER_DEFERRED, "4.3.0", "delivery was not tried");
	if (p->fault)
		deliver_end(d, DELIVER_DEFERRED, "4.3.5", "%s", p->fault);
	else if (!forwards_are_absent(d))
		return;
	else if (p->is_maildir)
		maildir_deliver(d);
	else
		mbox_deliver(d);
}
