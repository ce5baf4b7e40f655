/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aliases, level by level: a list of names still to look up, a set of names already seen (which
 * ends every circle), and two lists of results. Nothing is delivered before all of it is known:
 * a table that cannot be read, or a member that cannot be served, leaves no half delivery.
 */
#include <stdarg.h>

#include "base/hash.h"
#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"
#include "table/aliases.h"

#define OWNER_PREFIX "owner-"

struct name {
	struct name *next;
	struct view text;
	bool is_top; /* the recipient itself, or the only member of a top one */
};

struct member {
	struct member *next;
	struct view address; /* internal form */
	struct view name;    /* its local part; empty when the domain is not ours */
};

/* One alias, read as a whole. */
struct alias {
	struct view name; /* as it was asked for, with its extension */
	struct view key;  /* as it stands in the table */
	struct member *members;
	size_t count;
	bool names_self;
	bool has_owner;
	struct view owner; /* an address */
};

struct walk {
	struct delivery *d;
	struct expansion *x;
	struct view domain;
	struct name *todo; /* names to look up */
	struct hash *seen; /* names and forwards, lower case */
	size_t steps;
};

static void walk_fail(struct walk *w, enum deliver_result result, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
walk_fail(struct walk *w, enum deliver_result result, const char *dsn, const char *format, ...)
{
	struct buf text = BUF_INIT(900);
	va_list ap;

	if (w->x->failed)
		return;
	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	w->x->failed = true;
	w->x->failure = outcome_make(&w->d->arena, result, dsn, "%s", buf_str(&text));
	buf_done(&text);
}

static struct view
folded(struct walk *w, struct view text)
{
	char *copy = arena_dup(&w->d->arena, text);

	for (size_t i = 0; i < text.n; i++)
		copy[i] = char_lower(copy[i]);
	return (struct view){ copy, text.n };
}

static void
too_many(struct walk *w)
{
	walk_fail(w, DELIVER_DEFERRED, "4.3.5",
	    "alias expansion yields more than %d destinations", EXPANSION_MAX);
}

/* False when this name or address was met before, or there are too many. */
static bool
is_new(struct walk *w, struct view text)
{
	if (hash_put(w->seen, folded(w, text), w)) {
		w->x->has_circle = true;
		return false;
	}
	if (++w->steps <= EXPANSION_MAX)
		return true;
	too_many(w);
	return false;
}

static void
push(struct walk *w, struct destination **list, struct view text)
{
	struct destination *item = ARENA_NEW(&w->d->arena, struct destination);

	item->text = arena_view(&w->d->arena, text);
	item->next = *list;
	*list = item;
}

static void
todo_add(struct walk *w, struct view text, bool is_top)
{
	struct name *item = ARENA_NEW(&w->d->arena, struct name);

	item->text = arena_view(&w->d->arena, text);
	item->is_top = is_top;
	item->next = w->todo;
	w->todo = item;
}

/* postalias stores names as they are written in an address: quoted, where that is needed. */
static enum table_result
alias_find_name(struct walk *w, struct view name, bool is_partial, struct buf *value)
{
	struct view folded_name = folded(w, name);
	struct buf quoted = BUF_INIT(4 * ADDRESS_MAX);
	enum table_result found = TABLE_NOT_FOUND;
	const char *why = NULL;

	address_quote(&quoted, folded_name);
	if (!view_eq(buf_view(&quoted), folded_name))
		found = table_list_find_key(
		    local.aliases, buf_view(&quoted), is_partial, value, &why);
	if (found == TABLE_NOT_FOUND)
		found =
		    table_list_find_key(local.aliases, folded_name, is_partial, value, &why);
	if (found == TABLE_CANNOT_TELL)
		walk_fail(w, DELIVER_DEFERRED, "4.3.0", "alias database unavailable: %s",
		    why ? why : "unknown error");
	buf_done(&quoted);
	return found;
}

/* The alias of a name, then of the name without its extension. */
static enum table_result
alias_find(struct walk *w, struct view name, struct buf *value, struct view *key)
{
	enum table_result found = alias_find_name(w, name, false, value);
	struct view user, extension;

	*key = name;
	if (found == TABLE_NOT_FOUND &&
	    address_split_extension(name, local.conf->recipient_delimiter, &user, &extension)) {
		*key = user;
		found = alias_find_name(w, user, true, value);
	}
	return found;
}

static bool
domain_is_ours(struct walk *w, struct view domain)
{
	enum route_class class_;
	const char *why = NULL;

	if (domain.n == 0)
		return true;
	if (router_class(local.router, domain, &class_, &why) != TABLE_FOUND) {
		walk_fail(w, DELIVER_DEFERRED, "4.3.0", "alias member lookup failed: %s",
		    why ? why : "unknown error");
		return false;
	}
	return class_ == ROUTE_LOCAL;
}

static void
member_add(struct walk *w, struct alias *alias, struct view external)
{
	struct buf address = BUF_INIT(ADDRESS_MAX);
	struct view name, domain;
	struct member *m;

	if (!address_unquote(&address, external) || address.len == 0) {
		log_warn("alias \"%.*s\": \"%.*s\" is not an address", VIEW_ARG(alias->key),
		    VIEW_ARG(external));
		walk_fail(w, DELIVER_DEFERRED, "4.3.5",
		    "alias \"%.*s\" has a member that is not an address", VIEW_ARG(alias->key));
		buf_done(&address);
		return;
	}
	m = ARENA_NEW(&w->d->arena, struct member);
	m->address = arena_view(&w->d->arena, buf_view(&address));
	buf_done(&address);
	address_split(m->address, &name, &domain);
	if (domain_is_ours(w, domain)) {
		m->name = name;
		alias->names_self |= view_eq_nocase(name, alias->key);
	}
	m->next = alias->members;
	alias->members = m;
	alias->count++;
}

static void
members_read(struct walk *w, struct alias *alias, struct view value)
{
	static const char *const what[] = {
		[ALIAS_FILE] = "files",
		[ALIAS_COMMAND] = "commands",
		[ALIAS_INCLUDE] = ":include: lists",
	};
	struct buf scratch = BUF_INIT(TABLE_VALUE_MAX);
	struct alias_member member;

	while (!w->x->failed && alias_member_next(&value, &scratch, &member)) {
		if (member.kind == ALIAS_ADDRESS)
			member_add(w, alias, member.text);
		else
			walk_fail(w, DELIVER_DEFERRED, "4.3.5",
			    "alias \"%.*s\": delivery to %s is not available yet",
			    VIEW_ARG(alias->key), what[member.kind]);
		if (alias->count > EXPANSION_MAX)
			too_many(w);
	}
	if (alias->count == 0)
		walk_fail(w, DELIVER_DEFERRED, "4.3.5", "alias \"%.*s\" has no members",
		    VIEW_ARG(alias->key));
	buf_done(&scratch);
}

/*
 * owner-NAME: complaints about a list's members go to its owner and not to the sender. A notice
 * keeps its null sender.
 */
static void
owner_find(struct walk *w, struct alias *alias)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), address = BUF_INIT(ADDRESS_MAX);
	struct arena *a = &w->d->arena;
	struct view owner, rest, member;
	bool malformed = false;

	if (!local.conf->owner_request_special || w->d->request.sender.n == 0 ||
	    view_has_prefix_nocase(alias->key, VIEW(OWNER_PREFIX)))
		return;
	owner = view_of(arena_printf(a, OWNER_PREFIX "%.*s", VIEW_ARG(alias->key)));
	if (alias_find_name(w, owner, false, &value) == TABLE_FOUND) {
		rest = buf_view(&value);
		alias->has_owner = true;
		alias->owner =
		    view_of(arena_printf(a, "%.*s@%.*s", VIEW_ARG(owner), VIEW_ARG(w->domain)));
		if (local.conf->expand_owner_alias &&
		    value_member_next(&rest, &member, &malformed) &&
		    address_unquote(&address, member) && address.len)
			alias->owner = arena_view(a, buf_view(&address));
	}
	buf_done(&address);
	buf_done(&value);
}

static void
forward_add(struct walk *w, struct view address)
{
	push(w, &w->x->forwards, address);
	w->x->forward_count++;
}

static void
alias_follow(struct walk *w, const struct alias *alias, bool is_top)
{
	for (const struct member *m = alias->members; m && !w->x->failed; m = m->next) {
		if (m->name.n && view_eq_nocase(m->name, alias->key)) {
			w->x->has_self = true;
			w->x->self = arena_view(&w->d->arena, alias->name);
		} else if (!m->name.n) {
			if (is_new(w, m->address))
				forward_add(w, m->address);
		} else if (is_new(w, m->name)) {
			todo_add(w, m->name, is_top && alias->count == 1);
		}
	}
}

/*
 * An alias below the top that names itself or has an owner of its own stays one address: it
 * expands when the new message gets here, with its own mailbox and its own sender.
 */
static void
alias_walk(struct walk *w, struct alias *alias, bool is_top, struct view value)
{
	hash_put(w->seen, folded(w, alias->key), w);
	members_read(w, alias, value);
	owner_find(w, alias);
	if (w->x->failed)
		return;
	if (!is_top && (alias->names_self || alias->has_owner)) {
		forward_add(w,
		    view_of(arena_printf(&w->d->arena, "%.*s@%.*s", VIEW_ARG(alias->name),
			VIEW_ARG(w->domain))));
		return;
	}
	if (alias->has_owner) {
		w->x->has_owner = true;
		w->x->owner = alias->owner;
	}
	alias_follow(w, alias, is_top);
}

static void
name_walk(struct walk *w, const struct name *name)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct alias alias = { .name = name->text };

	switch (alias_find(w, name->text, &value, &alias.key)) {
	case TABLE_FOUND:
		alias_walk(w, &alias, name->is_top, buf_view(&value));
		break;
	case TABLE_NOT_FOUND:
		push(w, &w->x->mailboxes, name->text);
		w->x->mailbox_count++;
		break;
	default:
		break;
	}
	buf_done(&value);
}

void
expand(struct delivery *d, struct view name, struct view domain, struct expansion *x)
{
	struct walk w = { .d = d, .x = x, .domain = domain, .seen = hash_new() };

	is_new(&w, name);
	todo_add(&w, name, true);
	while (w.todo && !x->failed) {
		const struct name *next = w.todo;

		w.todo = w.todo->next;
		name_walk(&w, next);
	}
	hash_free(&w.seen, NULL);
}
