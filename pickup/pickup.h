/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of pickup: a struct submission is one message on its way from a local user to
 * cleanup, whether it comes over the socket (session.c) or from a file (maildrop.c).
 */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/ipc.h"
#include "proto/submit.h"
#include "queue/queue.h"
#include "service/authorize.h"
#include "service/service.h"
#include "smtp/data_decoder.h"

struct pickup {
	const struct conf *conf;
	const struct conf_values *values;
	struct authorize *submitters;
	char cleanup_path[108];
};
extern struct pickup pickup;

enum submission_step {
	SUBMISSION_MORE,
	SUBMISSION_ANSWER,  /* that was the end: submission_end has the verdict */
	SUBMISSION_ABORTED, /* the client gave up */
	SUBMISSION_WRONG,   /* not the conversation that was agreed on */
};

struct submission {
	uid_t uid;
	bool begun;
	char id[QUEUE_ID_SIZE];
	struct arena arena;
	struct ipc *cleanup; /* NULL before begin, and once the verdict is known */
	bool cleanup_away;   /* it could not be reached: other messages will fare no better */
	nanoseconds deadline;
	uint64_t result; /* enum submit_result; SUBMIT_OK as long as nothing is wrong */
	struct view dsn, text;
	size_t recipients;
	struct line_normalizer normalizer;
	struct buf out;
};

/* submission.c */
void submission_init(struct submission *s, uid_t uid);
/* Takes the next frame of submit/1, begin included. May wait for cleanup. */
enum submission_step submission_frame(struct submission *s, const struct ipc_frame *frame);
/* The verdict; its text lives in the submission. */
void submission_end(struct submission *s, struct submit_status *status);
void submission_done(struct submission *s);

/* check.c: what a client may say. Fills *out from what it said and what is known. */
bool begin_check(struct submission *s, const struct submit_begin *given,
    struct submit_begin *out, const char **why);
bool recipient_check(
    const struct submit_recipient *given, struct submit_recipient *out, const char **why);

/* session.c */
void session_run(const struct service_connection *c);

/* maildrop.c */
void maildrop_scan(void);

#endif
