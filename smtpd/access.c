/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tables (access(5)): which keys are tried for a client, a name, an address, and what
 * the value then does. A value that is no action is a restriction list of its own.
 */
#include "base/log.h"
#include "base/number.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "smtpd/restrictions.h"

/* ---- looking up ---- */

struct lookup {
	struct evaluation *e;
	struct table *table;
	struct buf value;
	enum table_result result;
	const char *why;
};

/* True when the search is over: found, or cannot tell. */
static bool
lookup_key(struct lookup *l, struct view key)
{
	l->result = table_find(l->table, key, &l->value, &l->why);
	return l->result != TABLE_NOT_FOUND;
}

static bool
parents_match_plainly(void)
{
	struct view rest = view_of(server.v->parent_domain_matches_subdomains), word;

	while (view_next_word(&rest, ", \t\r\n", &word))
		if (view_eq_nocase(word, VIEW("smtpd_access_maps")))
			return true;
	return false;
}

/* The name itself, then its parents: as "example.com" or as ".example.com". */
static bool
lookup_domain(struct lookup *l, struct view name)
{
	bool plainly = parents_match_plainly();

	if (lookup_key(l, name))
		return true;
	if (table_keys(l->table) != TABLE_KEYS_FIXED || (name.n && name.p[0] == '['))
		return false;
	for (;;) {
		size_t dot = view_find(name, '.');

		if (dot + 1 >= name.n)
			return false;
		name = view_sub(name, dot + (plainly ? 1 : 0), name.n);
		if (lookup_key(l, name))
			return true;
		if (!plainly)
			name = view_sub(name, 1, name.n);
	}
}

/* 192.0.2.1, then 192.0.2, 192.0, 192; IPv6 likewise at its colons. */
static bool
lookup_client_address(struct lookup *l, const char *address)
{
	struct view key = view_of(address);
	char separator = view_find(key, ':') < key.n ? ':' : '.';

	for (;;) {
		if (lookup_key(l, key))
			return true;
		if (table_keys(l->table) != TABLE_KEYS_FIXED)
			return false;
		size_t cut = view_find_last(key, separator);
		if (cut == key.n)
			return false;
		while (cut > 0 && key.p[cut - 1] == separator)
			cut--;
		key = view_sub(key, 0, cut);
	}
}

/* user+ext@domain, user@domain, domain and parents, user+ext@, user@. */
static bool
lookup_mail_address(struct lookup *l, struct view address)
{
	struct view local, domain, user, extension;
	struct arena *arena = &l->e->s->arena;
	bool has_extension;

	if (lookup_key(l, address))
		return true;
	if (table_keys(l->table) != TABLE_KEYS_FIXED)
		return false;
	address_split(address, &local, &domain);
	has_extension =
	    address_split_extension(local, server.v->recipient_delimiter, &user, &extension);
	if (has_extension &&
	    lookup_key(
		l, view_of(arena_printf(arena, "%.*s@%.*s", VIEW_ARG(user), VIEW_ARG(domain)))))
		return true;
	if (domain.n && lookup_domain(l, domain))
		return true;
	if (lookup_key(l, view_of(arena_printf(arena, "%.*s@", VIEW_ARG(local)))))
		return true;
	return has_extension &&
	    lookup_key(l, view_of(arena_printf(arena, "%.*s@", VIEW_ARG(user))));
}

static enum restriction_result
lookup_finish(struct lookup *l, bool over, struct view shown, const char *what)
{
	enum restriction_result result = RESTRICTION_DUNNO;

	if (over && l->result == TABLE_CANNOT_TELL)
		result = restrict_lookup_failure(l->e, shown, l->why);
	else if (over)
		result =
		    access_act(l->e, table_name(l->table), buf_view(&l->value), shown, what);
	buf_done(&l->value);
	return result;
}

static struct lookup
lookup_begin(struct evaluation *e, struct table *t)
{
	return (struct lookup){ .e = e, .table = t, .value = BUF_INIT(TABLE_VALUE_MAX) };
}

enum restriction_result
access_by_name(struct evaluation *e, struct table *t, struct view name, struct view shown,
    const char *what)
{
	struct lookup l = lookup_begin(e, t);

	return lookup_finish(&l, lookup_domain(&l, name), shown, what);
}

enum restriction_result
access_by_client(struct evaluation *e, struct table *t, const char *name)
{
	const struct peer *peer = &e->s->peer;
	struct lookup l = lookup_begin(e, t);
	bool over =
	    !view_eq(view_of(name), VIEW("unknown")) && lookup_domain(&l, view_of(name));

	if (!over)
		over = lookup_client_address(&l, peer->address);
	return lookup_finish(&l, over, view_of(peer->label), "Client host");
}

enum restriction_result
access_by_address(struct evaluation *e, struct table *t, struct view address, const char *what)
{
	struct lookup l = lookup_begin(e, t);
	bool over = address.n ? lookup_mail_address(&l, address)
			      : lookup_key(&l, view_of(server.v->smtpd_null_access_lookup_key));

	return lookup_finish(&l, over, address, what);
}

/* ---- acting ---- */

struct action {
	struct evaluation *e;
	const char *table;
	struct view word; /* the action */
	struct view text; /* behind the action's name */
	struct view name; /* the subject */
	const char *what;
};

static bool
view_is_digits(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!char_is_digit(v.p[i]))
			return false;
	return v.n > 0;
}

/* Text that may begin with a status code of its own. */
static enum restriction_result
act_refuse(struct action *a, int code, const char *default_dsn)
{
	struct view status, text = a->text;
	char dsn[DSN_SIZE];

	if (!dsn_split(a->text, &status, &text))
		status = view_of(default_dsn);
	dsn_with_class(status, (char)('0' + code / 100), dsn);
	if (text.n == 0)
		text = VIEW("Access denied");
	return restrict_refuse(a->e, code, dsn, "<%.*s>: %s rejected: %.*s", VIEW_ARG(a->name),
	    a->what, VIEW_ARG(text));
}

static enum restriction_result
act_permit(struct action *a)
{
	(void)a;
	return RESTRICTION_PERMIT;
}

static enum restriction_result
act_dunno(struct action *a)
{
	(void)a;
	return RESTRICTION_DUNNO;
}

static enum restriction_result
act_reject(struct action *a)
{
	int code = server.v->access_map_reject_code;

	return act_refuse(a, code, code < 500 ? "4.7.1" : "5.7.1");
}

static enum restriction_result
act_defer(struct action *a)
{
	return act_refuse(a, server.v->access_map_defer_code, "4.7.1");
}

static const char *
act_deferral(struct action *a)
{
	struct view status, text = a->text;
	char dsn[DSN_SIZE];

	if (!dsn_split(a->text, &status, &text))
		status = VIEW("4.7.1");
	dsn_with_class(status, '4', dsn);
	if (text.n == 0)
		text = VIEW("Service unavailable");
	return arena_printf(&a->e->s->arena, "%d %s <%.*s>: %s rejected: %.*s",
	    server.v->access_map_defer_code, dsn, VIEW_ARG(a->name), a->what, VIEW_ARG(text));
}

static enum restriction_result
act_defer_if_permit(struct action *a)
{
	return restrict_defer_if_permit(a->e, act_deferral(a));
}

static enum restriction_result
act_defer_if_reject(struct action *a)
{
	if (!a->e->defer_if_reject)
		a->e->defer_if_reject = act_deferral(a);
	return RESTRICTION_DUNNO;
}

/* "<name>: Helo command text", as the log shows what is done to a message. */
static void
act_log(struct action *a, const char *action, const char *default_text)
{
	char *text = arena_printf(&a->e->s->arena, "<%.*s>: %s %.*s", VIEW_ARG(a->name),
	    a->what, VIEW_ARG(a->text.n ? a->text : view_of(default_text)));

	restriction_log(a->e, action, text);
}

/*
 * VRFY is a question: its answer must not decide about mail for others. Nor must what was said
 * of a client or its HELO at once decide about all its later mail.
 */
static bool
has_message(const struct action *a)
{
	if (view_eq(view_of(a->e->where), VIEW("VRFY")))
		return false;
	if (!a->e->s->transaction)
		log_warn("access table %s: with smtpd_delay_reject=no, action %.*s is always "
			 "skipped in client and HELO restrictions",
		    a->table, VIEW_ARG(a->word));
	return a->e->s->transaction != NULL;
}

static enum restriction_result
act_hold(struct action *a)
{
	if (!has_message(a))
		return RESTRICTION_DUNNO;
	if (!a->e->s->transaction->hold)
		act_log(a, "hold", "triggers HOLD action");
	a->e->s->transaction->hold = true;
	return RESTRICTION_DUNNO;
}

static enum restriction_result
act_discard(struct action *a)
{
	if (!has_message(a))
		return RESTRICTION_DUNNO;
	if (!a->e->s->transaction->discard)
		act_log(a, "discard", "triggers DISCARD action");
	a->e->s->transaction->discard = true;
	return RESTRICTION_PERMIT;
}

static enum restriction_result
act_warn(struct action *a)
{
	restriction_log(a->e, "warn", arena_dup(&a->e->s->arena, a->text));
	return RESTRICTION_DUNNO;
}

static enum restriction_result
act_info(struct action *a)
{
	restriction_log(a->e, "info", arena_dup(&a->e->s->arena, a->text));
	return RESTRICTION_DUNNO;
}

static enum restriction_result
act_not_built(struct action *a)
{
	log_warn("access table action \"%.*s %.*s\" is not built into this version",
	    VIEW_ARG(a->word), VIEW_ARG(a->text));
	return restrict_configuration_error(a->e);
}

/* clang-format off */
static const struct action_row {
	const char *name;
	enum restriction_result (*handler)(struct action *a);
} actions[] = {
	{ "OK", act_permit },
	{ "RELAY", act_permit },
	{ "DUNNO", act_dunno },
	{ "REJECT", act_reject },
	{ "DEFER", act_defer },
	{ "DEFER_IF_PERMIT", act_defer_if_permit },
	{ "DEFER_IF_REJECT", act_defer_if_reject },
	{ "HOLD", act_hold },
	{ "DISCARD", act_discard },
	{ "WARN", act_warn },
	{ "INFO", act_info },
	{ "BCC", act_not_built },
	{ "FILTER", act_not_built },
	{ "PREPEND", act_not_built },
	{ "REDIRECT", act_not_built },
};
/* clang-format on */

static enum restriction_result
act_list(struct evaluation *e, struct view value)
{
	struct restriction_list *l = restriction_list_new(value, false);
	enum restriction_result result = restriction_list_run(e, l);

	restriction_list_free(&l);
	return result;
}

enum restriction_result
access_act(struct evaluation *e, const char *table, struct view value, struct view name,
    const char *what)
{
	struct action a = {
		.e = e, .table = table, .text = view_trim(value), .name = name, .what = what
	};
	struct view word;
	uint64_t code;

	log_debug("%s: %.*s: %.*s", table, VIEW_ARG(name), VIEW_ARG(value));
	if (!view_next_word(&a.text, " \t", &word))
		return RESTRICTION_DUNNO;
	a.word = word;
	a.text = view_trim(a.text);
	/* A number alone is an old way to say OK; with text it is a reply. */
	if (view_is_digits(word) && a.text.n == 0)
		return RESTRICTION_PERMIT;
	if (word.n == 3 && (word.p[0] == '4' || word.p[0] == '5') &&
	    number_parse(word, 599, &code))
		return act_refuse(&a, (int)code, word.p[0] == '4' ? "4.7.1" : "5.7.1");
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (view_eq_nocase(word, view_of(actions[i].name)))
			return actions[i].handler(&a);
	return act_list(e, value);
}
