/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys under which an address is looked for, from the most to the least special. The
 * external form comes first (that is how tables write an address that needs quotes), then the
 * internal one where it differs. In internal form a local part with '@' would read as another
 * address, so it never stands alone as a key.
 */
#include "base/mem.h"
#include "mail/address.h"
#include "table/table_list.h"
#include "table/table_private.h"

struct search {
	struct table_list *list;
	struct view local, domain;
	struct view user; /* local without its extension */
	bool split;       /* there is one */
	bool by_user, by_domain;
	struct buf key;
	struct buf quoted;
	struct buf *value;
	const char **why;
};

/* Which part of the local part a key holds. */
enum key_local { KEY_WHOLE, KEY_USER, KEY_NO_LOCAL };

static struct view
local_of(const struct search *s, enum key_local part)
{
	switch (part) {
	case KEY_WHOLE:
		return s->local;
	case KEY_USER:
		return s->user;
	default:
		return VIEW_NONE;
	}
}

static enum table_result
find_key(struct search *s, bool is_partial)
{
	return table_list_find_key(s->list, buf_view(&s->key), is_partial, s->value, s->why);
}

/* The local part as address_quote writes it in front of a domain. */
static struct view
quoted_local(struct search *s, struct view local)
{
	struct view v;

	buf_clear(&s->key);
	buf_clear(&s->quoted);
	buf_append_view(&s->key, local);
	buf_append_str(&s->key, "@a");
	address_quote(&s->quoted, buf_view(&s->key));
	v = buf_view(&s->quoted);
	return view_sub(v, 0, v.n >= 2 ? v.n - 2 : 0);
}

static enum table_result
try_key(struct search *s, enum key_local part, bool with_domain, bool is_partial)
{
	struct view plain = local_of(s, part), quoted = VIEW_NONE;
	enum table_result result;

	if (part != KEY_NO_LOCAL)
		quoted = quoted_local(s, plain);
	for (int form = 0; form < 2; form++) {
		struct view local = form == 0 ? quoted : plain;

		if (form == 1 && view_eq(quoted, plain))
			break;
		if (form == 1 && !with_domain && view_find(plain, '@') < plain.n)
			break;
		buf_clear(&s->key);
		buf_append_view(&s->key, local);
		if (with_domain) {
			buf_append_char(&s->key, '@');
			buf_append_view(&s->key, s->domain);
		}
		result = find_key(s, is_partial);
		if (result != TABLE_NOT_FOUND)
			return result;
	}
	return TABLE_NOT_FOUND;
}

/* *part: what of the local part the matching key held. */
static enum table_result
search_run(struct search *s, enum key_local *part)
{
	bool has_domain = s->domain.n > 0;
	enum table_result result;

	*part = KEY_WHOLE;
	result = try_key(s, KEY_WHOLE, has_domain, false);
	if (result == TABLE_NOT_FOUND && s->split && has_domain) {
		*part = KEY_USER;
		result = try_key(s, KEY_USER, true, true);
	}
	if (result == TABLE_NOT_FOUND && s->by_user) {
		*part = KEY_WHOLE;
		result = try_key(s, KEY_WHOLE, false, true);
	}
	if (result == TABLE_NOT_FOUND && s->by_user && s->split) {
		*part = KEY_USER;
		result = try_key(s, KEY_USER, false, true);
	}
	if (result == TABLE_NOT_FOUND && s->by_domain && has_domain) {
		*part = KEY_NO_LOCAL;
		result = try_key(s, KEY_NO_LOCAL, true, true);
	}
	return result;
}

enum table_result
table_list_find_address(struct table_list *l, struct view address,
    const char *recipient_delimiter, unsigned search, bool domain_is_ours, struct buf *value,
    struct view *matched_extension, const char **why)
{
	struct search s = { .list = l, .value = value, .why = why };
	struct view extension;
	enum key_local part;
	enum table_result result;

	buf_clear(value);
	if (matched_extension != NULL)
		*matched_extension = VIEW_NONE;
	if (address.n == 0 || table_list_is_empty(l))
		return TABLE_NOT_FOUND;
	buf_init(&s.key, 2 * TABLE_KEY_MAX);
	buf_init(&s.quoted, 2 * TABLE_KEY_MAX);
	address_split(address, &s.local, &s.domain);
	s.split = address_split_extension(s.local, recipient_delimiter, &s.user, &extension);
	s.by_user = (search & TABLE_SEARCH_USER) != 0 && domain_is_ours;
	s.by_domain = (search & TABLE_SEARCH_DOMAIN) != 0;
	result = search_run(&s, &part);
	if (result == TABLE_FOUND && part == KEY_USER && matched_extension != NULL)
		*matched_extension = view_sub(s.local, s.user.n, s.local.n);
	buf_done(&s.key);
	buf_done(&s.quoted);
	return result;
}
