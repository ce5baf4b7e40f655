/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport(5) lookup: the whole address, the address without extension, the domain, its
 * parents, and at last "*". Tables of patterns see the whole address only.
 */
#include "mail/address.h"
#include "route/router_private.h"

/* ".example.com" for mail.example.com; "example.com" when parents match subdomains. */
static enum table_result
find_parents(struct router *r, struct view domain, struct buf *value, const char **why)
{
	enum table_result result;
	size_t dot;

	while (domain.n > 0) {
		dot = 1 + view_find(view_sub(domain, 1, domain.n), '.');
		if (dot >= domain.n)
			break;
		domain = view_sub(domain, dot, domain.n);
		result = table_list_find_key(r->transport_maps,
		    r->transport_parents ? view_sub(domain, 1, domain.n) : domain, true, value,
		    why);
		if (result != TABLE_NOT_FOUND)
			return result;
	}
	return TABLE_NOT_FOUND;
}

enum table_result
transport_find(struct router *r, struct view address, struct buf *value, const char **why)
{
	struct view local, domain;
	enum table_result result;

	if (table_list_is_empty(r->transport_maps))
		return TABLE_NOT_FOUND;
	result = table_list_find_address(r->transport_maps, address,
	    r->values->recipient_delimiter, 0, false, value, NULL, why);
	address_split(address, &local, &domain);
	if (result == TABLE_NOT_FOUND)
		result = table_list_find_key(r->transport_maps, domain, true, value, why);
	if (result == TABLE_NOT_FOUND && domain.n > 0 && domain.p[0] != '[')
		result = find_parents(r, domain, value, why);
	if (result == TABLE_NOT_FOUND)
		result = table_list_find_key(r->transport_maps, VIEW("*"), true, value, why);
	return result;
}
