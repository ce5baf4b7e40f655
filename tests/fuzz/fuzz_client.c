/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the SMTP client reads and writes: replies and offers of a server, next hops, and the
 * conversions that a message goes through, whole and in two pieces.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/escape.h"
#include "mail/to_7bit.h"
#include "smtp/destination.h"
#include "smtp/ehlo.h"
#include "smtp/line_folder.h"
#include "smtp/server_reply.h"

#define FOLD_LIMIT 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reply(const struct server_reply *r)
{
	struct buf shown = BUF_INIT(10000);
	struct view rest = buf_view(&r->lines_text), text;
	struct ehlo e = { 0 };
	char dsn[DSN_SIZE];

	assert(r->code >= 200 && r->code <= 599);
	server_reply_dsn(r, dsn);
	assert(dsn[0] == '0' + server_reply_class(r));
	assert(dsn[0] == '3' || dsn_is_valid(view_of(dsn)));
	server_reply_print(r, &shown);
	assert(shown.len <= SERVER_REPLY_SHOWN_MAX);
	for (size_t i = 0; i < shown.len; i++)
		assert((unsigned char)shown.data[i] >= ' ' && shown.data[i] != 0x7f);
	while (server_reply_next(&rest, &text))
		ehlo_line(&e, text);
	buf_done(&shown);
}

static void
read_replies(struct view text)
{
	struct server_reply r;

	server_reply_init(&r);
	while (text.n) {
		size_t n = view_find(text, '\n');
		enum server_reply_result result = server_reply_feed(&r, view_sub(text, 0, n));

		if (result == SERVER_REPLY_DONE)
			check_reply(&r);
		if (result != SERVER_REPLY_MORE)
			server_reply_clear(&r);
		text = view_sub(text, n + 1, text.n);
	}
	server_reply_done(&r);
}

static void
read_destinations(struct view list)
{
	struct view text;

	while (destination_next(&list, &text)) {
		struct destination to;
		const char *why = NULL;
		uint16_t port;

		for (int is_lmtp = 0; is_lmtp < 2; is_lmtp++) {
			if (!destination_parse(text, is_lmtp, &to, &why))
				assert(why);
			else
				assert(to.name.n > 0);
		}
		(void)destination_port(text, "smtp=25, a=b=26", &port);
	}
}

static void
convert(struct view text, size_t cut, struct buf *out)
{
	static const struct mime_limits limits = { 5, 20, 200 };
	struct to_7bit *t = to_7bit_new(&limits);

	to_7bit_scan(t, view_sub(text, 0, cut));
	to_7bit_scan(t, view_sub(text, cut, text.n));
	to_7bit_start(t);
	to_7bit_feed(t, view_sub(text, 0, cut), out);
	to_7bit_feed(t, view_sub(text, cut, text.n), out);
	to_7bit_end(t, out);
	to_7bit_free(&t);
}

static bool
has_wire_lines(struct view text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((text.p[i] == '\n') != (i > 0 && text.p[i - 1] == '\r'))
			return false;
	return text.n == 0 || text.p[text.n - 1] != '\r';
}

/* Then a label may change though no text does. */
static bool
has_label(struct view text)
{
	for (; text.n > 0; text = view_sub(text, 1, text.n))
		if (view_has_prefix_nocase(text, VIEW("Content-Transfer-Encoding")))
			return true;
	return false;
}

static void
to_7bit(struct view text)
{
	struct buf whole = BUF_INIT(1 << 24), cut = BUF_INIT(1 << 24);

	convert(text, text.n, &whole);
	convert(text, text.n / 2, &cut);
	assert(view_eq(buf_view(&whole), buf_view(&cut)));
	if (has_wire_lines(text) && ascii_is_all(text) && !has_label(text))
		assert(view_eq(buf_view(&whole), text));
	buf_done(&whole);
	buf_done(&cut);
}

static void
fold(struct view text)
{
	struct buf out = BUF_INIT(1 << 24);
	struct line_folder f;
	size_t line = 0;

	line_folder_init(&f, FOLD_LIMIT);
	line_folder_feed(&f, view_sub(text, 0, text.n / 3), &out);
	line_folder_feed(&f, view_sub(text, text.n / 3, text.n), &out);
	for (size_t i = 0; i < out.len; i++) {
		line = out.data[i] == '\n' ? 0 : line + 1;
		/* CR, and a stray one where a piece ended. */
		assert(line <= FOLD_LIMIT + 2);
	}
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = { (const char *)data, size };

	read_replies(text);
	read_destinations(text);
	to_7bit(text);
	fold(text);
	return 0;
}
