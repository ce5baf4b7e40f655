/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expansion is a walk over addresses, each of which is looked up once, however often it is
 * named: so loops end, and a list that names another twice costs nothing. What comes out are
 * the addresses without entry and those whose entry names themselves. No recursion: the
 * addresses found so far are the queue of the work, each with the number of steps from the
 * start.
 */
#include "route/virtual_alias.h"

#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/address.h"
#include "route/router_private.h"
#include "table/aliases.h"

struct node {
	struct view address;
	size_t depth;
	bool is_result;
};

struct walk {
	struct router *router;
	struct arena *arena;
	struct view start;
	struct hash *seen; /* folded address -> anything */
	struct node *nodes;
	size_t count, done, results;
	bool propagate;
	struct buf value;  /* of the table */
	struct buf member; /* one address of it */
	struct buf folded;
	const char *why;
};

static bool
propagates(const struct conf_values *v)
{
	struct view rest = view_of(v->propagate_unmatched_extensions), word;

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		if (view_eq_nocase(word, VIEW("virtual")))
			return true;
	}
	return false;
}

static bool
unreasonable(struct walk *w, const char *what)
{
	struct view start = w->start;

	log_warn("unreasonable virtual_alias_maps map %s for %.*s -- message not accepted, "
		 "try again later",
	    what, VIEW_ARG(start));
	w->why = "unreasonable virtual_alias_maps expansion";
	return false;
}

/* Puts the address in the queue unless it was there. */
static bool
node_add(struct walk *w, struct view address, size_t depth)
{
	const struct conf_values *v = w->router->values;
	struct node *n;

	if (address.n > (size_t)v->virtual_alias_address_length_limit ||
	    address.n > ADDRESS_MAX)
		return unreasonable(w, "result length");
	buf_clear(&w->folded);
	for (size_t i = 0; i < address.n; i++)
		buf_append_char(&w->folded, char_lower(address.p[i]));
	if (hash_find(w->seen, buf_view(&w->folded)) != NULL)
		return true;
	if (depth > (size_t)v->virtual_alias_recursion_limit)
		return unreasonable(w, "nesting");
	/* Those on the way count too: a walk of a million steps is no smaller for its end. */
	if (w->count >=
	    (size_t)v->virtual_alias_expansion_limit + (size_t)v->virtual_alias_recursion_limit)
		return unreasonable(w, "expansion size");
	hash_put(w->seen, buf_view(&w->folded), w);
	if ((w->count & (w->count - 1)) == 0)
		w->nodes = mem_resize(w->nodes, w->count == 0 ? 1 : 2 * w->count, sizeof(*n));
	n = &w->nodes[w->count++];
	*n = (struct node){ .address = arena_view(w->arena, address), .depth = depth };
	return true;
}

static bool
result_mark(struct walk *w, size_t index)
{
	if (w->nodes[index].is_result)
		return true;
	w->nodes[index].is_result = true;
	if (++w->results > (size_t)w->router->values->virtual_alias_expansion_limit)
		return unreasonable(w, "expansion size");
	return true;
}

/*
 * One member of a value into w->member, in internal standard form: "@domain" keeps the local
 * part of the address, the extension that the entry did not name goes along.
 */
static bool
member_make(struct walk *w, struct view text, struct view from, struct view extension)
{
	struct buf plain = BUF_INIT(4 * ADDRESS_MAX);
	struct view local, domain;
	bool ok;

	if (text.p[0] == '@') {
		address_split(from, &local, &domain);
		buf_append_view(&plain, local);
		buf_append_view(&plain, text);
		ok = !plain.overflow;
	} else {
		ok =
		    text.n <= 2 * ADDRESS_MAX && address_unquote(&plain, text) && plain.len > 0;
		if (ok && w->propagate && extension.n > 0) {
			struct buf extended = BUF_INIT(4 * ADDRESS_MAX);

			address_split(buf_view(&plain), &local, &domain);
			buf_append_view(&extended, local);
			buf_append_view(&extended, extension);
			buf_append_view(
			    &extended, view_sub(buf_view(&plain), local.n, plain.len));
			buf_done(&plain);
			plain = extended;
		}
	}
	buf_clear(&w->member);
	if (ok)
		route_standard_form(w->router->values, buf_view(&plain), &w->member);
	buf_done(&plain);
	return ok;
}

/* Queues what the value in w->value names for the node at index. */
static bool
members_add(struct walk *w, size_t index, struct view extension)
{
	struct view rest = buf_view(&w->value), text;
	struct node from = w->nodes[index];
	size_t usable = 0;
	bool malformed;

	while (value_member_next(&rest, &text, &malformed)) {
		if (!member_make(w, text, from.address, extension)) {
			log_warn("virtual_alias_maps: ignoring malformed address \"%.*s\"",
			    VIEW_ARG(text));
			continue;
		}
		usable++;
		if (view_eq_nocase(buf_view(&w->member), from.address)) {
			if (!result_mark(w, index))
				return false;
		} else if (!node_add(w, buf_view(&w->member), from.depth + 1)) {
			return false;
		}
	}
	if (malformed || usable == 0) {
		w->why = "malformed entry in virtual_alias_maps";
		log_warn("virtual_alias_maps: no usable address in the entry for %.*s",
		    VIEW_ARG(from.address));
		return false;
	}
	return true;
}

static bool
node_expand(struct walk *w, size_t index)
{
	struct router *r = w->router;
	struct view local, domain, extension;
	enum table_result result;
	bool ours;

	address_split(w->nodes[index].address, &local, &domain);
	result = router_domain_is_ours(r, domain, &ours, &w->why);
	if (result != TABLE_CANNOT_TELL)
		result = table_list_find_address(r->virtual_alias_maps, w->nodes[index].address,
		    r->values->recipient_delimiter, TABLE_SEARCH_USER | TABLE_SEARCH_DOMAIN,
		    ours, &w->value, &extension, &w->why);
	if (result == TABLE_CANNOT_TELL)
		return false;
	if (result == TABLE_NOT_FOUND)
		return result_mark(w, index);
	return members_add(w, index, extension);
}

static bool
walk_run(struct walk *w)
{
	if (!node_add(w, w->start, 0))
		return false;
	for (; w->done < w->count; w->done++) {
		if (!node_expand(w, w->done))
			return false;
	}
	return w->results > 0 || unreasonable(w, "nesting");
}

static void
results_take(const struct walk *w, struct virtual_alias_result *out)
{
	out->addresses = arena_alloc(w->arena, w->results * sizeof(struct view));
	out->count = 0;
	for (size_t i = 0; i < w->count; i++) {
		if (w->nodes[i].is_result)
			out->addresses[out->count++] = w->nodes[i].address;
	}
}

enum table_result
virtual_alias_expand(struct router *r, struct view address, struct arena *arena,
    struct virtual_alias_result *out, const char **why)
{
	struct walk w = { .router = r, .arena = arena, .start = address };
	enum table_result result = TABLE_CANNOT_TELL;

	if (address.n == 0 || address.n > ADDRESS_MAX ||
	    table_list_is_empty(r->virtual_alias_maps))
		return TABLE_NOT_FOUND;
	w.propagate = propagates(r->values);
	w.seen = hash_new();
	buf_init(&w.value, TABLE_VALUE_MAX);
	buf_init(&w.member, 8 * ADDRESS_MAX);
	buf_init(&w.folded, ADDRESS_MAX);
	if (!walk_run(&w)) {
		*why = w.why;
	} else if (w.count == 1) {
		result = TABLE_NOT_FOUND;
	} else {
		results_take(&w, out);
		result = TABLE_FOUND;
	}
	hash_free(&w.seen, NULL);
	buf_done(&w.value);
	buf_done(&w.member);
	buf_done(&w.folded);
	mem_free(w.nodes);
	return result;
}
