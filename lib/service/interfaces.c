/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of an inet service: those of the host in its first column, otherwise those of
 * inet_interfaces, in the families of inet_protocols. Ports by number, by known_tcp_ports,
 * which needs no services file, or by the services file.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "service/interfaces.h"

#define SEPARATORS ", \t\r\n"

struct families {
	bool v4, v6;
};

static bool
families_read(const char *text, struct families *f, char **why)
{
	struct view rest = view_of(text), word;

	*f = (struct families){ false, false };
	while (view_next_word(&rest, SEPARATORS, &word)) {
		bool all = view_eq_nocase(word, VIEW("all"));
		bool v4 = all || view_eq_nocase(word, VIEW("ipv4"));
		bool v6 = all || view_eq_nocase(word, VIEW("ipv6"));

		if (!v4 && !v6) {
			*why =
			    mem_printf("inet_protocols = %s: expected all, ipv4, ipv6", text);
			return false;
		}
		f->v4 |= v4;
		f->v6 |= v6;
	}
	return true;
}

/* "lmtp=24, smtps=submissions=465": every name before the last = has that number. */
bool
interfaces_known_port(const char *list, struct view name, uint64_t *port)
{
	struct view rest = view_of(list), word;

	while (view_next_word(&rest, SEPARATORS, &word)) {
		size_t last = view_find_last(word, '=');
		struct view names = view_sub(word, 0, last), one;

		while (view_next_word(&names, "=", &one)) {
			if (view_eq_nocase(one, name))
				return number_parse(
				    view_sub(word, last + 1, word.n), 65535, port);
		}
	}
	return false;
}

static bool
port_find(const struct conf_values *v, const char *text, uint16_t *port, char **why)
{
	struct servent *entry;
	uint64_t number = 0;

	if (number_parse(view_of(text), 65535, &number) ||
	    interfaces_known_port(v->known_tcp_ports, view_of(text), &number)) {
		*port = htons((uint16_t)number);
	} else if ((entry = getservbyname(text, "tcp")) != NULL) {
		*port = (uint16_t)entry->s_port;
	} else {
		*why = mem_printf("port %s: neither a number nor a known service", text);
		return false;
	}
	if (*port == 0) {
		*why = mem_printf("port %s: must not be 0", text);
		return false;
	}
	return true;
}

static bool
has_family(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
add_address(
    struct interface_addresses *out, const struct sockaddr *sa, socklen_t length, uint16_t port)
{
	struct interface_address *a, fresh = { .length = length };

	memcpy(&fresh.address, sa, length);
	if (sa->sa_family == AF_INET)
		((struct sockaddr_in *)&fresh.address)->sin_port = port;
	else
		((struct sockaddr_in6 *)&fresh.address)->sin6_port = port;
	for (size_t i = 0; i < out->count; i++) {
		a = &out->all[i];
		if (a->length == length && memcmp(&a->address, &fresh.address, length) == 0)
			return; /* two names of one address */
	}
	out->all = mem_resize(out->all, out->count + 1, sizeof(*out->all));
	out->all[out->count++] = fresh;
}

static bool
add_host(struct interface_addresses *out, const struct families *f, const char *host,
    uint16_t port, char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	int result;

	hints.ai_family = f->v4 && f->v6 ? AF_UNSPEC : f->v6 ? AF_INET6 : AF_INET;
	result = getaddrinfo(host, NULL, &hints, &found);
	if (result != 0) {
		*why = mem_printf("host %s: %s", host, gai_strerror(result));
		return false;
	}
	for (struct addrinfo *a = found; a; a = a->ai_next)
		add_address(out, a->ai_addr, a->ai_addrlen, port);
	freeaddrinfo(found);
	return true;
}

static void
add_pair(struct interface_addresses *out, const struct families *f, in_addr_t v4,
    const struct in6_addr *v6, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(v4) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = *v6 };

	if (f->v4)
		add_address(out, (struct sockaddr *)&sin, sizeof(sin), port);
	if (f->v6 && has_family(AF_INET6))
		add_address(out, (struct sockaddr *)&sin6, sizeof(sin6), port);
}

bool
interfaces_find(const struct conf_values *v, const char *host, const char *port,
    struct interface_addresses *out, char **why)
{
	struct view rest = view_of(v->inet_interfaces), word;
	struct families f;
	uint16_t number;
	bool good = true;

	if (!families_read(v->inet_protocols, &f, why) || !port_find(v, port, &number, why))
		return false;
	if (host && host[0] != '\0')
		return add_host(out, &f, host, number, why);
	while (good && view_next_word(&rest, SEPARATORS, &word)) {
		char *name = mem_dup(word.p, word.n);

		if (view_eq_nocase(word, VIEW("all")))
			add_pair(out, &f, INADDR_ANY, &in6addr_any, number);
		else if (view_eq_nocase(word, VIEW("loopback-only")))
			add_pair(out, &f, INADDR_LOOPBACK, &in6addr_loopback, number);
		else
			good = add_host(out, &f, name, number, why);
		mem_free(name);
	}
	return good;
}
