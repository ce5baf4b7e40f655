/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deciding process of local: what becomes of a recipient (alias expansion, mailbox,
 * forward). It never touches a mailbox itself; workers do, each as its recipient.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/ipc.h"
#include "local/job.h"
#include "local/launcher.h"
#include "proto/deliver.h"
#include "route/route.h"
#include "service/service.h"
#include "table/table.h"

#define EXPANSION_MAX 10000             /* destinations of one recipient */
#define HEADER_MAX    (4 * 1024 * 1024) /* bytes that are searched for Delivered-To: */

/* What all deliveries share. Set before the jail. */
struct local {
	const struct conf *main_cf;
	const struct conf_values *conf;
	struct table_list *aliases;
	struct table *passwd;
	struct router *router;
	struct ipc_pool *cleanup;
};
extern struct local local;

/* One request of qmgr. */
struct delivery {
	struct arena arena;
	struct deliver_request request; /* the job's: text and descriptor live as long */
	struct buf header;              /* read when first needed */
	bool has_header;
};

struct outcome {
	enum deliver_result result;
	const char *dsn;              /* constant or in the arena */
	const char *reason;           /* likewise */
	bool dsn_passed_on, expanded; /* as in deliver_outcome */
};

/* session.c: one connection from qmgr, request after request. */
void session_run(const struct service_connection *c);

/* recipient.c: everything for one recipient; may wait. */
struct outcome recipient_deliver(struct delivery *d, const struct deliver_recipient *r);

/* The header block of the message, or an empty view with *why. */
struct view delivery_header(struct delivery *d, const char **why);

struct outcome outcome_make(struct arena *a, enum deliver_result result, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* expand.c: aliases. */
struct destination {
	struct destination *next;
	struct view text; /* mailbox: local name; forward: address in internal form */
};

struct expansion {
	bool has_self;    /* an alias names itself: its own mailbox is meant */
	struct view self; /* the name of that mailbox; not among the mailboxes */
	struct destination *mailboxes;
	size_t mailbox_count;
	struct destination *forwards;
	size_t forward_count;
	bool has_circle; /* a name was met again */
	bool has_owner;
	struct view owner; /* envelope sender to use from here on */
	bool failed;
	struct outcome failure;
};
void expand(struct delivery *d, struct view name, struct view domain, struct expansion *x);

/* user.c: an account of this system. */
struct user {
	const char *name, *home, *shell;
	unsigned uid, gid;
};

/* TABLE_NOT_FOUND: no such account. Strings are in the arena. */
enum table_result user_find(
    struct arena *a, struct view name, struct user *out, const char **why);

/* mailbox.c: the message into the mailbox of a user, through a worker. */
struct mailbox_request {
	const struct deliver_recipient *recipient;
	const struct user *user;
	struct view sender;
	struct view local, extension, domain;
	char delimiter; /* before the extension; 0: none */
};
struct outcome mailbox_deliver(struct delivery *d, const struct mailbox_request *r);

/* prepend_delivered_header names the context: "file", "forward". */
bool delivered_to_is_wanted(struct view context);

/* worker_pool.c: asks a worker that runs as the account. reason and dsn go into the arena. */
struct outcome worker_pool_ask(struct arena *a, const char *account, enum worker_place place,
    const struct mailbox_job *job);

/* forward_path.c: the files of forward_path for this user, one a line, in the arena. */
struct view forward_paths(struct arena *a, const struct mailbox_request *r);

/*
 * forward.c: a new message with these recipients through cleanup. The DSN parameters go with it
 * (RFC 3461 5.2.7) but for NOTIFY=SUCCESS when it is an expansion, and not beyond a list with
 * an owner, whose members' deliveries are no business of the sender's.
 */
struct forwarding {
	struct view sender;
	const struct destination *recipients;
	bool is_expansion; /* to more than one place */
	bool has_owner;
};
struct outcome forward_submit(
    struct delivery *d, const struct deliver_recipient *r, const struct forwarding *to);

#endif
