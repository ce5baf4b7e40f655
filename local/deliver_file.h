/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message into the worker's mailbox, with the rights of its owner. Everything here blocks
 * on the disk, in the threads of the worker; several at a time are fine.
 */
#ifndef LOCAL_DELIVER_FILE_H
#define LOCAL_DELIVER_FILE_H

#include <pthread.h>
#include <stdint.h>

#include "base/buf.h"
#include "local/job.h"
#include "local/maildir_dirs.h"
#include "local/place.h"
#include "proto/deliver.h"

#define DELIVER_REASON_MAX 1000

/* What all deliveries of a worker share. */
struct mailbox {
	struct place place;
	struct maildir_cache dirs; /* for a Maildir */
	pthread_mutex_t turn;      /* for an mbox: one delivery writes at a time */
};

struct deliver_file {
	struct mailbox *mailbox;
	const struct mailbox_job *job;
	enum deliver_result result;
	const char *dsn; /* constant */
	struct buf reason;
};

void mailbox_init(struct mailbox *m, const struct conf_values *v, enum worker_place kind,
    const char *user, const char *home);
void mailbox_done(struct mailbox *m);

/* The caller has initialised d->reason. */
void deliver_file_run(struct deliver_file *d);

/* Sets the outcome; returns false for the convenience of callers that stop there. */
bool deliver_end(struct deliver_file *d, enum deliver_result result, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for a failure, with words in front that say which mailbox it is. */
bool deliver_fail(struct deliver_file *d, enum deliver_result result, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The outcome of a failed system call: a full quota is final, everything else may pass. */
bool deliver_fail_errno(struct deliver_file *d, const char *what, int error);

void maildir_deliver(struct deliver_file *d);
void mbox_deliver(struct deliver_file *d);

/*
 * Copies the message to fd in file form (LF line ends; quoted for an mbox), verifying the
 * body's checksum on the way, but no more than `room` bytes. False: the outcome is set, and
 * what was written is worthless.
 */
bool content_copy(struct deliver_file *d, int fd, bool quote_from, uint64_t room);

#endif
