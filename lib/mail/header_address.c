/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses in header fields. One pass over the bytes and one flat loop, whatever is nested in
 * what: a comment is a counter, a bracket a flag. Two pieces of state are kept for an item: the
 * address as collected so far in the scratch buffer, which '<' starts anew because what stood
 * before was a display name, and whether the item can still be an address at all. A comma or a
 * semicolon outside quotes and comments always ends an item, so one broken address costs no
 * other one.
 */
#include "mail/header.h"

#include "mail/mailbox.h"

enum angle { ANGLE_NONE, ANGLE_OPEN, ANGLE_ROUTE, ANGLE_CLOSED };

struct item {
	struct buf *text; /* internal form */
	enum angle angle;
	bool broken;      /* no address, whatever follows */
	bool spec_broken; /* no address unless a bracket follows */
	bool seen;        /* anything but blanks and comments */
	bool collected;   /* a word, since the item or its bracket started */
	bool after_word;  /* another word must not follow */
	bool has_domain;
	size_t at;                   /* of the '@' in text */
	size_t spec_start, spec_end; /* in the value */
};

void
header_address_walk_init(struct header_address_walk *w, struct view value)
{
	*w = (struct header_address_walk){ .value = value, .scratch = BUF_INIT(ADDRESS_MAX) };
}

void
header_address_walk_done(struct header_address_walk *w)
{
	buf_done(&w->scratch);
}

static void
item_collect_anew(struct item *item)
{
	buf_clear(item->text);
	item->spec_broken = false;
	item->collected = false;
	item->after_word = false;
	item->has_domain = false;
}

static bool
item_collects(const struct item *item)
{
	return item->angle == ANGLE_NONE || item->angle == ANGLE_OPEN;
}

static void
item_append(struct item *item, struct view bytes)
{
	if (item_collects(item) && !buf_append_view(item->text, bytes))
		item->spec_broken = true;
}

/* What stands from byte `from` to byte `to` of the value is part of the address. */
static void
item_extend(struct item *item, size_t from, size_t to)
{
	if (item->angle != ANGLE_NONE)
		return;
	if (!item->collected && !item->has_domain)
		item->spec_start = from;
	item->spec_end = to;
}

static void
item_add_word(struct item *item, size_t from, size_t to)
{
	if (!item_collects(item))
		return;
	item_extend(item, from, to);
	if (item->after_word)
		item->spec_broken = true;
	item->after_word = true;
	item->collected = true;
}

/* Behind the comment that starts at i. */
static size_t
comment_skip(struct view value, size_t i, struct item *item)
{
	size_t depth = 0;

	for (; i < value.n; i++) {
		if (value.p[i] == '\\')
			i++;
		else if (value.p[i] == '(')
			depth++;
		else if (value.p[i] == ')' && --depth == 0)
			return i + 1;
		if (depth > HEADER_COMMENT_DEPTH)
			item->broken = true;
	}
	item->broken = true;
	return value.n;
}

/* The quoted string that starts at i; line ends inside are folding. */
static size_t
quoted_string_take(struct view value, size_t i, struct item *item)
{
	size_t start = i++;

	for (; i < value.n && value.p[i] != '"'; i++) {
		if (value.p[i] == '\\' && i + 1 < value.n)
			i++;
		else if (value.p[i] == '\r' || value.p[i] == '\n')
			continue;
		item_append(item, view_sub(value, i, 1));
	}
	if (i >= value.n) {
		item->broken = true;
		return value.n;
	}
	item_add_word(item, start, i + 1);
	return i + 1;
}

static size_t
literal_take(struct view value, size_t i, struct item *item)
{
	size_t n = view_find(view_sub(value, i, value.n), ']');

	if (n == value.n - i) {
		item->broken = true;
		return value.n;
	}
	if (!item->has_domain)
		item->spec_broken = true;
	item_append(item, view_sub(value, i, n + 1));
	item_add_word(item, i, i + n + 1);
	return i + n + 1;
}

static size_t
atom_take(struct view value, size_t i, struct item *item)
{
	size_t start = i;

	while (i < value.n && char_is_atext(value.p[i]))
		i++;
	item_append(item, view_sub(value, start, i - start));
	item_add_word(item, start, i);
	return i;
}

/* '@' or '.'; an '@' right behind '<' starts a source route. */
static void
special_take(size_t i, char c, struct item *item)
{
	if (c == '@' && item->angle == ANGLE_OPEN && !item->collected && !item->has_domain)
		item->angle = ANGLE_ROUTE;
	if (!item_collects(item))
		return;
	item_extend(item, i, i + 1);
	if (c == '@') {
		if (item->has_domain)
			item->spec_broken = true;
		item->has_domain = true;
		item->at = item->text->len;
	} else {
		item->collected = true;
	}
	item_append(item, (struct view){ &c, 1 });
	item->after_word = false;
}

static void
bracket_take(size_t i, char c, struct item *item)
{
	if (item->angle != (c == '<' ? ANGLE_NONE : ANGLE_OPEN))
		item->broken = true;
	if (c == '<') {
		item_collect_anew(item);
		item->angle = ANGLE_OPEN;
		item->spec_start = i + 1;
	} else {
		item->angle = ANGLE_CLOSED;
		item->spec_end = i;
	}
}

/* A colon that starts no group. */
static void
colon_take(struct item *item)
{
	if (item->angle == ANGLE_ROUTE) {
		item_collect_anew(item);
		item->collected = true; /* "<@a:@b>" has no second route */
		item->angle = ANGLE_OPEN;
	} else {
		item->broken = true;
	}
}

/* One token that does not end the item; the index behind it. */
static size_t
token_take(struct view value, size_t i, struct item *item)
{
	char c = value.p[i];

	if (c == '(')
		return comment_skip(value, i, item);
	if (char_is_blank(c))
		return i + 1;
	item->seen = true;
	switch (c) {
	case '"':
		return quoted_string_take(value, i, item);
	case '[':
		return literal_take(value, i, item);
	case '@':
	case '.':
		special_take(i, c, item);
		return i + 1;
	case '<':
	case '>':
		bracket_take(i, c, item);
		return i + 1;
	case ':':
		colon_take(item);
		return i + 1;
	case ',': /* in a route */
		return i + 1;
	default:
		if (char_is_atext(c))
			return atom_take(value, i, item);
		item->broken = true;
		return i + (c == '\\' ? 2 : 1);
	}
}

static bool
item_ends_at(const struct item *item, char c)
{
	return (c == ',' && item->angle != ANGLE_ROUTE) || c == ';';
}

static bool
item_is_group_start(const struct header_address_walk *w, const struct item *item, char c)
{
	return c == ':' && !w->in_group && item->angle == ANGLE_NONE && item->collected &&
	    !item->has_domain && !item->broken;
}

/* Whether the item is an address, in internal form in item->text. */
static bool
item_is_address(const struct item *item)
{
	if (item->broken || item->spec_broken || !item->seen)
		return false;
	if (item->angle == ANGLE_OPEN || item->angle == ANGLE_ROUTE)
		return false;
	if (item->angle == ANGLE_CLOSED && !item->collected && !item->has_domain)
		return true; /* <> */
	return !mailbox_check(buf_view(item->text), item->has_domain, item->at, true);
}

static bool
separators_skip(struct header_address_walk *w)
{
	while (w->at < w->value.n) {
		char c = w->value.p[w->at];

		if (!char_is_blank(c) && c != ',' && (c != ';' || w->in_group))
			return true;
		w->at++;
	}
	return false;
}

static void
group_mark(
    struct header_address_walk *w, size_t start, bool is_start, struct header_address *out)
{
	w->at++;
	w->count++;
	w->in_group = is_start;
	*out = (struct header_address){
		.text = view_trim(view_sub(w->value, start, w->at - start)),
		.is_group_start = is_start,
		.is_group_end = !is_start,
	};
}

bool
header_address_next(struct header_address_walk *w, struct header_address *out)
{
	while (separators_skip(w)) {
		struct item item = { .text = &w->scratch };
		size_t start = w->at;

		if (w->count == HEADER_ADDRESSES_MAX) {
			w->truncated = true;
			return false;
		}
		if (w->value.p[start] == ';') {
			group_mark(w, start, false, out);
			return true;
		}
		item_collect_anew(&item);
		while (w->at < w->value.n && !item_ends_at(&item, w->value.p[w->at])) {
			if (item_is_group_start(w, &item, w->value.p[w->at])) {
				group_mark(w, start, true, out);
				return true;
			}
			w->at = token_take(w->value, w->at, &item);
		}
		if (w->at > w->value.n)
			w->at = w->value.n;
		if (item_is_address(&item)) {
			w->count++;
			*out = (struct header_address){
				.text = view_trim(view_sub(w->value, start, w->at - start)),
				.spec = view_trim(view_sub(w->value, item.spec_start,
				    item.spec_end - item.spec_start)),
				.address = buf_view(item.text),
			};
			return true;
		}
		w->skipped += item.seen || item.broken;
	}
	return false;
}
