/* SPDX-License-Identifier: Apache-2.0 */
/* The DATA decoder against a byte-at-a-time reference, the smuggling sequences, every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "smtp/data_decoder.h"
#include "smtp/data_encoder.h"

struct result {
	struct buf out;
	size_t consumed;
	unsigned notes;
	bool done;
};

/*
 * The reference: the end is the first CRLF.CRLF (the input stands behind a CRLF), lines are
 * what CRLF divides, a leading dot goes; then what is left of bare LF and CR is replaced.
 */
static struct result
reference(struct view in)
{
	struct result r = { .out = BUF_INIT(1 << 20) };
	bool line_start = true;

	for (size_t i = 0; i < in.n;) {
		struct view rest = view_sub(in, i, in.n);

		if (line_start && view_has_prefix(rest, VIEW(".\r\n"))) {
			r.done = true;
			r.consumed = i + 3;
			return r;
		}
		if (line_start && rest.p[0] == '.') {
			line_start = false;
			i++;
			continue;
		}
		line_start = view_has_prefix(rest, VIEW("\r\n"));
		if (line_start || rest.p[0] == '\n')
			buf_append_str(&r.out, "\r\n");
		else
			buf_append_char(&r.out, rest.p[0] == '\r' ? ' ' : rest.p[0]);
		if (!line_start && rest.p[0] == '\n')
			r.notes |= DATA_BARE_LF;
		if (!line_start && rest.p[0] == '\r')
			r.notes |= DATA_BARE_CR;
		if (rest.p[0] == '\0')
			r.notes |= DATA_NUL;
		i += line_start ? 2 : 1;
	}
	r.consumed = in.n;
	return r;
}

/* Feeds pieces ending at a and b; stops at the end of data as a server does. */
static struct result
decode(struct view in, size_t a, size_t b)
{
	const size_t ends[] = { a, b, in.n };
	struct result r = { .out = BUF_INIT(1 << 20) };
	struct data_decoder d;

	data_decoder_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(ends) && !d.done; i++) {
		struct view piece = view_sub(in, r.consumed, ends[i] - r.consumed);
		size_t before = r.out.len;
		size_t n = data_decoder_feed(&d, piece, &r.out);

		assert_true(n == piece.n || d.done);
		assert_true(r.out.len - before <= 2 * n + 1);
		r.consumed += n;
	}
	r.notes = d.notes;
	r.done = d.done;
	return r;
}

static bool
is_clean(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\n' && (i == 0 || v.p[i - 1] != '\r'))
			return false;
		if (v.p[i] == '\r' && (i + 1 == v.n || v.p[i + 1] != '\n'))
			return false;
	}
	return true;
}

/*
 * in has an end of data, so nothing is held back when it stops there. Where it has none, the
 * reference reads the last bytes as if nothing followed, and only the ends are compared.
 */
static void
compare(struct view in, size_t a, size_t b)
{
	struct result expected = reference(in);
	struct result got = decode(in, a, b);

	assert_int_equal(got.done, expected.done);
	assert_int_equal(got.consumed, expected.consumed);
	if (got.done) {
		assert_int_equal(got.notes, expected.notes);
		assert_true(view_eq(buf_view(&got.out), buf_view(&expected.out)));
	}
	assert_true(is_clean(buf_view(&got.out)));
	buf_done(&got.out);
	buf_done(&expected.out);
}

static void
examples(void **state)
{
	static const struct {
		struct view in, out;
		size_t left;
		unsigned notes;
	} rows[] = {
		{ VIEW(".\r\n"), VIEW(""), 0, 0 },
		{ VIEW("a\r\n.\r\n"), VIEW("a\r\n"), 0, 0 },
		{ VIEW("a\r\n.\r\nQUIT\r\n"), VIEW("a\r\n"), 6, 0 },
		{ VIEW("..\r\n.\r\n"), VIEW(".\r\n"), 0, 0 },
		{ VIEW(".a\r\n...\r\n.\r\n"), VIEW("a\r\n..\r\n"), 0, 0 },
		{ VIEW("a.\r\n.\r\n"), VIEW("a.\r\n"), 0, 0 },
		{ VIEW("\r\n\r\n.\r\n"), VIEW("\r\n\r\n"), 0, 0 },
		{ VIEW("a\nb\r\n.\r\n"), VIEW("a\r\nb\r\n"), 0, DATA_BARE_LF },
		{ VIEW("a\rb\r\n.\r\n"), VIEW("a b\r\n"), 0, DATA_BARE_CR },
		{ VIEW("a\r\r\n.\r\n"), VIEW("a \r\n"), 0, DATA_BARE_CR },
		{ VIEW("a\0b\r\n.\r\n"), VIEW("a\0b\r\n"), 0, DATA_NUL },
		{ VIEW("a\n.b\r\n.\r\n"), VIEW("a\r\n.b\r\n"), 0, DATA_BARE_LF },
		{ VIEW("a\r\n.\r\n\0\n\r"), VIEW("a\r\n"), 3, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct result r = decode(rows[i].in, 0, 0);

		assert_true(r.done);
		assert_int_equal(rows[i].in.n - r.consumed, rows[i].left);
		assert_int_equal(r.notes, rows[i].notes);
		assert_true(view_eq(buf_view(&r.out), rows[i].out));
		buf_done(&r.out);
	}
}

/* What looks like an end of data, and how much is left behind it when it really is one. */
static const struct {
	struct view end;
	bool is_end;
	unsigned notes;
} sequences[] = {
	{ VIEW("\n.\n"), false, DATA_BARE_LF },
	{ VIEW("\n.\r\n"), false, DATA_BARE_LF },
	{ VIEW("\r\n.\n"), false, DATA_BARE_LF },
	{ VIEW("\r.\r"), false, DATA_BARE_CR },
	{ VIEW("\r.\n"), false, DATA_BARE_CR | DATA_BARE_LF },
	{ VIEW("\n.\r"), false, DATA_BARE_CR | DATA_BARE_LF },
	{ VIEW("\r.\r\n"), false, DATA_BARE_CR },
	{ VIEW("\r\n.\r"), false, DATA_BARE_CR },
	{ VIEW("\r\n.\r\r\n"), false, DATA_BARE_CR },
	{ VIEW("\r\r\n.\r\n"), true, DATA_BARE_CR },
	{ VIEW("\r\n\0.\r\n"), false, DATA_NUL },
	{ VIEW("\r\n.\0\r\n"), false, DATA_NUL },
	{ VIEW("\n\n.\r\n"), false, DATA_BARE_LF },
	{ VIEW("\r\n .\r\n"), false, 0 },
	{ VIEW("\r\n..\r\n"), false, 0 },
	{ VIEW("\r\n.\t\r\n"), false, 0 },
};

#define EVIL "MAIL FROM:<evil@x>\r\nRCPT TO:<v@x>\r\nDATA\r\nevil"

static void
smuggling(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		struct buf in = BUF_INIT(1000);
		struct view v;
		size_t first;

		buf_append_str(&in, "Subject: x\r\n\r\nbody");
		first = in.len + sequences[i].end.n;
		buf_append_view(&in, sequences[i].end);
		buf_append_str(&in, EVIL "\r\n.\r\n");
		v = buf_view(&in);
		for (size_t a = 0; a <= v.n; a++) {
			for (size_t b = a; b <= v.n; b += 1 + (b > a + 5)) {
				struct result r = decode(v, a, b);

				assert_true(r.done);
				assert_int_equal(r.consumed, sequences[i].is_end ? first : v.n);
				assert_int_equal(r.notes, sequences[i].notes);
				assert_true(is_clean(buf_view(&r.out)));
				buf_done(&r.out);
				if (b < a + 3)
					compare(v, a, b);
			}
		}
		buf_done(&in);
	}
}

/* What is sent on never ends early either: encode what was decoded and decode it again. */
static void
sending_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		struct buf in = BUF_INIT(1000);
		struct buf wire = BUF_INIT(2000);
		struct data_encoder e;
		struct result first, second;

		buf_append_view(&in, sequences[i].end);
		buf_append_str(&in, EVIL "\r\n.\r\n");
		first = decode(buf_view(&in), 0, 0);
		data_encoder_init(&e);
		data_encoder_feed(&e, buf_view(&first.out), &wire);
		data_encoder_end(&e, &wire);
		second = decode(buf_view(&wire), 0, 0);
		assert_true(second.done);
		assert_int_equal(second.consumed, wire.len);
		assert_int_equal(second.notes & ~(unsigned)DATA_NUL, 0);
		assert_true(view_eq(buf_view(&first.out), buf_view(&second.out)));
		buf_done(&first.out);
		buf_done(&second.out);
		buf_done(&in);
		buf_done(&wire);
	}
}

static void
random_inputs(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'x', '\r', '\n', '.', '\0' };

	(void)state;
	for (int round = 0; round < 100000; round++) {
		char bytes[24 + 5];
		size_t n = random_below(24);

		for (size_t i = 0; i < n; i++)
			bytes[i] = alphabet[random_below(sizeof(alphabet))];
		memcpy(bytes + n, "\r\n.\r\n", 5);
		for (size_t a = 0; a < n + 5; a += 1 + random_below(4)) {
			size_t b = a + random_below(n + 6 - a);

			compare((struct view){ bytes, n + 5 }, a, b);
		}
		compare((struct view){ bytes, n }, 0, 0);
	}
}

static void
normalizer(void **state)
{
	static const struct {
		struct view in, out;
		unsigned notes;
	} rows[] = {
		{ VIEW(""), VIEW(""), 0 },
		{ VIEW(".\r\n.x\r\n"), VIEW(".\r\n.x\r\n"), 0 },
		{ VIEW("a"), VIEW("a"), 0 },
		{ VIEW("a\nb"), VIEW("a\r\nb"), DATA_BARE_LF },
		{ VIEW("a\rb"), VIEW("a b"), DATA_BARE_CR },
		{ VIEW("a\r"), VIEW("a "), DATA_BARE_CR },
		{ VIEW("\r\r\n\n\r"), VIEW(" \r\n\r\n "), DATA_BARE_LF | DATA_BARE_CR },
		{ VIEW("\r\n.\r\nMAIL\r\n"), VIEW("\r\n.\r\nMAIL\r\n"), 0 },
		{ VIEW("a\0b"), VIEW("a\0b"), DATA_NUL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t a = 0; a <= rows[i].in.n; a++) {
			struct buf out = BUF_INIT(1000);
			struct line_normalizer n;

			line_normalizer_init(&n);
			line_normalizer_feed(&n, view_sub(rows[i].in, 0, a), &out);
			line_normalizer_feed(&n, view_sub(rows[i].in, a, 100), &out);
			line_normalizer_end(&n, &out);
			assert_true(view_eq(buf_view(&out), rows[i].out));
			assert_int_equal(n.notes, rows[i].notes);
			buf_done(&out);
		}
	}
}

/* What it takes to decode and to encode the pattern so many times. */
static nanoseconds
time_of(const char *pattern, size_t times)
{
	nanoseconds start = clock_now();
	struct buf in = BUF_INIT(20 << 20);
	struct buf out = BUF_INIT(50 << 20);
	struct data_decoder d;
	struct data_encoder e;

	for (size_t i = 0; i < times; i++)
		buf_append_str(&in, pattern);
	data_decoder_init(&d);
	assert_int_equal(data_decoder_feed(&d, buf_view(&in), &out), in.len);
	assert_false(d.done);
	buf_clear(&out);
	data_encoder_init(&e);
	data_encoder_feed(&e, buf_view(&in), &out);
	data_encoder_end(&e, &out);
	assert_true(is_clean(buf_view(&out)));
	buf_done(&in);
	buf_done(&out);
	return clock_now() - start;
}

/* Ten times as much may take thirty times as long, and some seconds on a busy machine: what is
 * not linear takes minutes. */
static void
time_is_linear(void **state)
{
	static const char *const patterns[] = { "\r", "\n", ".", "\r\n.x", "\r\r\r\r\n", "x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		nanoseconds few = time_of(patterns[i], 100000);

		assert_true(time_of(patterns[i], 1000000) < 30 * few + 10 * SECOND);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(smuggling),
		cmocka_unit_test(sending_on),
		cmocka_unit_test(random_inputs),
		cmocka_unit_test(normalizer),
		cmocka_unit_test(time_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
