/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a recipient: the answer is always there, and no address is taken for ours whose
 * part behind the last '@' is not (an address without '@' gets $myorigin).
 */
#include <assert.h>
#include <stdint.h>

#include "base/arena.h"
#include "route/route.h"
#include "route/virtual_alias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char settings[] =
    "compatibility_level = 3.12\nmyhostname = mail.ours.example\nmydomain = ours.example\n"
    "mynetworks = 127.0.0.0/8\ninet_interfaces = 192.0.2.25\nmydestination = ours.example\n"
    "myorigin = ours.example\nrecipient_delimiter = +\n"
    "virtual_alias_domains = alias.example\nvirtual_mailbox_domains = box.example\n"
    "relay_domains = relay.example\nalias_maps =\nlocal_recipient_maps = inline:{user=x}\n"
    "virtual_alias_maps = inline:{a@alias.example=user, @box.example=@ours.example}\n"
    "transport_maps = inline:{t@x.example=smtp:[h], .y.example=relay:, z.example=error:no}\n";

static struct router *
the_router(void)
{
	static struct router *router;
	char *why = NULL;
	struct conf *c;

	if (router == NULL) {
		c = conf_open_text("main.cf", view_of(settings), true, &why);
		assert(c != NULL && conf_evaluate(c, &why));
		router = router_open(c);
	}
	return router;
}

/* Ours, seen with nothing but the last '@'. */
static bool
may_be_ours(struct view recipient)
{
	size_t at = view_find_last(recipient, '@');
	struct view domain = view_sub(recipient, at + 1, recipient.n);

	if (at == recipient.n)
		return true;
	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	return view_eq_nocase(domain, VIEW("ours.example")) ||
	    view_eq_nocase(domain, VIEW("alias.example")) ||
	    view_eq_nocase(domain, VIEW("box.example")) ||
	    view_has_suffix_nocase(domain, VIEW("relay.example")) ||
	    (domain.n > 0 && domain.p[0] == '[');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view recipient = { (const char *)data, size };
	struct virtual_alias_result expanded = { 0 };
	struct arena arena = ARENA_INIT;
	struct route route = { .class_ = ROUTE_ERROR };
	const char *why = NULL;

	assert(router_resolve(the_router(), VIEW_NONE, recipient, &arena, &route, &why) ==
	    TABLE_FOUND);
	assert(route.transport.n > 0);
	if (route.class_ != ROUTE_ERROR && route.class_ != ROUTE_DEFAULT)
		assert(may_be_ours(recipient));
	if (route.class_ != ROUTE_ERROR)
		assert(view_find(route.recipient, '\n') == route.recipient.n);
	assert(router_recipient_exists(the_router(), VIEW_NONE, recipient, route.class_, &arena,
		   &route, &why) != TABLE_CANNOT_TELL);
	(void)virtual_alias_expand(the_router(), recipient, &arena, &expanded, &why);
	arena_reset(&arena);
	return 0;
}
