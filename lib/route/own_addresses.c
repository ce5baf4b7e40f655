/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are ours decides what "user@[1.2.3.4]" means. If the system does not tell,
 * the answer is "loopback": an address that is taken for a stranger's costs a bounce, one that
 * is taken for ours by mistake would open doors.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/match.h"
#include "conf/own_address.h"
#include "mail/address.h"
#include "route/router_private.h"

static void
add(struct router *r, const uint8_t address[16])
{
	if (router_is_own_address(r, address))
		return;
	r->own = mem_resize(r->own, r->own_count + 1, sizeof(*r->own));
	memcpy(r->own[r->own_count++], address, 16);
}

static void
add_list(struct router *r, const char *parameter, const char *list)
{
	struct own_address *found = NULL;
	size_t n;

	if (list[0] == '\0')
		return;
	n = own_addresses(list, r->values->inet_protocols, &found);
	if (n == 0)
		log_warn("%s: no address found for \"%s\"", parameter, list);
	for (size_t i = 0; i < n; i++)
		add(r, found[i].address);
	mem_free(found);
}

/* 127.0.0.1 and ::1 are ours unless inet_interfaces names other addresses only. */
static void
add_loopback(struct router *r)
{
	struct view rest = view_of(r->values->inet_interfaces), word;
	uint8_t address[16];

	while (view_next_word(&rest, ", \t\r\n", &word)) {
		if (!view_eq_nocase(word, VIEW("all")) &&
		    !view_eq_nocase(word, VIEW("loopback-only")))
			continue;
		if (cidr_parse_address(VIEW("127.0.0.1"), address))
			add(r, address);
		if (cidr_parse_address(VIEW("::1"), address))
			add(r, address);
	}
}

void
router_own_addresses_find(struct router *r)
{
	add_loopback(r);
	add_list(r, "inet_interfaces", r->values->inet_interfaces);
	add_list(r, "proxy_interfaces", r->values->proxy_interfaces);
}

bool
router_is_own_address(const struct router *r, const unsigned char address[16])
{
	for (size_t i = 0; i < r->own_count; i++) {
		if (memcmp(r->own[i], address, 16) == 0)
			return true;
	}
	return false;
}
