/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Next hops as administrators write them in relayhost and transport tables. Brackets turn MX
 * lookups off; what stands in them may be an address, which for IPv6 has colons of its own, so
 * the service is looked for behind the closing bracket.
 */
#include "smtp/destination.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/number.h"
#include "mail/address.h"
#include "service/interfaces.h"

bool
destination_next(struct view *list, struct view *text)
{
	return view_next_word(list, ", \t\r\n", text);
}

static bool
address_parse(struct view host, struct destination *out)
{
	char text[INET6_ADDRSTRLEN];

	if (view_has_prefix_nocase(host, VIEW("ipv6:")))
		host = view_sub(host, 5, host.n);
	if (host.n == 0 || host.n >= sizeof(text) || view_find(host, '\0') < host.n)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	out->is_ipv6 = inet_pton(AF_INET6, text, out->address) == 1;
	if (!out->is_ipv6 && inet_pton(AF_INET, text, out->address) != 1)
		return false;
	out->kind = DESTINATION_ADDRESS;
	out->name = host;
	return true;
}

/* "host", "[host]", each with ":service" or without. */
static bool
split(struct view text, bool *has_brackets, struct destination *out)
{
	size_t end;

	*has_brackets = text.n > 0 && text.p[0] == '[';
	if (*has_brackets) {
		end = view_find(text, ']');
		if (end == text.n)
			return false;
		out->name = view_sub(text, 1, end - 1);
		text = view_sub(text, end + 1, text.n);
	} else {
		end = view_find_last(text, ':');
		out->name = view_sub(text, 0, end);
		text = view_sub(text, end, text.n);
	}
	if (text.n > 0 && text.p[0] != ':')
		return false;
	out->service = view_sub(text, 1, text.n);
	return text.n != 1 && out->name.n > 0;
}

bool
destination_parse(struct view text, bool is_lmtp, struct destination *out, const char **why)
{
	bool has_brackets;

	*out = (struct destination){ .kind = DESTINATION_UNIX };
	if (is_lmtp && view_has_prefix_nocase(text, VIEW("unix:"))) {
		out->name = view_sub(text, 5, text.n);
		*why = "the path of the socket is missing";
		return out->name.n > 0;
	}
	if (is_lmtp && view_has_prefix_nocase(text, VIEW("inet:")))
		text = view_sub(text, 5, text.n);
	*why = "not a host, [host], or either with :service";
	if (!split(text, &has_brackets, out))
		return false;
	if ((has_brackets || is_lmtp) && address_parse(out->name, out))
		return true;
	out->kind = has_brackets || is_lmtp ? DESTINATION_HOST : DESTINATION_DOMAIN;
	if (out->name.n > 1 && out->name.p[out->name.n - 1] == '.')
		out->name.n--;
	*why = "not a host name";
	return domain_is_valid(out->name, true) && out->name.p[0] != '[';
}

bool
destination_port(struct view service, const char *known_ports, uint16_t *port)
{
	uint64_t number = 0;

	if (!number_parse(service, 65535, &number) &&
	    !interfaces_known_port(known_ports, service, &number))
		return false;
	*port = (uint16_t)number;
	return number > 0;
}
