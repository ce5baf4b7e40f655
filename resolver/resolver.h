/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `resolver` service: the one DNS client of the suite. Answers come, in this order, from
 * /etc/hosts (when the question asks for that), from the site's static records, and from
 * libunbound, which caches, validates and asks forwarders or the servers of the world.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "base/arena.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "dns/dns.h"
#include "dns/name.h"
#include "ipc/ipc.h"
#include "resolver/zone.h"

/* Where and how libunbound asks. */
struct upstream_settings {
	char **forwarders;         /* "ADDRESS@PORT", NULL-terminated; none: the root servers */
	const char *trust_anchors; /* file; "": nothing is validated */
	const char *insecure;      /* domains that are never validated, a list */
	bool may_be_stripped;      /* forwarders without signatures: nothing is secure then */
	size_t cache_size;         /* bytes, about */
	size_t query_limit;        /* questions in flight; more wait for a place */
	bool debug;                /* libunbound's own messages to standard error */
};

/*
 * Makes the context, reads every file it needs: before the jail. False: *why (heap).
 */
bool upstream_open(const struct upstream_settings *s, char **why);
void upstream_close(void); /* no task waits */

/* In a task: waits at most until the deadline. False when upstream_abandon was called. */
bool upstream_ask(const struct dns_name *name, enum dns_type type, struct arena *arena,
    struct dns_answer *out, nanoseconds deadline);

/* Those who wait for an answer get none. */
void upstream_abandon(void);

/*
 * In a task, after each answer that had to be validated: when no answer can be, one line in the
 * log says so, and what can be done.
 */
void validation_note(const struct dns_answer *answer, bool may_be_stripped);

/*
 * What resolver_forwarders says: a list of "ADDRESS", "ADDRESS@PORT", "[ADDRESS]:PORT"; empty:
 * the name servers of resolv_conf. In the form of upstream_settings, for strv_free. NULL: *why
 * (heap).
 */
char **forwarders_parse(struct view list, struct view resolv_conf, char **why);
void forwarders_free(char ***list);

/* Reads configuration and files: before the jail; log_fatal when something is wrong. */
void resolver_open(const struct conf_values *v);

/* One question through all sources. False: nobody may answer it here any more. */
bool resolver_answer(const struct dns_name *name, enum dns_type type, bool native,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline);

/* True, once, when a file that was read has changed since. Looks at most every few seconds. */
bool resolver_files_changed(void);

/* idle(context, true) is said before each wait for a question, idle(context, false) after it.
 */
typedef void resolver_idle_fn(void *context, bool idle);

/* Answers until the other side closes or breaks the rules. In a task. */
void resolver_serve(struct ipc *connection, resolver_idle_fn *idle, void *context);

#endif
