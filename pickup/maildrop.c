/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildrop/: submissions that sendmail could not hand over. Any local user can make files
 * there, with any content, and can change or remove the own ones at any time; so a file is
 * judged by what fstat says of the open descriptor, its owner is the sender, and reading it has
 * limits. Links and things that are no files are never opened. Damage to anybody but the owner
 * is not possible: a file that was exchanged under our hands is still the owner's.
 *
 * All work on the disk is done in the pool of threads; a handful of files are in work at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "pickup/pickup.h"
#include "proto/maildrop.h"
#include "task/task.h"

#define DIRECTORY      "maildrop"
#define BATCH_MAX      64
#define FILES_AT_ONCE  8
#define COMPLAINTS_MAX 1000
#define ABANDONED_AGE  (24 * 3600) /* seconds until a partial file has no writer any more */
#define NAME_SIZE      256

enum kind {
	KIND_READY,
	KIND_PARTIAL,
	KIND_ABANDONED, /* removed meanwhile */
	KIND_FOREIGN,
};

struct item {
	char name[NAME_SIZE];
	enum kind kind;
};

/* A part of a directory listing. */
struct batch {
	DIR *directory;
	struct item items[BATCH_MAX];
	size_t count;
	bool at_end;
	int error;
};

/* What all files of one scan share. */
struct scan {
	unsigned users; /* the scan itself, and each of its files: the last one frees it */
	struct task_limit room;
	bool stop; /* cleanup takes nothing now: there will be another scan */
};

/* One file in work. */
struct drop {
	struct scan *scan;
	char name[MAILDROP_NAME_LENGTH + 1];
	int fd;
	struct stat st;
	int error;
	struct maildrop_reader reader;
	struct ipc_frame frame;
	enum maildrop_result read;
	uint64_t bytes;
};

static bool is_scanning;
static struct hash *complaints; /* names that the log knows about */

static void
scan_release(struct scan *scan)
{
	if (--scan->users == 0)
		mem_free(scan);
}

/* ---- listing ---- */

static enum kind
judge(int directory, const char *name)
{
	struct stat st;

	if (!maildrop_name_is_valid(view_of(name)) ||
	    fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return KIND_FOREIGN;
	if (maildrop_is_ready(&st))
		return KIND_READY;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    (st.st_mode & 07777) != MAILDROP_MODE_PARTIAL)
		return KIND_FOREIGN;
	if (st.st_mtime > time(NULL) - ABANDONED_AGE)
		return KIND_PARTIAL;
	return unlinkat(directory, name, 0) == 0 ? KIND_ABANDONED : KIND_PARTIAL;
}

/* In a thread of the pool. */
static void
batch_read(void *argument)
{
	struct batch *b = argument;
	struct dirent *entry;
	size_t length;

	if (!b->directory) {
		int fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		b->directory = fd >= 0 ? fdopendir(fd) : NULL;
		b->error = b->directory ? 0 : errno;
		b->at_end = !b->directory;
	}
	b->count = 0;
	while (b->count < BATCH_MAX && !b->at_end) {
		struct item *item = &b->items[b->count];

		errno = 0;
		entry = readdir(b->directory);
		if (!entry) {
			b->error = errno;
			b->at_end = true;
			break;
		}
		length = strlen(entry->d_name);
		if (entry->d_name[0] == '.' || length >= NAME_SIZE)
			continue;
		memcpy(item->name, entry->d_name, length + 1);
		item->kind = judge(dirfd(b->directory), item->name);
		b->count++;
	}
}

/*
 * Once for each name, and not endlessly: users choose names. What the log shows is not enough
 * to open a file.
 */
static void
complain(const char *name, const char *what)
{
	struct view shown = view_sub(view_of(name), 0, MAILDROP_SHOWN_LENGTH);

	if (!complaints)
		complaints = hash_new();
	if (hash_find(complaints, view_of(name)) || hash_count(complaints) > COMPLAINTS_MAX)
		return;
	if (hash_count(complaints) == COMPLAINTS_MAX)
		log_warn("maildrop: more files with problems: no longer logged");
	else
		log_warn("maildrop/%.*s: %s", VIEW_ARG(shown), what);
	hash_put(complaints, view_of(name), &complaints);
}

/* ---- one file ---- */

/* In a thread of the pool: opens and judges the very file that is then read. */
static void
drop_open(void *argument)
{
	struct drop *d = argument;
	char path[sizeof(DIRECTORY "/") + MAILDROP_NAME_LENGTH] = DIRECTORY "/";

	memcpy(path + strlen(path), d->name, MAILDROP_NAME_LENGTH);
	d->fd = maildrop_open(AT_FDCWD, path, &d->st);
	d->error = d->fd < 0 ? errno : 0;
}

static void
drop_read(void *argument)
{
	struct drop *d = argument;

	d->read = maildrop_next(&d->reader, &d->frame);
	d->error = errno;
}

static void
drop_remove(void *argument)
{
	struct drop *d = argument;
	char path[sizeof(DIRECTORY "/") + MAILDROP_NAME_LENGTH] = DIRECTORY "/";

	memcpy(path + strlen(path), d->name, MAILDROP_NAME_LENGTH);
	d->error = unlink(path) < 0 ? errno : 0;
}

static void
drop_set_aside(void *argument)
{
	struct drop *d = argument;
	char from[sizeof(DIRECTORY "/") + MAILDROP_NAME_LENGTH] = DIRECTORY "/";
	char to[sizeof("corrupt/") + MAILDROP_NAME_LENGTH] = "corrupt/";

	memcpy(from + strlen(from), d->name, MAILDROP_NAME_LENGTH);
	memcpy(to + strlen(to), d->name, MAILDROP_NAME_LENGTH);
	d->error = rename(from, to) < 0 ? errno : 0;
}

/* The next step of the submission; a file that says more than it held is being written to. */
static enum submission_step
drop_step(struct drop *d, struct submission *s)
{
	task_offload(drop_read, d);
	if (d->read == MAILDROP_ERROR)
		complain(d->name, strerror(d->error));
	if (d->read != MAILDROP_FRAME)
		return SUBMISSION_WRONG;
	d->bytes += d->frame.data.n + d->frame.payload.n;
	if (d->bytes > (uint64_t)d->st.st_size)
		return SUBMISSION_WRONG;
	return submission_frame(s, &d->frame);
}

/* What fails for now may fail for its own sake, and holds up no other. */
static void
drop_finish(struct drop *d, const struct submission *s, const struct submit_status *status)
{
	switch (status->result) {
	case SUBMIT_OK:
	case SUBMIT_DISCARD:
		task_offload(drop_remove, d);
		if (d->error && d->error != ENOENT)
			complain(d->name, strerror(d->error));
		break;
	case SUBMIT_TOO_BIG:
	case SUBMIT_REJECT:
	case SUBMIT_LOOP:
		log_error("maildrop/%.*s: from uid=%ld, refused (%.*s): moved to corrupt",
		    MAILDROP_SHOWN_LENGTH, d->name, (long)d->st.st_uid, VIEW_ARG(status->text));
		task_offload(drop_set_aside, d);
		if (d->error)
			complain(d->name, strerror(d->error));
		break;
	default:
		if (s->cleanup_away || status->result == SUBMIT_FULL)
			d->scan->stop = true;
	}
}

static void
drop_submit(struct drop *d)
{
	struct submission s;
	struct submit_status status;
	enum submission_step step = SUBMISSION_MORE;

	submission_init(&s, d->st.st_uid);
	while (step == SUBMISSION_MORE && s.result == SUBMIT_OK)
		step = drop_step(d, &s);
	if (step == SUBMISSION_ANSWER || s.result != SUBMIT_OK) {
		submission_end(&s, &status);
		drop_finish(d, &s, &status);
	} else if (d->read != MAILDROP_ERROR) {
		complain(d->name, "not a submission that sendmail has written: left alone");
	}
	submission_done(&s);
}

static void
drop_run(void *argument)
{
	struct drop *d = argument;

	task_offload(drop_open, d);
	if (!d->error) {
		maildrop_reader_init(&d->reader, d->fd);
		drop_submit(d);
		maildrop_reader_done(&d->reader);
	} else if (d->error != ENOENT && d->error != ESTALE) {
		complain(d->name, strerror(d->error));
	}
	file_close(&d->fd);
	task_limit_give(&d->scan->room);
	scan_release(d->scan);
	mem_free(d);
}

/* False when the scan is to end. */
static bool
drop_start(struct scan *scan, const char *name)
{
	struct drop *d;

	if (task_limit_take(&scan->room, DEADLINE_NEVER) != TASK_OK)
		return false;
	if (!scan->stop) {
		d = NEW(struct drop);
		d->scan = scan;
		scan->users++;
		memcpy(d->name, name, MAILDROP_NAME_LENGTH);
		if (task_spawn("maildrop file", drop_run, d))
			return true;
		scan_release(scan);
		mem_free(d);
	}
	task_limit_give(&scan->room);
	return false;
}

/* ---- the scan ---- */

static bool
item_handle(struct scan *scan, const struct item *item)
{
	switch (item->kind) {
	case KIND_READY:
		return drop_start(scan, item->name);
	case KIND_FOREIGN:
		complain(item->name, "not a file that sendmail has written: left alone");
		break;
	case KIND_ABANDONED:
		log_info("maildrop/%.*s: removed: its writer never finished",
		    MAILDROP_SHOWN_LENGTH, item->name);
		break;
	case KIND_PARTIAL:
		break;
	}
	return true;
}

static void
scan_run(struct scan *scan, struct batch *b)
{
	bool go_on = true;

	while (go_on && !b->at_end && !service_is_finishing()) {
		task_offload(batch_read, b);
		for (size_t i = 0; go_on && i < b->count; i++)
			go_on = item_handle(scan, &b->items[i]);
	}
	if (b->error)
		log_warn("maildrop: %s", strerror(b->error));
	if (b->directory)
		closedir(b->directory);
	/* Another scan must not meet the files of this one; cancelled, there is none. */
	for (int i = 0; i < FILES_AT_ONCE; i++)
		(void)task_limit_take(&scan->room, DEADLINE_NEVER);
}

void
maildrop_scan(void)
{
	struct scan *scan;
	struct batch *b;

	if (is_scanning)
		return;
	is_scanning = true;
	scan = NEW(struct scan);
	scan->users = 1;
	task_limit_init(&scan->room, FILES_AT_ONCE);
	b = NEW(struct batch);
	scan_run(scan, b);
	mem_free(b);
	scan_release(scan);
	is_scanning = false;
}
