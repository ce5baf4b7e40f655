/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains and address literals as they may stand in an address. One check for all edges, so
 * that a name which passed here needs no second look: no empty label, no leading or trailing
 * dot, no byte that means something to DNS presentation format, a path or a shell. Characters
 * that IDNA would turn into a dot or into ASCII are refused, because then the name that was
 * checked is not the name that is looked up.
 */
#include <arpa/inet.h>

#include "base/escape.h"
#include "base/mem.h"
#include "mail/address.h"

/* Not in any U-label (RFC 5892), and confusing in one way or the other. */
static const struct {
	unsigned first;
	unsigned last;
} refused[] = {
	{ 0x80, 0xa0 },     /* C1 controls, no-break space */
	{ 0xad, 0xad },     /* soft hyphen */
	{ 0x1680, 0x1680 }, /* spaces */
	{ 0x2000, 0x200b }, /* spaces, zero-width space */
	{ 0x200e, 0x206f }, /* marks, punctuation, line ends, direction, invisible operators */
	{ 0x3000, 0x3002 }, /* ideographic space, comma, full stop */
	{ 0xd800, 0xf8ff }, /* private use */
	{ 0xfdd0, 0xfdef }, /* noncharacters */
	{ 0xfe00, 0xfe6f }, /* variation selectors, small and vertical forms */
	{ 0xfeff, 0xffef }, /* byte order mark, full-width and half-width forms */
	{ 0xfff0, 0xffff }, /* specials */
	{ 0xe0000, 0x10ffff } /* tags, private use */
};

static bool
code_point_is_refused(unsigned code_point)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (code_point >= refused[i].first && code_point <= refused[i].last)
			return true;
	}
	return false;
}

static bool
label_is_valid(struct view label, bool underscore, bool utf8)
{
	bool is_ascii = true;

	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0, n = 1; i < label.n; i += n, n = 1) {
		char c = label.p[i];
		unsigned code_point;

		if (char_is_alnum(c) || c == '-' || (underscore && c == '_'))
			continue;
		if (!utf8 || (unsigned char)c < 128)
			return false;
		n = utf8_next(view_sub(label, i, label.n), &code_point);
		if (n == 0 || code_point_is_refused(code_point))
			return false;
		is_ascii = false;
	}
	/* The A-label of a longer one is measured where it is made. */
	return label.n <= LABEL_MAX || !is_ascii;
}

static bool
labels_are_valid(struct view name, bool underscore, bool utf8)
{
	if (name.n == 0 || name.n > DOMAIN_MAX)
		return false;
	for (;;) {
		size_t dot = view_find(name, '.');

		if (!label_is_valid(view_sub(name, 0, dot), underscore, utf8))
			return false;
		if (dot == name.n)
			return true;
		name = view_sub(name, dot + 1, name.n);
	}
}

bool
domain_is_valid(struct view domain, bool utf8)
{
	if (domain.n && domain.p[0] == '[')
		return address_literal_is_valid(domain);
	return labels_are_valid(domain, true, utf8);
}

bool
hostname_is_valid(struct view name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (!char_is_digit(name.p[i]) && name.p[i] != '.')
			return labels_are_valid(name, false, false);
	}
	return false;
}

bool
address_literal_is_valid(struct view literal)
{
	unsigned char ignored[16];

	return address_literal_parse(literal, ignored);
}

/*
 * inet_pton takes the strict forms only: four decimal numbers without leading zeros, and RFC
 * 4291 without zone. So "[127.1]" and "[0x7f.1]" are nothing here.
 */
bool
address_literal_parse(struct view literal, unsigned char out[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];
	unsigned char v4[4];
	bool is_v6;

	if (literal.n < 2 || literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
		return false;
	literal = view_sub(literal, 1, literal.n - 2);
	is_v6 = view_has_prefix_nocase(literal, VIEW("IPv6:"));
	if (is_v6)
		literal = view_sub(literal, 5, literal.n);
	if (literal.n == 0 || literal.n >= sizeof(text) || view_find(literal, 0) < literal.n)
		return false;
	memcpy(text, literal.p, literal.n);
	text[literal.n] = '\0';
	if (is_v6)
		return inet_pton(AF_INET6, text, out) == 1;
	if (inet_pton(AF_INET, text, v4) != 1)
		return false;
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), v4, sizeof(v4));
	return true;
}
