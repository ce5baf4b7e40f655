/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the sendmail command share. */
#ifndef TOOLS_SENDMAIL_H
#define TOOLS_SENDMAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "proto/submit.h"

/* One submission, as the command line and standard input have it. */
struct sendmail {
	struct arena arena;
	struct conf *conf;
	const struct conf_values *values;
	const char *login;     /* of the caller, or "unknown" */
	const char *directory; /* -C */

	const char *sender;    /* -f; NULL: the caller */
	const char *full_name; /* -F */
	bool extract;          /* -t */
	bool keep_dots;        /* -i */
	struct submit_begin begin;
	uint64_t notify; /* -N */
	struct submit_recipient *recipients;
	size_t recipient_count;
	struct buf content;
};

/*
 * "sendmail: fatal: LOGIN(UID): text" to standard error and the log, and exit with a code of
 * sysexits.h.
 */
void sendmail_fatal(const struct sendmail *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* sendmail_envelope.c: from the command line; each ends the program on what makes no sense. */
void envelope_identify(struct sendmail *s);
void envelope_sender(struct sendmail *s);
void envelope_recipients(struct sendmail *s, char **arguments);
void envelope_notify(struct sendmail *s, const char *text);
void envelope_return(struct sendmail *s, const char *text);
void envelope_id(struct sendmail *s, const char *text);
void envelope_verp(struct sendmail *s, const char *delimiters);

/* sendmail_content.c */
void content_read(struct sendmail *s);
/*
 * For -t while nobody is there to say so: ends the program when the header names nobody, or
 * what nobody can read.
 */
void content_check_destinations(const struct sendmail *s);

/* sendmail_submit.c: to pickup, or else into maildrop/. Returns the exit code. */
int sendmail_submit(struct sendmail *s);

#endif
