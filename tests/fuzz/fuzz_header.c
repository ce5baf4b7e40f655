/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole message: its header block split, each value walked for addresses, unfolded and built
 * anew; its lines through the MIME parser and the mbox encoder.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/address.h"
#include "mail/header.h"
#include "mail/mbox.h"
#include "mail/mime.h"
#include "mail/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk_addresses(struct view value)
{
	struct header_address_walk w;
	struct header_address a;
	size_t last = 0;

	header_address_walk_init(&w, value);
	while (header_address_next(&w, &a)) {
		struct buf external = BUF_INIT(4 * ADDRESS_MAX);
		struct buf internal = BUF_INIT(4 * ADDRESS_MAX);

		assert(w.at > last && w.at <= value.n);
		last = w.at;
		assert(a.text.p >= value.p && a.text.p + a.text.n <= value.p + value.n);
		if (a.spec.n)
			assert(a.spec.p >= a.text.p && a.spec.n <= a.text.n);
		address_quote(&external, a.address);
		assert(address_unquote(&internal, buf_view(&external)));
		assert(view_eq(buf_view(&internal), a.address));
		buf_done(&external);
		buf_done(&internal);
	}
	header_address_walk_done(&w);
}

/* The value in a field of ours: one field, whose value is the same but for blanks. */
static void
rebuild(struct view value)
{
	struct buf out = BUF_INIT(1 << 22);
	struct header_field f;
	struct view block;

	header_build(&out, "X-Test", value);
	block = buf_view(&out);
	assert(header_next(&block, &f));
	assert(block.n == 0 && view_eq(f.name, VIEW("X-Test")));
	buf_clear(&out);
	header_unfold(&out, value);
	assert(view_find(buf_view(&out), '\n') == out.len);
	assert(view_find(buf_view(&out), '\r') == out.len);
	buf_done(&out);
}

static void
split_header(struct view block)
{
	struct view type, subtype, boundary;
	struct header_field f;

	header_count(block, VIEW("Received"));
	while (header_next(&block, &f)) {
		assert(f.name.n > 0);
		assert(f.value.n <= f.raw.n);
		walk_addresses(f.value);
		rebuild(f.value);
		mime_content_type(f.value, &type, &subtype);
		mime_parameter(f.value, VIEW("boundary"), &boundary);
	}
}

static void
parse_mime(struct view text)
{
	static const struct mime_limits limits = { 5, 20, 200 };
	struct mime_state *m = mime_new(&limits);
	bool seen_separator = false;

	while (text.n) {
		size_t n = view_find(text, '\n');
		enum mime_line kind = mime_feed(m, view_sub(text, 0, n));

		assert(kind != MIME_PRIMARY_HEADER || !seen_separator);
		seen_separator = seen_separator || kind != MIME_PRIMARY_HEADER;
		text = view_sub(text, n + 1, text.n);
	}
	mime_free(&m);
}

/* In one piece and in two: the same, and no line starts a message. */
static void
encode_mbox(struct view text)
{
	struct buf whole = BUF_INIT(1 << 22);
	struct buf cut = BUF_INIT(1 << 22);
	struct mbox_encoder e;
	struct view rest;

	mbox_encoder_init(&e, true);
	mbox_encoder_feed(&e, text, &whole);
	mbox_encoder_end(&e, &whole);
	mbox_encoder_feed(&e, view_sub(text, 0, text.n / 2), &cut);
	mbox_encoder_feed(&e, view_sub(text, text.n / 2, text.n), &cut);
	mbox_encoder_end(&e, &cut);
	assert(view_eq(buf_view(&whole), buf_view(&cut)));
	for (rest = buf_view(&whole); rest.n;) {
		assert(!mbox_is_from_line(rest));
		rest = view_sub(rest, view_find(rest, '\n') + 1, rest.n);
	}
	buf_done(&whole);
	buf_done(&cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = { (const char *)data, size };

	walk_addresses(text);
	rebuild(text);
	split_header(text);
	parse_mime(text);
	encode_mbox(text);
	return 0;
}
