/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each address is looked up once, whole, as "user" when its domain is ours, and as "@domain". A
 * result without a domain gets $myorigin, and "@other" keeps the local part. In a header field
 * only the address itself is replaced: names, comments and folding stay.
 */
#include "smtp/generic.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/list.h"
#include "mail/address.h"
#include "mail/header.h"

static struct {
	struct table_list *maps;
	struct match_list *ours;
	bool keeps_extension;
} generic;

void
generic_open(void)
{
	const struct conf_values *v = client.conf;

	generic.maps = table_list_open(client.options.generic_maps, client.main_cf);
	generic.ours = match_list_open("mydestination", v->mydestination, client.main_cf);
	generic.keeps_extension =
	    conf_list_has(v->propagate_unmatched_extensions, VIEW("generic"));
}

static bool
is_ours(struct view domain)
{
	return view_eq_nocase(domain, view_of(client.conf->myorigin)) ||
	    match_list_has_name(generic.ours, domain, NULL) == TABLE_FOUND;
}

/* The first address of the table's value, in internal form and completed. */
static bool
result_read(struct view value, struct view old, struct view extension, struct buf *out)
{
	struct buf found = BUF_INIT(ADDRESS_MAX);
	struct view local, domain, old_local, old_domain;
	bool ok = value.n > 0 && value.p[0] == '@';

	if (ok)
		buf_append_view(&found, value);
	else
		ok = address_unquote(&found, value) && found.len > 0;
	address_split(buf_view(&found), &local, &domain);
	address_split(old, &old_local, &old_domain);
	buf_append_view(out, local.n ? local : old_local);
	if (local.n && generic.keeps_extension)
		buf_append_view(out, extension);
	buf_append_char(out, '@');
	buf_append_view(out, domain.n ? domain : view_of(client.conf->myorigin));
	buf_done(&found);
	return ok && out->len <= ADDRESS_MAX;
}

/* TABLE_FOUND: the new address is in out. */
static enum table_result
address_map(struct view address, struct buf *out, const char **why)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	struct view local, domain, extension = VIEW_NONE;
	enum table_result result = TABLE_NOT_FOUND;

	buf_clear(out);
	address_split(address, &local, &domain);
	if (address.n > 0)
		result = table_list_find_address(generic.maps, address,
		    client.conf->recipient_delimiter, TABLE_SEARCH_USER | TABLE_SEARCH_DOMAIN,
		    is_ours(domain), &value, &extension, why);
	if (result == TABLE_FOUND &&
	    !result_read(view_trim(buf_view(&value)), address, extension, out)) {
		log_warn("generic_maps: \"%s\" is no address", buf_str(&value));
		result = TABLE_NOT_FOUND;
	}
	buf_done(&value);
	return result;
}

/* ---- the header ---- */

static bool
has_addresses(const struct header_field *f)
{
	static const struct view names[] = {
		{ "From", 4 },
		{ "Sender", 6 },
		{ "Reply-To", 8 },
		{ "To", 2 },
		{ "Cc", 2 },
		{ "Bcc", 3 },
		{ "Errors-To", 9 },
		{ "Return-Receipt-To", 17 },
		{ "Disposition-Notification-To", 27 },
	};
	struct view name = f->name;

	if (view_has_prefix_nocase(name, VIEW("Resent-")))
		name = view_sub(name, 7, name.n);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (view_eq_nocase(name, names[i]))
			return true;
	return false;
}

static enum table_result
field_map(const struct header_field *f, struct buf *out, const char **why)
{
	struct buf address = BUF_INIT(4 * ADDRESS_MAX);
	enum table_result result = TABLE_NOT_FOUND;
	const char *at = f->raw.p, *end = f->raw.p + f->raw.n;
	struct header_address_walk walk;
	struct header_address item;

	header_address_walk_init(&walk, f->value);
	while (result != TABLE_CANNOT_TELL && header_address_next(&walk, &item)) {
		if (item.is_group_start || item.is_group_end || item.address.n == 0)
			continue;
		result = address_map(item.address, &address, why);
		if (result != TABLE_FOUND)
			continue;
		buf_append(out, at, (size_t)(item.spec.p - at));
		address_quote(out, buf_view(&address));
		at = item.spec.p + item.spec.n;
	}
	buf_append(out, at, (size_t)(end - at));
	header_address_walk_done(&walk);
	buf_done(&address);
	return result;
}

static enum table_result
block_map(struct view block, struct buf *out, const char **why)
{
	enum table_result result = TABLE_NOT_FOUND;
	struct header_field f;

	while (result != TABLE_CANNOT_TELL && header_next(&block, &f)) {
		if (has_addresses(&f))
			result = field_map(&f, out, why);
		else
			buf_append_view(out, f.raw);
	}
	buf_append_view(out, block);
	return result;
}

/* False: *why. A block that is too long, before or after, stays as it is. */
static bool
header_rewrite(struct delivery *d, const char **why)
{
	const struct deliver_request *r = &d->job->request;
	struct buf block = BUF_INIT(GENERIC_HEADER_MAX), out = BUF_INIT(2 * GENERIC_HEADER_MAX);
	enum table_result result = TABLE_NOT_FOUND;
	size_t n = (size_t)r->header_length;
	char *room;

	if (r->header_length > 0 && r->header_length <= GENERIC_HEADER_MAX) {
		room = buf_reserve(&block, n);
		if (!file_pread_all(r->message, room, n, (off_t)r->header_offset)) {
			result = TABLE_CANNOT_TELL;
			*why = errno ? strerror(errno) : "the queue file is cut short";
		} else {
			buf_commit(&block, n);
			result = block_map(buf_view(&block), &out, why);
		}
		if (!out.overflow)
			d->header = arena_view(&d->arena, buf_view(&out));
	}
	buf_done(&block);
	buf_done(&out);
	return result != TABLE_CANNOT_TELL;
}

/* ---- the envelope ---- */

static bool
envelope_map(struct delivery *d, struct view *address, const char **why)
{
	struct buf mapped = BUF_INIT(4 * ADDRESS_MAX);
	enum table_result result = address_map(*address, &mapped, why);

	if (result == TABLE_FOUND)
		*address = arena_view(&d->arena, buf_view(&mapped));
	buf_done(&mapped);
	return result != TABLE_CANNOT_TELL;
}

struct problem *
generic_rewrite(struct delivery *d)
{
	const char *why = "";
	bool ok;

	if (table_list_is_empty(generic.maps))
		return NULL;
	ok = envelope_map(d, &d->sender, &why) && header_rewrite(d, &why);
	for (size_t i = 0; i < d->job->count && ok; i++)
		ok = envelope_map(d, &d->rcpts[i].address, &why);
	return ok ? NULL
		  : problem_new(d, NULL, "4.3.0", "%s_generic_maps lookup error: %s",
			client.options.is_lmtp ? "lmtp" : "smtp", why);
}
