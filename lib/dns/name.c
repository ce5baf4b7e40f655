/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names go through here on their way in and out, so that nobody behind has to look at their
 * bytes again. Compression pointers are followed in a loop that must come nearer to the front
 * of the packet with each step, so that no packet keeps us busy.
 */
#include "dns/name.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/idn.h"
#include "base/number.h"

#define LABEL_MAX    63
#define POINTER_BITS 0xc0u

static bool
byte_is_taken(char c)
{
	return c > ' ' && c < 127 && !strchr("\"\\();@$<>,", c);
}

static bool
label_is_valid(struct view label)
{
	if (label.n == 0 || label.n > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!byte_is_taken(label.p[i]))
			return false;
	return true;
}

bool
dns_name_is_valid(struct view name)
{
	if (name.n == 0)
		return true;
	if (name.n > DNS_NAME_MAX)
		return false;
	for (;;) {
		size_t dot = view_find(name, '.');

		if (!label_is_valid(view_sub(name, 0, dot)))
			return false;
		if (dot == name.n)
			return true;
		name = view_sub(name, dot + 1, name.n);
	}
}

static void
name_set(struct dns_name *out, struct view text)
{
	memcpy(out->text, text.p, text.n);
	out->text[text.n] = '\0';
	out->n = text.n;
}

bool
dns_name_from_text(struct view text, struct dns_name *out)
{
	struct buf ascii = BUF_INIT(DNS_NAME_MAX);
	bool ok = true;

	if (text.n == 0)
		return false;
	if (text.p[text.n - 1] == '.')
		text.n--;
	if (!ascii_is_all(text)) {
		ok = idn_to_ascii(text, &ascii);
		text = buf_view(&ascii);
	}
	ok = ok && dns_name_is_valid(text);
	if (ok)
		name_set(out, text);
	buf_done(&ascii);
	return ok;
}

/* One label behind those that are there; false: it cannot be part of a name that we take. */
static bool
append_label(struct dns_name *out, struct view label)
{
	size_t dot = out->n > 0;

	if (!label_is_valid(label) || view_find(label, '.') < label.n ||
	    out->n + dot + label.n > DNS_NAME_MAX)
		return false;
	if (dot)
		out->text[out->n++] = '.';
	memcpy(out->text + out->n, label.p, label.n);
	out->n += label.n;
	return true;
}

bool
dns_name_take(struct view packet, struct cursor *c, struct dns_name *out)
{
	struct cursor at = *c; /* reads the labels, here or where a pointer led to */
	size_t lowest = (size_t)(c->p - packet.p);
	struct dns_name name = { 0 };
	bool jumped = false, taken = true, lost = false;
	unsigned length;

	while ((length = cursor_u8(&at)) != 0) {
		if ((length & POINTER_BITS) == 0) {
			struct view label = cursor_take_n(&at, length);

			taken = taken && append_label(&name, label);
			continue;
		}
		length = (length & ~POINTER_BITS) << 8 | cursor_u8(&at);
		if (!jumped)
			*c = at;
		jumped = true;
		if (at.failed || length >= lowest) {
			lost = true;
			break;
		}
		lowest = length;
		at = cursor_of(view_sub(packet, length, packet.n));
	}
	if (at.failed || lost) {
		cursor_fail(c);
		return false;
	}
	if (!jumped)
		*c = at;
	if (!taken)
		return false;
	name.text[name.n] = '\0';
	*out = name;
	return true;
}

void
dns_name_of_address(int family, const unsigned char *address, struct dns_name *out)
{
	size_t n = 0;

	if (family == AF_INET) {
		n = (size_t)snprintf(out->text, sizeof(out->text), "%u.%u.%u.%u.in-addr.arpa",
		    address[3], address[2], address[1], address[0]);
	} else {
		for (int i = 15; i >= 0; i--)
			n += (size_t)snprintf(out->text + n, sizeof(out->text) - n, "%x.%x.",
			    address[i] & 15u, address[i] >> 4);
		n += (size_t)snprintf(out->text + n, sizeof(out->text) - n, "ip6.arpa");
	}
	out->n = n;
}

static bool
take_octet(struct view *rest, unsigned char *out)
{
	size_t dot = view_find(*rest, '.');
	uint64_t value;

	if (!number_parse(view_sub(*rest, 0, dot), 255, &value))
		return false;
	*out = (unsigned char)value;
	*rest = view_sub(*rest, dot + 1, rest->n);
	return true;
}

/* "b.a." is the octet 0xab. */
static bool
take_nibbles(struct view *rest, unsigned char *out)
{
	int low, high;

	if (rest->n < 4 || rest->p[1] != '.' || rest->p[3] != '.')
		return false;
	low = number_hex_digit(rest->p[0]);
	high = number_hex_digit(rest->p[2]);
	if (low < 0 || high < 0)
		return false;
	*out = (unsigned char)(high << 4 | low);
	*rest = view_sub(*rest, 4, rest->n);
	return true;
}

bool
dns_name_to_address(struct view name, int *family, unsigned char address[16])
{
	bool is_v4 = view_has_suffix_nocase(name, VIEW(".in-addr.arpa"));

	if (!is_v4 && !view_has_suffix_nocase(name, VIEW(".ip6.arpa")))
		return false;
	for (int i = is_v4 ? 3 : 15; i >= 0; i--)
		if (!(is_v4 ? take_octet(&name, address + i)
			    : take_nibbles(&name, address + i)))
			return false;
	*family = is_v4 ? AF_INET : AF_INET6;
	return view_eq_nocase(name, is_v4 ? VIEW("in-addr.arpa") : VIEW("ip6.arpa"));
}
