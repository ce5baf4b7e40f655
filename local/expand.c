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

struct walk {
	struct delivery *d;
	struct expansion *x;
	struct view domain;
	struct destination *todo; /* names to look up */
	struct hash *seen;        /* names and forwards, lower case */
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

/* False when this name or address was met before, or there are too many. */
static bool
is_new(struct walk *w, struct view text)
{
	if (hash_put(w->seen, folded(w, text), w))
		return false;
	if (++w->steps > EXPANSION_MAX) {
		walk_fail(w, DELIVER_DEFERRED, "4.3.5",
		    "alias expansion yields more than %d destinations", EXPANSION_MAX);
		return false;
	}
	return true;
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
mailbox_add(struct walk *w, struct view name)
{
	push(w, &w->x->mailboxes, name);
	w->x->mailbox_count++;
}

/* The alias of a name, then of the name without its extension. */
static enum table_result
alias_find(struct walk *w, struct view name, struct buf *value, struct view *key)
{
	enum table_result found;
	const char *why = NULL;
	struct view user, extension;

	*key = name;
	found = table_list_find(local.aliases, folded(w, name), value, &why);
	if (found == TABLE_NOT_FOUND &&
	    address_split_extension(name, local.conf->recipient_delimiter, &user, &extension)) {
		*key = user;
		found = table_list_find_key(local.aliases, folded(w, user), true, value, &why);
	}
	if (found == TABLE_CANNOT_TELL)
		walk_fail(w, DELIVER_DEFERRED, "4.3.0", "alias database unavailable: %s",
		    why ? why : "unknown error");
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
address_member(struct walk *w, struct view alias, struct view external)
{
	struct buf address = BUF_INIT(ADDRESS_MAX);
	struct view name, domain;

	if (!address_unquote(&address, external) || address.len == 0) {
		log_warn("alias \"%.*s\": \"%.*s\" is not an address", VIEW_ARG(alias),
		    VIEW_ARG(external));
		walk_fail(w, DELIVER_DEFERRED, "4.3.5",
		    "alias \"%.*s\": \"%.*s\" is not an address", VIEW_ARG(alias),
		    VIEW_ARG(external));
		buf_done(&address);
		return;
	}
	address_split(buf_view(&address), &name, &domain);
	if (!domain_is_ours(w, domain)) {
		if (!w->x->failed && is_new(w, buf_view(&address))) {
			push(w, &w->x->forwards, buf_view(&address));
			w->x->forward_count++;
		}
	} else if (view_eq_nocase(name, alias)) {
		/* An alias that names itself means the mailbox of that name. */
		w->x->has_self = true;
		mailbox_add(w, name);
	} else if (is_new(w, name)) {
		push(w, &w->todo, name);
	}
	buf_done(&address);
}

static void
members_walk(struct walk *w, struct view alias, struct view value)
{
	struct buf scratch = BUF_INIT(TABLE_VALUE_MAX);
	struct alias_member member;
	static const char *const what[] = {
		[ALIAS_FILE] = "files",
		[ALIAS_COMMAND] = "commands",
		[ALIAS_INCLUDE] = ":include: lists",
	};

	while (!w->x->failed && alias_member_next(&value, &scratch, &member)) {
		if (member.kind == ALIAS_ADDRESS)
			address_member(w, alias, member.text);
		else
			walk_fail(w, DELIVER_DEFERRED, "4.3.5",
			    "alias \"%.*s\": delivery to %s is not available yet",
			    VIEW_ARG(alias), what[member.kind]);
	}
	buf_done(&scratch);
}

/* owner-NAME: complaints about a list's members go to its owner and not to the sender. */
static void
owner_find(struct walk *w, struct view alias)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), address = BUF_INIT(ADDRESS_MAX);
	struct view owner, key, rest, member;
	bool malformed = false;

	if (!local.conf->owner_request_special || w->x->has_owner ||
	    view_has_prefix_nocase(alias, VIEW(OWNER_PREFIX)) || w->d->request.sender.n == 0)
		return;
	owner = view_of(arena_printf(&w->d->arena, OWNER_PREFIX "%.*s", VIEW_ARG(alias)));
	if (alias_find(w, owner, &value, &key) == TABLE_FOUND) {
		rest = buf_view(&value);
		w->x->has_owner = true;
		w->x->owner = view_of(arena_printf(
		    &w->d->arena, "%.*s@%.*s", VIEW_ARG(owner), VIEW_ARG(w->domain)));
		if (local.conf->expand_owner_alias &&
		    value_member_next(&rest, &member, &malformed) &&
		    address_unquote(&address, member) && address.len)
			w->x->owner = arena_view(&w->d->arena, buf_view(&address));
	}
	buf_done(&address);
	buf_done(&value);
}

static void
name_walk(struct walk *w, struct view name)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct view key;

	switch (alias_find(w, name, &value, &key)) {
	case TABLE_FOUND:
		w->x->is_alias = true;
		hash_put(w->seen, folded(w, key), w);
		owner_find(w, key);
		members_walk(w, key, buf_view(&value));
		break;
	case TABLE_NOT_FOUND:
		mailbox_add(w, name);
		break;
	default:
		break;
	}
	buf_done(&value);
}

void
expand(struct delivery *d, struct view name, struct view domain, struct expansion *x)
{
	struct walk w = { .d = d, .x = x, .domain = domain };

	if (table_list_is_empty(local.aliases)) {
		mailbox_add(&w, name);
		return;
	}
	w.seen = hash_new();
	is_new(&w, name);
	push(&w, &w.todo, name);
	while (w.todo && !x->failed) {
		struct view next = w.todo->text;

		w.todo = w.todo->next;
		name_walk(&w, next);
	}
	hash_free(&w.seen, NULL);
}
