/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses from MAIL, RCPT and the command line. Whatever a parser accepts must keep the
 * promises of mail/address.h, and must come back unchanged through the printer.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/escape.h"
#include "mail/address.h"
#include "mail/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_promises(struct view address)
{
	struct view local, domain;

	address_split(address, &local, &domain);
	assert(address.n <= ADDRESS_MAX);
	assert(utf8_is_valid(address));
	for (size_t i = 0; i < address.n; i++)
		assert((unsigned char)address.p[i] >= ' ' && address.p[i] != 0x7f);
	if (address.n == 0)
		return;
	assert(local.n > 0);
	assert(local.n == address.n || domain_is_valid(domain, true));
}

static void
check_round_trip(struct view address)
{
	struct buf external = BUF_INIT(4 * ADDRESS_MAX);
	struct buf internal = BUF_INIT(4 * ADDRESS_MAX);

	address_quote(&external, address);
	assert(address_unquote(&internal, buf_view(&external)));
	assert(view_eq(buf_view(&internal), address));
	buf_done(&external);
	buf_done(&internal);
}

static void
parse_path(struct view input, unsigned flags)
{
	struct cursor c = cursor_of(input);
	struct arena arena = ARENA_INIT;
	const char *why = NULL;
	struct path path;

	if (path_parse(&c, flags, &arena, &path, &why)) {
		check_promises(path.address);
		check_round_trip(path.address);
		assert((flags & PATH_UTF8) || !path.is_utf8);
		assert(cursor_at_end(&c) || *c.p == ' ' || *c.p == '\t');
		if (path.text.n == 0)
			assert(path.address.n == 0);
	} else {
		assert(why);
	}
	arena_reset(&arena);
}

static void
decode_dsn(struct view input)
{
	struct buf out = BUF_INIT(2000);
	struct view code, rest;
	char other[DSN_SIZE];

	if (dsn_split(input, &code, &rest)) {
		assert(dsn_is_valid(code));
		dsn_with_class(code, '4', other);
		assert(dsn_is_valid(view_of(other)));
	}
	dsn_notify_print(&out, dsn_notify_parse(input));
	buf_clear(&out);
	if (xtext_decode(&out, input))
		assert(view_find(buf_view(&out), '\0') == out.len);
	buf_clear(&out);
	if (dsn_orcpt_decode(&out, input, true))
		assert(view_find(buf_view(&out), '\n') == out.len);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view input = { (const char *)data, size };
	struct buf out = BUF_INIT(5000);
	struct view user, extension;
	unsigned char binary[16];

	for (unsigned flags = 0; flags < 4; flags++)
		parse_path(input, flags);
	if (address_unquote(&out, input)) {
		check_promises(buf_view(&out));
		check_round_trip(buf_view(&out));
	}
	buf_clear(&out);
	address_quote(&out, input);
	assert(view_find(buf_view(&out), '\n') == out.len);
	assert(view_find(buf_view(&out), '\0') == out.len);
	if (hostname_is_valid(input))
		assert(domain_is_valid(input, false));
	if (domain_is_valid(input, false))
		assert(domain_is_valid(input, true));
	if (address_literal_parse(input, binary))
		assert(domain_is_valid(input, false));
	if (address_split_extension(input, "+-", &user, &extension))
		assert(user.n + 1 + extension.n == size);
	decode_dsn(input);
	buf_done(&out);
	return 0;
}
