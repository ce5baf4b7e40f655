/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restriction lists: read once before the jail into rows, evaluated per stage. A list is a
 * sequence of named tests; the first that says permit or reject ends it. What is not known, or
 * known and not built, is a configuration error that refuses for now: never a permit.
 */
#ifndef SMTPD_RESTRICTIONS_H
#define SMTPD_RESTRICTIONS_H

#include "smtpd/smtpd.h"

enum restriction_result {
	RESTRICTION_DUNNO, /* the next one decides */
	RESTRICTION_PERMIT,
	RESTRICTION_DEFER,  /* refused with 4xx; the reply is in the evaluation */
	RESTRICTION_REJECT, /* refused with 5xx */
};

enum restriction_argument { ARGUMENT_NONE, ARGUMENT_TABLE, ARGUMENT_TEXT, ARGUMENT_SECONDS };

struct evaluation;
struct restriction;

struct restriction_kind {
	const char *name;
	/* NULL: known to Postfix and not built here. */
	enum restriction_result (*handler)(struct evaluation *e, const struct restriction *r);
	enum restriction_argument argument;
};

struct restriction {
	const struct restriction_kind *kind; /* NULL: an unknown name */
	const char *word;                    /* as in main.cf */
	const char *text;                    /* the argument, or NULL */
	struct table *table;
	const struct restriction_list *class_list;
	nanoseconds span;
};

struct restriction_list {
	struct restriction *items;
	size_t count;
};

struct evaluation {
	struct session *s;
	const char *where; /* for the log: "RCPT" */
	enum list_id list; /* which one is evaluated now */
	bool has_recipient;
	struct view given;           /* recipient as the client wrote it, internal form */
	struct view recipient;       /* completed */
	const char *reply;           /* what a refusal says; of the session's arena */
	const char *defer_if_permit; /* what to say instead of a permit in the end, or NULL */
	const char *defer_if_reject; /* what to say instead of 5xx, or NULL */
	bool warn;                   /* inside warn_if_reject: log, go on */
	bool sender_checked;         /* for existence */
	bool recipient_checked;
	unsigned depth;
};

#define RESTRICTION_DEPTH_MAX 10 /* lists in lists */

/* Compiles the text; tables are opened only when may_open (before the jail). Never NULL. */
struct restriction_list *restriction_list_new(struct view text, bool may_open);
void restriction_list_free(struct restriction_list **l);

/* The table type:name of a list, opened once for all lists; NULL: not open, and may not be. */
struct table *restriction_table(const char *type_name, bool may_open);

/* True when something in the list (or in a class of it) stops mail from strangers to strangers.
 */
bool restriction_list_guards(const struct restriction_list *l);

enum restriction_result restriction_list_run(
    struct evaluation *e, const struct restriction_list *l);

/* All rows of restriction_kinds.c. */
extern const struct restriction_kind restriction_kinds[];
extern const size_t restriction_kind_count;
const struct restriction_kind *restriction_kind_find(struct view name);

/* "type:table" alone in a list: the access table of its stage. */
enum restriction_result restrict_bare_table(struct evaluation *e, const struct restriction *r);

/*
 * The one way to refuse: logs "reject" (or "reject_warning" inside warn_if_reject, and then the
 * result is DUNNO), puts defer_if_reject in place of a permanent refusal, and sets e->reply.
 */
enum restriction_result restrict_refuse(struct evaluation *e, int code, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* text, of the session's arena, is what is said in place of a permit in the end. DUNNO. */
enum restriction_result restrict_defer_if_permit(struct evaluation *e, const char *text);
enum restriction_result restrict_configuration_error(struct evaluation *e);
/* An address literal in HELO that is none is refused; any other passes. */
enum restriction_result restrict_helo_literal(struct evaluation *e);
enum restriction_result restrict_lookup_failure(
    struct evaluation *e, struct view name, const char *why);

/* What the current list is about: "name[address]" and "Client host", and so on. */
void restriction_subject(const struct evaluation *e, struct view *name, const char **what);

/* One log line of the form "QID: action: RCPT from name[address]: text; context". */
void restriction_log(const struct evaluation *e, const char *action, const char *text);

/* ---- destination.c ---- */

/* Whether mail for the address may come from anybody: FOUND yes, NOT_FOUND no. */
enum table_result destination_is_ours(struct view address, const char **why);

/* reject_unlisted_recipient and reject_unlisted_sender. */
enum restriction_result restrict_unlisted(
    struct evaluation *e, struct view address, bool is_sender);

/* ---- restriction_dns.c: tests that ask the DNS ---- */

enum restriction_result kind_unknown_client(struct evaluation *e, const struct restriction *r);
enum restriction_result kind_unknown_reverse_client(
    struct evaluation *e, const struct restriction *r);
enum restriction_result kind_unknown_helo(struct evaluation *e, const struct restriction *r);
enum restriction_result kind_unknown_sender_domain(
    struct evaluation *e, const struct restriction *r);
enum restriction_result kind_unknown_recipient_domain(
    struct evaluation *e, const struct restriction *r);

/* ---- access.c ---- */

/* What an access table said about a subject; value is the table's text. */
enum restriction_result access_act(struct evaluation *e, const char *table, struct view value,
    struct view name, const char *what);

enum restriction_result access_by_name(struct evaluation *e, struct table *t, struct view name,
    struct view shown, const char *what);
/* name: the client's, or "unknown"; its address counts besides. */
enum restriction_result access_by_client(
    struct evaluation *e, struct table *t, const char *name);
enum restriction_result access_by_address(
    struct evaluation *e, struct table *t, struct view address, const char *what);

#endif
