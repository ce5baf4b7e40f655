/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home_mailbox and mail_spool_directory, mailbox_delivery_lock and the limits, made into one
 * struct when a worker starts.
 */
#include "local/place.h"

#include <string.h>

#include "base/mem.h"
#include "base/view.h"

#define WORDS ", \t\r\n"

enum worker_place
place_kind(const struct conf_values *v, bool is_root)
{
	return *v->home_mailbox && !is_root ? WORKER_HOME : WORKER_SPOOL;
}

bool
place_is_maildir(const struct conf_values *v, enum worker_place kind)
{
	const char *text = kind == WORKER_HOME ? v->home_mailbox : v->mail_spool_directory;

	return view_has_suffix(view_of(text), VIEW("/"));
}

static void
locks_parse(struct place *p, const char *text)
{
	struct view rest = view_of(text), word;

	while (view_next_word(&rest, WORDS, &word)) {
		if (view_eq_nocase(word, VIEW("dotlock"))) {
			p->use_dotlock = true;
		} else if (view_eq_nocase(word, VIEW("fcntl"))) {
			p->use_fcntl = true;
		} else if (view_eq_nocase(word, VIEW("flock"))) {
			p->use_flock = true;
		} else if (!p->fault) {
			p->fault =
			    mem_printf("mailbox_delivery_lock: \"%.*s\" is not a lock method",
				VIEW_ARG(word));
		}
	}
}

static char *
without_slashes(const char *text)
{
	struct view v = view_of(text);

	while (v.n > 1 && v.p[v.n - 1] == '/')
		v.n--;
	return mem_dup(v.p, v.n);
}

void
place_init(struct place *p, const struct conf_values *v, enum worker_place kind,
    const char *user, const char *home)
{
	bool in_home = kind == WORKER_HOME;

	*p = (struct place){
		.user = mem_strdup(user),
		.root = without_slashes(in_home ? home : v->mail_spool_directory),
		.path = without_slashes(in_home ? v->home_mailbox : user),
		.is_maildir = place_is_maildir(v, kind),
		.lock_attempts = (unsigned)v->deliver_lock_attempts,
		.lock_delay = v->deliver_lock_delay,
		.stale_time = v->stale_lock_time,
		.size_limit = (uint64_t)v->mailbox_size_limit,
		.strict_owner = v->strict_mailbox_ownership,
	};
	p->name = mem_printf("%s/%s", p->root, p->path);
	locks_parse(p, v->mailbox_delivery_lock);
	if (!p->fault && (p->root[0] != '/' || p->path[0] == '\0' || p->path[0] == '/'))
		p->fault = mem_printf(
		    "home_mailbox and mail_spool_directory do not make a mailbox for %s", user);
}

void
place_done(struct place *p)
{
	mem_free(p->user);
	mem_free(p->root);
	mem_free(p->path);
	mem_free(p->name);
	mem_free(p->fault);
	*p = (struct place){ 0 };
}
