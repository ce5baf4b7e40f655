/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restriction lists: from text to rows, and the walk over the rows. The tests themselves are in
 * restriction_kinds.c, the order of lists per stage in stages.c.
 */
#include <stdarg.h>

#include "base/log.h"
#include "base/number.h"
#include "mail/dsn.h"
#include "smtpd/restrictions.h"

#define REPLY_TEXT_MAX 1000
#define SEPARATORS     ", \t\r\n"

struct table *
restriction_table(const char *type_name, bool may_open)
{
	struct view key = view_of(type_name);
	struct table *t = hash_find(server.access_tables, key);

	if (!t && may_open) {
		t = table_open(type_name, server.conf);
		hash_put(server.access_tables, key, t);
	}
	return t;
}

static bool
word_is_table(struct view word)
{
	return view_find(word, ':') < word.n;
}

/* Takes the argument that the kind wants; a missing one makes the row unknown. */
static void
argument_take(struct restriction *r, struct view *rest, bool may_open)
{
	struct view word;
	uint64_t seconds;

	if (!view_next_braced(rest, SEPARATORS, &word)) {
		log_warn("restriction %s: argument missing", r->word);
		r->kind = NULL;
		return;
	}
	r->text = mem_dup(word.p, word.n);
	if (r->kind->argument == ARGUMENT_TABLE && word_is_table(word))
		r->table = restriction_table(r->text, may_open);
	else if (r->kind->argument == ARGUMENT_SECONDS && number_parse(word, 3600, &seconds))
		r->span = (nanoseconds)seconds * SECOND;
	else if (r->kind->argument != ARGUMENT_TEXT)
		r->kind = NULL;
	if (r->kind && r->kind->argument == ARGUMENT_TABLE && !r->table)
		r->kind = NULL;
}

static void
row_compile(struct restriction *r, struct view word, struct view *rest, bool may_open)
{
	static const struct restriction_kind bare = { "table", restrict_bare_table,
		ARGUMENT_TABLE };

	r->word = mem_dup(word.p, word.n);
	r->class_list = server.classes ? hash_find(server.classes, word) : NULL;
	if (r->class_list)
		return;
	r->kind = restriction_kind_find(word);
	if (r->kind) {
		if (r->kind->argument != ARGUMENT_NONE)
			argument_take(r, rest, may_open);
	} else if (word_is_table(word)) {
		r->table = restriction_table(r->word, may_open);
		r->kind = r->table ? &bare : NULL;
	}
}

struct restriction_list *
restriction_list_new(struct view text, bool may_open)
{
	struct restriction_list *l = NEW(struct restriction_list);
	struct view word;

	while (view_next_braced(&text, SEPARATORS, &word)) {
		l->items = mem_resize(l->items, l->count + 1, sizeof(*l->items));
		memset(&l->items[l->count], 0, sizeof(*l->items));
		row_compile(&l->items[l->count++], word, &text, may_open);
	}
	return l;
}

void
restriction_list_free(struct restriction_list **l)
{
	if (!*l)
		return;
	for (size_t i = 0; i < (*l)->count; i++) {
		mem_free((char *)(*l)->items[i].word);
		mem_free((char *)(*l)->items[i].text);
	}
	mem_free((*l)->items);
	mem_free(*l);
	*l = NULL;
}

/*
 * What becomes of a stranger's mail when no test with an argument decides: REJECT, PERMIT, or
 * DUNNO at the end of the list. What stands behind a permit for everybody is never reached, and
 * what warn_if_reject stands before refuses nothing.
 */
static enum restriction_result
list_end(const struct restriction_list *l, unsigned depth)
{
	static const char *const guards[] = { "reject_unauth_destination",
		"defer_unauth_destination", "reject", "defer", "defer_if_permit" };
	enum restriction_result result = RESTRICTION_DUNNO;
	bool warn = false;

	for (size_t i = 0; i < l->count && result == RESTRICTION_DUNNO; i++) {
		const struct restriction *r = &l->items[i];
		const char *name = r->kind ? r->kind->name : "";

		if (r->class_list && depth < RESTRICTION_DEPTH_MAX)
			result = list_end(r->class_list, depth + 1);
		else if (view_eq(view_of(name), VIEW("permit")))
			result = RESTRICTION_PERMIT;
		for (size_t g = 0; g < ARRAY_LEN(guards); g++)
			if (view_eq(view_of(name), view_of(guards[g])))
				result = RESTRICTION_REJECT;
		if (warn && result == RESTRICTION_REJECT)
			result = RESTRICTION_DUNNO;
		warn = view_eq(view_of(name), VIEW("warn_if_reject"));
	}
	return result;
}

bool
restriction_list_guards(const struct restriction_list *l)
{
	return list_end(l, 0) == RESTRICTION_REJECT;
}

/* ---- refusing ---- */

void
restriction_log(const struct evaluation *e, const char *action, const char *text)
{
	struct buf context = BUF_INIT(LOG_LINE_MAX);

	session_log_context(e->s, e->given, e->has_recipient, &context);
	log_info("%s: %s: %s from %s: %s%s", session_queue_id(e->s), action, e->where,
	    e->s->peer.label, text, buf_str(&context));
	buf_done(&context);
}

enum restriction_result
restrict_refuse(struct evaluation *e, int code, const char *dsn, const char *format, ...)
{
	struct buf text = BUF_INIT(REPLY_TEXT_MAX);
	enum restriction_result result;
	char status[DSN_SIZE];
	va_list ap;
	char *shown;

	dsn_with_class(view_of(dsn), code < 500 ? '4' : '5', status);
	buf_printf(&text, "%d %s ", code, status);
	va_start(ap, format);
	if (!buf_vprintf(&text, format, ap))
		buf_append_str(&text, "Access denied"); /* longer than any reply may be */
	va_end(ap);
	if (code < 400 || code > 599) {
		log_warn("SMTP reply code configuration error: %s", buf_str(&text));
		buf_clear(&text);
		buf_append_str(&text, "450 4.7.1 Service unavailable");
	}
	shown = arena_dup(&e->s->arena, buf_view(&text));
	buf_done(&text);
	if (e->warn) {
		restriction_log(e, "reject_warning", shown);
		return RESTRICTION_DUNNO;
	}
	result = shown[0] == '4' ? RESTRICTION_DEFER : RESTRICTION_REJECT;
	if (result == RESTRICTION_REJECT && e->defer_if_reject) {
		shown = (char *)e->defer_if_reject;
		result = RESTRICTION_DEFER;
	}
	restriction_log(e, "reject", shown);
	e->reply = shown;
	return result;
}

/* The first reason counts. Inside warn_if_reject nothing is deferred, as nothing is refused. */
enum restriction_result
restrict_defer_if_permit(struct evaluation *e, const char *text)
{
	if (e->warn)
		restriction_log(e, "reject_warning", text);
	else if (!e->defer_if_permit)
		e->defer_if_permit = text;
	return RESTRICTION_DUNNO;
}

enum restriction_result
restrict_configuration_error(struct evaluation *e)
{
	return restrict_refuse(e, 451, "4.3.5", "Server configuration error");
}

enum restriction_result
restrict_lookup_failure(struct evaluation *e, struct view name, const char *why)
{
	log_warn("%s: lookup of \"%.*s\" failed: %s", e->s->peer.label, VIEW_ARG(name),
	    why ? why : "no reason given");
	return restrict_refuse(
	    e, 451, "4.3.0", "<%.*s>: Temporary lookup failure", VIEW_ARG(name));
}

void
restriction_subject(const struct evaluation *e, struct view *name, const char **what)
{
	const struct session *s = e->s;

	switch (e->list) {
	case LIST_CLIENT:
		*name = view_of(s->peer.label);
		*what = "Client host";
		return;
	case LIST_HELO:
		*name = view_of(s->helo ? s->helo : "");
		*what = "Helo command";
		return;
	case LIST_SENDER:
		*name = s->transaction ? s->transaction->sender : VIEW_NONE;
		*what = "Sender address";
		return;
	case LIST_DATA:
		*name = VIEW("DATA");
		*what = "Data command";
		return;
	case LIST_END_OF_DATA:
		*name = VIEW("END-OF-MESSAGE");
		*what = "End-of-data";
		return;
	case LIST_ETRN:
		*name = e->given;
		*what = "Etrn command";
		return;
	default:
		*name = e->given;
		*what = "Recipient address";
	}
}

/* ---- the walk ---- */

static enum restriction_result
row_run(struct evaluation *e, const struct restriction *r)
{
	if (r->class_list)
		return restriction_list_run(e, r->class_list);
	if (!r->kind) {
		log_warn("unknown smtpd restriction: \"%s\"", r->word);
		return restrict_configuration_error(e);
	}
	if (!r->kind->handler) {
		log_warn("smtpd restriction \"%s\" is not built into this version", r->word);
		return restrict_configuration_error(e);
	}
	return r->kind->handler(e, r);
}

enum restriction_result
restriction_list_run(struct evaluation *e, const struct restriction_list *l)
{
	enum restriction_result result = RESTRICTION_DUNNO;
	bool outer_warn = e->warn;

	if (e->depth >= RESTRICTION_DEPTH_MAX) {
		log_warn("smtpd restrictions are nested too deeply");
		return restrict_configuration_error(e);
	}
	e->depth++;
	for (size_t i = 0; i < l->count && result == RESTRICTION_DUNNO; i++) {
		e->warn = outer_warn;
		if (view_eq_nocase(view_of(l->items[i].word), VIEW("warn_if_reject"))) {
			if (++i == l->count)
				break;
			e->warn = true;
		}
		result = row_run(e, &l->items[i]);
	}
	e->warn = outer_warn;
	e->depth--;
	return result;
}
