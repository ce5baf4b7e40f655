/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where mail for a destination goes: an address or socket that is named, or what the DNS says.
 *
 * On the standard port this host must not talk to itself: mail servers that are we, and all
 * that are no better, are left out, and when none is left the mail has come in a circle. Other
 * ports are content filters and the like.
 */
#include "smtp/hosts.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/random.h"
#include "conf/own_address.h"
#include "mail/address.h"
#include "smtp/lookup.h"
#include "smtp/memo.h"

#define SMTP_PORT   25
#define PORTS_MAX   100000
#define LOOKUP_TIME 4 /* times resolver_timeout, for all questions about a destination */

static struct {
	struct own_address *all;
	size_t count;
} own, proxies;

/* Later no file can be opened. */
static void
ports_read(void)
{
	struct servent *entry;

	buf_init(&client.known_ports, PORTS_MAX);
	buf_append_str(&client.known_ports, client.conf->known_tcp_ports);
	setservent(0);
	while ((entry = getservent()))
		if (strcmp(entry->s_proto, "tcp") == 0)
			buf_printf(&client.known_ports, ", %s=%u", entry->s_name,
			    ntohs((uint16_t)entry->s_port));
	endservent();
}

void
hosts_open(void)
{
	const struct conf_values *v = client.conf;

	ports_read();

	own.count = own_addresses(v->inet_interfaces, v->inet_protocols, &own.all);
	if (*v->proxy_interfaces)
		proxies.count =
		    own_addresses(v->proxy_interfaces, v->inet_protocols, &proxies.all);
}

static bool
is_among(const struct own_address *all, size_t count, const struct candidate *c)
{
	unsigned char address[16] = { [10] = 0xff, [11] = 0xff };

	memcpy(c->is_ipv6 ? address : address + 12, c->address, c->is_ipv6 ? 16 : 4);
	for (size_t i = 0; i < count; i++)
		if (memcmp(all[i].address, address, sizeof(address)) == 0)
			return true;
	return false;
}

static bool
is_own(const struct candidate *c)
{
	return is_among(own.all, own.count, c) || is_among(proxies.all, proxies.count, c);
}

/* What a mail domain's DNS says is loopback is this host. */
static bool
is_own_mx(const struct candidate *c)
{
	return is_own(c) || order_is_loopback(c);
}

static struct problem *
bad_destination(struct delivery *d, struct view text, const char *why)
{
	return problem_new(
	    d, NULL, "5.4.4", "bad destination \"%.*s\": %s", VIEW_ARG(text), why);
}

static struct problem *
unix_endpoint(
    struct delivery *d, struct view text, const struct destination *to, struct endpoints *out)
{
	struct endpoint *e = ARENA_NEW(&d->arena, struct endpoint);
	struct sockaddr_un *un = (void *)&e->address;

	if (to->name.n >= sizeof(un->sun_path) || view_find(to->name, '\0') < to->name.n)
		return bad_destination(d, text, "the path is too long");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, to->name.p, to->name.n);
	e->length = sizeof(*un);
	e->host = client.conf->myhostname;
	out->all = e;
	out->count = 1;
	return NULL;
}

void
endpoint_set(struct endpoint *e, bool is_ipv6, const unsigned char *address, uint16_t port)
{
	struct sockaddr_in *v4 = (void *)&e->address;
	struct sockaddr_in6 *v6 = (void *)&e->address;

	memset(&e->address, 0, sizeof(e->address));
	if (is_ipv6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, address, 16);
		e->length = sizeof(*v6);
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address, 4);
		e->length = sizeof(*v4);
	}
}

static struct order_rules
order_rules(void)
{
	const struct client_options *o = &client.options;
	struct view family = view_of(o->address_preference);

	return (struct order_rules){
		.randomize = o->randomize_addresses,
		.family = view_eq_nocase(family, VIEW("ipv4")) ? ORDER_IPV4_FIRST
		    : view_eq_nocase(family, VIEW("ipv6"))     ? ORDER_IPV6_FIRST
							       : ORDER_ANY,
		.balance = o->balance_inet_protocols && view_eq_nocase(family, VIEW("any")),
		.limit = o->mx_address_limit > 0 ? (size_t)o->mx_address_limit : 0,
	};
}

/* Forbidden addresses never become endpoints: what is looked at here is what is connected to.
 */
static void
forbidden_drop(struct lookup *l, struct view name)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++)
		if (order_may_connect(&l->all[i]))
			l->all[kept++] = l->all[i];
	if (l->count > 0 && kept == 0)
		l->problem = problem_new(l->d, NULL, "5.4.4",
		    "no address of %.*s is one that mail can go to", VIEW_ARG(name));
	l->count = kept;
}

/* True when this host was among them. */
static bool
own_drop(struct lookup *l, const struct destination *to)
{
	bool found;

	l->count = order_drop_own(
	    l->all, l->count, to->kind == DESTINATION_DOMAIN ? is_own_mx : is_own, &found);
	if (!found || l->count > 0)
		return found;
	/* The better ones have no address now: that may change. */
	if (l->problem && l->problem->dsn[0] == '4')
		return true;
	l->problem = problem_new(
	    l->d, NULL, "5.4.6", "mail for %.*s loops back to myself", VIEW_ARG(to->name));
	l->problem->is_final = true;
	return true;
}

static void
candidates_look_up(struct lookup *l, const struct destination *to)
{
	switch (to->kind) {
	case DESTINATION_DOMAIN:
		lookup_domain(l, to->name);
		break;
	case DESTINATION_HOST:
		lookup_host(l, to->name, 0);
		break;
	case DESTINATION_ADDRESS:
		l->all = ARENA_NEW(&l->d->arena, struct candidate);
		l->all->host = arena_dup(&l->d->arena, to->name);
		l->all->is_ipv6 = to->is_ipv6;
		memcpy(l->all->address, to->address, 16);
		l->count = 1;
		break;
	case DESTINATION_UNIX:
		break;
	}
}

static void
candidates_find(struct lookup *l, const struct destination *to)
{
	struct buf key = BUF_INIT(DOMAIN_MAX + 2);

	if (to->kind == DESTINATION_ADDRESS) {
		candidates_look_up(l, to);
		return;
	}
	buf_printf(
	    &key, "%c%.*s", to->kind == DESTINATION_DOMAIN ? '@' : '[', VIEW_ARG(to->name));
	if (!memo_find(buf_view(&key), l)) {
		candidates_look_up(l, to);
		memo_keep(buf_view(&key), l);
	}
	buf_done(&key);
	forbidden_drop(l, to->name);
}

static void
endpoints_make(const struct lookup *l, uint16_t port, struct endpoints *out)
{
	out->count = l->count;
	out->all = arena_alloc(&l->d->arena, (l->count + 1) * sizeof(struct endpoint));
	for (size_t i = 0; i < l->count; i++) {
		struct endpoint *e = &out->all[i];

		endpoint_set(e, l->all[i].is_ipv6, l->all[i].address, port);
		e->host = l->all[i].host;
		e->preference = l->all[i].preference;
	}
}

struct problem *
hosts_find(struct delivery *d, struct view text, struct endpoints *out)
{
	struct lookup l = { .d = d, .ttl = UINT32_MAX };
	struct order_rules rules = order_rules();
	struct destination to;
	const char *why;
	uint16_t port;

	if (!destination_parse(text, client.options.is_lmtp, &to, &why))
		return bad_destination(d, text, why);
	d->is_cached =
	    match_list_has_name(client.cached_destinations, to.name, &why) == TABLE_FOUND;
	if (to.kind == DESTINATION_UNIX)
		return unix_endpoint(d, text, &to, out);
	if (!destination_port(to.service.n ? to.service : view_of(client.options.tcp_port),
		buf_str(&client.known_ports), &port))
		return bad_destination(d, text, "unknown port");
	l.deadline = clock_deadline(LOOKUP_TIME * client.conf->resolver_timeout);
	candidates_find(&l, &to);
	if (port == SMTP_PORT && !client.options.is_lmtp)
		out->is_own_mx = own_drop(&l, &to);
	if (l.count == 0)
		return l.problem;
	l.count = order_candidates(l.all, l.count, &rules, random_below);
	endpoints_make(&l, port, out);
	return NULL;
}
