/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an address to a name and back. Where an address has several names, the first few are
 * tried in the order of the alphabet, so that one client has one name however answers are
 * rotated.
 */
#include "dns/peer.h"

#include <stdlib.h>

#define NAMES_TRIED 3

bool
dns_name_is_host(struct view name)
{
	bool numeric = true, start = true;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool end = i + 1 == name.n || name.p[i + 1] == '.';

		if (c == '.' ? start : !char_is_alnum(c) && c != '_' && c != '-')
			return false;
		if (c == '-' && (start || end))
			return false;
		numeric = numeric && (char_is_digit(c) || c == '.');
		start = c == '.';
	}
	return name.n > 0 && !numeric && !start;
}

static int
by_name(const void *a, const void *b)
{
	return view_compare(
	    ((const struct dns_record *)a)->name, ((const struct dns_record *)b)->name);
}

static bool
leads_back(const struct dns_answer *addresses, int family, const unsigned char *address)
{
	size_t size = family == AF_INET ? 4 : 16;
	enum dns_type type = family == AF_INET ? DNS_A : DNS_AAAA;

	for (size_t i = 0; i < addresses->count; i++)
		if (addresses->records[i].type == type &&
		    memcmp(addresses->records[i].address, address, size) == 0)
			return true;
	return false;
}

static enum dns_peer_status
status_of(enum dns_result result)
{
	return result == DNS_TRY_AGAIN ? DNS_PEER_TRY_AGAIN : DNS_PEER_NO_NAME;
}

static enum dns_peer_status
confirm(struct dns_client *c, struct view name, int family, const unsigned char *address,
    struct arena *arena, enum dns_result *forward, nanoseconds deadline)
{
	struct dns_answer addresses;

	*forward = dns_native_lookup(c, name, family, arena, &addresses, deadline);
	if (*forward != DNS_FOUND)
		return status_of(*forward);
	return leads_back(&addresses, family, address) ? DNS_PEER_OK : DNS_PEER_FORGED;
}

/* The first name that is confirmed, or what is wrong with the first one. */
static void
try_names(struct dns_client *c, const struct dns_answer *names, int family,
    const unsigned char *address, struct arena *arena, struct dns_peer *out,
    nanoseconds deadline)
{
	size_t tried = 0;

	for (size_t i = 0; i < names->count && tried < NAMES_TRIED; i++) {
		struct view name = names->records[i].name;
		enum dns_result forward;
		enum dns_peer_status status;

		if (!dns_name_is_host(name))
			continue;
		status = confirm(c, name, family, address, arena, &forward, deadline);
		if (tried++ == 0 || status == DNS_PEER_OK) {
			out->status = status;
			out->forward = forward;
			out->reverse = name;
			out->reverse_status = DNS_PEER_OK;
		}
		if (status == DNS_PEER_OK) {
			out->name = name;
			return;
		}
	}
}

void
dns_peer_find(struct dns_client *c, int family, const unsigned char *address,
    struct arena *arena, struct dns_peer *out, nanoseconds deadline)
{
	struct dns_answer names;

	*out = (struct dns_peer){ DNS_PEER_NO_NAME, DNS_PEER_NO_NAME, VIEW_NONE, VIEW_NONE,
		DNS_NO_DATA };
	if (dns_native_names(c, family, address, arena, &names, deadline) != DNS_FOUND) {
		out->status = out->reverse_status = status_of(names.result);
		return;
	}
	qsort(names.records, names.count, sizeof(*names.records), by_name);
	try_names(c, &names, family, address, arena, out, deadline);
}
