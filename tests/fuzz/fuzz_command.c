/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client sends: the first line as a command with its path and parameters, all of it as
 * message data. The decoder is compared with a reference that reads byte by byte, cut at places
 * that the input itself names.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/address.h"
#include "smtp/command_line.h"
#include "smtp/data_decoder.h"
#include "smtp/data_encoder.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
parse_parameters(struct cursor *c)
{
	struct esmtp_param p;
	size_t count = 0;

	while (esmtp_param_next(c, &p) == ESMTP_PARAM) {
		assert(p.keyword.n > 0);
		assert(p.has_value == (p.value.n > 0));
		assert(++count <= 100000);
	}
}

static void
parse_command(struct view line)
{
	struct command_line command = command_line_split(line);
	struct cursor c = cursor_of(command.argument);
	struct arena arena = ARENA_INIT;
	struct path path;
	const char *why;
	uint64_t n;
	bool last;

	assert(command.verb.n + command.argument.n <= line.n);
	if (bdat_parse(command.argument, 1000, &n, &last))
		assert(n <= 1000);
	if (command_take_colon_word(&c, VIEW("FROM:"), false) &&
	    path_parse(&c, PATH_UTF8, &arena, &path, &why))
		parse_parameters(&c);
	c = cursor_of(command.argument);
	parse_parameters(&c);
	arena_reset(&arena);
}

static void
check_lines(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		assert(v.p[i] != '\n' || (i > 0 && v.p[i - 1] == '\r'));
		assert(v.p[i] != '\r' || (i + 1 < v.n && v.p[i + 1] == '\n'));
	}
}

/* The end is the first CRLF.CRLF, lines are what CRLF divides. False: no end. */
static bool
reference(struct view in, struct buf *out, size_t *consumed)
{
	bool start = true;

	for (size_t i = 0; i < in.n; i++) {
		struct view rest = view_sub(in, i, in.n);
		bool stuffed = start && rest.p[0] == '.';

		*consumed = i + 3;
		if (start && view_has_prefix(rest, VIEW(".\r\n")))
			return true;
		start = view_has_prefix(rest, VIEW("\r\n"));
		i += start;
		if (start || rest.p[0] == '\n')
			buf_append_str(out, "\r\n");
		else if (!stuffed)
			buf_append_char(out, rest.p[0] == '\r' ? ' ' : rest.p[0]);
	}
	*consumed = in.n;
	return false;
}

static void
decode(struct view in)
{
	struct buf expected = BUF_INIT(1 << 22);
	struct buf got = BUF_INIT(1 << 22);
	struct data_decoder d;
	size_t consumed;
	size_t at = 0;
	bool done = reference(in, &expected, &consumed);

	data_decoder_init(&d);
	while (at < in.n && !d.done) {
		size_t piece = (unsigned char)in.p[in.n - 1 - at] % 7 + 1;

		at += data_decoder_feed(&d, view_sub(in, at, piece), &got);
	}
	assert(d.done == done);
	assert(at == consumed);
	check_lines(buf_view(&got));
	if (done)
		assert(view_eq(buf_view(&got), buf_view(&expected)));
	buf_done(&expected);
	buf_done(&got);
}

/* What the encoder sends comes back from the decoder as normalised lines. */
static void
encode(struct view in)
{
	struct buf normal = BUF_INIT(1 << 22);
	struct buf wire = BUF_INIT(1 << 22);
	struct buf back = BUF_INIT(1 << 22);
	struct line_normalizer n;
	struct data_encoder e;
	struct data_decoder d;

	line_normalizer_init(&n);
	line_normalizer_feed(&n, in, &normal);
	line_normalizer_end(&n, &normal);
	check_lines(buf_view(&normal));
	if (normal.len && !view_has_suffix(buf_view(&normal), VIEW("\r\n")))
		buf_append_str(&normal, "\r\n");
	data_encoder_init(&e);
	data_encoder_feed(&e, view_sub(in, 0, in.n / 3), &wire);
	data_encoder_feed(&e, view_sub(in, in.n / 3, in.n), &wire);
	data_encoder_end(&e, &wire);
	check_lines(buf_view(&wire));
	data_decoder_init(&d);
	assert(data_decoder_feed(&d, buf_view(&wire), &back) == wire.len);
	assert(d.done && !(d.notes & ~(unsigned)DATA_NUL));
	assert(view_eq(buf_view(&back), buf_view(&normal)));
	buf_done(&normal);
	buf_done(&wire);
	buf_done(&back);
}

static void
reply(struct view text)
{
	struct buf out = BUF_INIT(1 << 22);
	struct smtp_reply r;

	smtp_reply_parse(text, 554, "5.7.1", &r);
	assert(r.code >= 200 && r.code <= 599);
	smtp_reply_print(&out, &r, true);
	check_lines(buf_view(&out));
	assert(view_has_suffix(buf_view(&out), VIEW("\r\n")));
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = { (const char *)data, size };

	parse_command(view_sub(text, 0, view_find(text, '\n')));
	decode(text);
	encode(text);
	reply(text);
	return 0;
}
