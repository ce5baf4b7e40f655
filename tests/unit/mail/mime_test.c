/* SPDX-License-Identifier: Apache-2.0 */
/* MIME structure: what each line is, the limits, and hostile nesting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "mail/mime.h"

static const struct mime_limits limits = {
	.nesting = 100, .boundary_length = 2048, .header_size = 102400
};

/* One letter per line: H P N header, - separator, = boundary, b body. */
static char
letter(enum mime_line kind)
{
	static const char letters[] = {
		[MIME_PRIMARY_HEADER] = 'H',
		[MIME_PART_HEADER] = 'P',
		[MIME_NESTED_HEADER] = 'N',
		[MIME_SEPARATOR] = '-',
		[MIME_BOUNDARY] = '=',
		[MIME_BODY] = 'b',
	};

	return letters[kind];
}

static void
feed_text(struct mime_state *m, const char *text, struct buf *out)
{
	struct view rest = view_of(text);

	while (rest.n) {
		size_t n = view_find(rest, '\n');

		buf_append_char(out, letter(mime_feed(m, view_sub(rest, 0, n))));
		rest = view_sub(rest, n + 1, rest.n);
	}
}

static const struct {
	const char *text;
	const char *lines;
	unsigned errors;
	bool has_8bit;
} messages[] = {
	{ "From: a\nSubject: b\n c\n\nbody\n\nbody\n", "HHH-bbb", 0, false },
	{ "\nbody\n", "-b", 0, false },
	{ "", "", 0, false },
	{ "From: a\nno field\nTo: b\n", "Hbb", 0, false },
	{ " starts with a blank\nTo: b\n", "bb", 0, false },
	{ "From: a\nFrom x@y Fri\n", "Hb", 0, false },
	/* RFC 2046 5.1.1, shortened */
	{ "Content-type: multipart/mixed; boundary=\"simple boundary\"\n\npreamble\n"
	  "--simple boundary\n\nimplicit\n--simple boundary\nContent-type: text/plain\n\n"
	  "explicit\n--simple boundary--\nepilogue\n",
	    "H-b=-b=P-b=b", 0, false },
	/* folded, commented, unquoted, trailing blanks */
	{ "Content-Type: (c) multipart (d)\n / mixed ;\n charset=us-ascii;\n boundary=abc\n\n"
	  "--abc  \nX: y\n\nb\n--abc--\t\nb\n",
	    "HHHH-=P-b=b", 0, false },
	/* the whole boundary must be there */
	{ "Content-Type: multipart/mixed; boundary=abcd\n\n--abc\n--ABCD\n -–abcd\n--abcd\n\n",
	    "H-bbb=-", 8, true },
	/* boundaries with a common start: the exact one, else the inner one */
	{ "Content-Type: multipart/mixed; boundary=ab\n\n--ab\n"
	  "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--ab\n\ny\n--a\n--ab--\nz\n",
	    "H-=P-=-b=-bb=b", 0, false },
	{ "Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	  "Content-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\ny\n--a--\nz\n",
	    "H-=P-=-b=b=b", 0, false },
	/* an outer boundary ends what is inside, closed or not */
	{ "Content-Type: multipart/mixed; boundary=o\n\n--o\n"
	  "Content-Type: multipart/mixed; boundary=i\n\n--i\nA: b\n--o\n\n--i\nx\n",
	    "H-=P-=P=-bb", 0, false },
	/* nested messages */
	{ "Content-Type: message/rfc822\n\nSubject: x\n\nbody\n", "H-N-b", 0, false },
	{ "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n"
	  "Subject: x\nContent-Type: multipart/mixed; boundary=p\n\n--p\n\ny\n--o\n\nz\n",
	    "H-=P-NN-=-b=-b", 0, false },
	{ "Content-Type: multipart/digest; boundary=o\n\n--o\n\nSubject: x\n\ny\n--o\n"
	  "Content-Type: text/plain\n\nz\n--o--\n",
	    "H-=-N-b=P-b=", 0, false },
	{ "Content-Type: message/delivery-status\n\nA: b\n", "H-b", 0, false },
	/* no boundary parameter, broken types */
	{ "Content-Type: multipart/mixed\n\n--\n--x\n", "H-bb", 0, false },
	{ "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n", "H-b", 0, false },
	{ "Content-Type: multipart; boundary=x\n\n--x\n", "H-b", 0, false },
	{ "Content-Type: multipart/mixed; boundary*0=x\n\n--x\n", "H-b", 0, false },
	{ "Content-Type: multipart/mixed; boundary=\"a\\\"b\"\n\n--a\"b\n\n", "H-=-", 0,
	    false },
	/* the first of two parameters counts */
	{ "Content-Type: multipart/mixed; boundary=x; boundary=y\n\n--y\n--x\n", "H-b=", 0,
	    false },
	/* 8-bit and encodings */
	{ "Subject: \xc3\xa9\n\nx\n", "H-b", MIME_ERROR_8BIT_IN_HEADER, true },
	{ "Subject: x\n \xc3\xa9\n\nx\n", "HH-b", MIME_ERROR_8BIT_IN_HEADER, true },
	{ "Subject: x\n\n\xc3\xa9\n", "H-b", MIME_ERROR_8BIT_IN_7BIT, true },
	{ "Content-Transfer-Encoding: 8bit\n\n\xc3\xa9\n", "H-b", 0, true },
	{ "Content-Transfer-Encoding: (x) BINARY\n\n\xc3\xa9\n", "H-b", 0, true },
	{ "Content-Transfer-Encoding: base64\n\n\xc3\xa9\n", "H-b", MIME_ERROR_8BIT_IN_7BIT,
	    true },
	{ "Content-Transfer-Encoding: 8bit\nContent-Type: multipart/mixed; boundary=x\n\n"
	  "\xc3\xa9\n--x\n\n\xc3\xa9\n",
	    "HH-b=-b", MIME_ERROR_8BIT_IN_7BIT, true },
	{ "Content-Transfer-Encoding: 8bit\nContent-Type: multipart/mixed; boundary=x\n\n"
	  "--x\nContent-Transfer-Encoding: 8bit\n\n\xc3\xa9\n--x--\n\xc3\xa9\n",
	    "HH-=P-b=b", 0, true },
	{ "Content-Transfer-Encoding: base64\nContent-Type: multipart/mixed; boundary=x\n\n"
	  "--x\n\n",
	    "HH-=-", MIME_ERROR_ENCODING_DOMAIN, false },
	{ "Content-Transfer-Encoding: quoted-printable\nContent-Type: message/rfc822\n\nA: b\n",
	    "HH-b", MIME_ERROR_ENCODING_DOMAIN, false },
};

static void
structure(void **state)
{
	struct mime_state *m = mime_new(&limits);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct buf out = BUF_INIT(1000);

		mime_reset(m);
		feed_text(m, messages[i].text, &out);
		if (strcmp(buf_str(&out), messages[i].lines) != 0 ||
		    mime_errors(m) != messages[i].errors ||
		    mime_has_8bit(m) != messages[i].has_8bit)
			fail_msg("%s: %s, errors %u", messages[i].text, buf_str(&out),
			    mime_errors(m));
		buf_done(&out);
	}
	mime_free(&m);
	assert_null(m);
	mime_free(&m);
}

static void
header_size(void **state)
{
	struct mime_state *m = mime_new(&(struct mime_limits){ 10, 10, 50 });
	struct buf out = BUF_INIT(1000);

	(void)state;
	feed_text(m, "A: 1234567890\n 1234567890\n 1234567890\n", &out);
	assert_int_equal(mime_errors(m), 0);
	feed_text(m, " 12345678901\n", &out);
	assert_int_equal(mime_errors(m), MIME_ERROR_TRUNCATED_HEADER);
	/* what is beyond the limit is not seen */
	mime_reset(m);
	assert_int_equal(mime_errors(m), 0);
	feed_text(m,
	    "Content-Type: multipart/mixed;\n "
	    "                                   ; boundary=x\n\n--x\n",
	    &out);
	assert_int_equal(mime_errors(m), MIME_ERROR_TRUNCATED_HEADER);
	assert_true(view_has_suffix(buf_view(&out), VIEW("HH-b")));
	buf_done(&out);
	mime_free(&m);
}

static void
boundary_length(void **state)
{
	struct mime_state *m = mime_new(&(struct mime_limits){ 10, 4, 1000 });
	struct buf out = BUF_INIT(1000);

	(void)state;
	feed_text(
	    m, "Content-Type: multipart/mixed; boundary=abcdefgh\n\n--abc\n--abcd\n\n", &out);
	assert_string_equal(buf_str(&out), "H-b=-");
	buf_done(&out);
	mime_free(&m);
}

static void
nesting(void **state)
{
	struct mime_state *m = mime_new(&(struct mime_limits){ 3, 100, 1000 });
	nanoseconds start = clock_now();
	struct buf out = BUF_INIT(1000);

	(void)state;
	feed_text(m,
	    "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n"
	    "Content-Type: multipart/mixed; boundary=x\n\n",
	    &out);
	assert_int_equal(mime_errors(m), 0);
	feed_text(m, "--x\nContent-Type: message/rfc822\n\nA: b\n", &out);
	assert_int_equal(mime_errors(m), MIME_ERROR_NESTING);
	assert_string_equal(buf_str(&out), "H-N-N-=P-b");
	mime_free(&m);

	m = mime_new(&limits);
	for (int i = 0; i < 10000; i++) {
		struct buf text = BUF_INIT(1000);

		buf_printf(
		    &text, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
		buf_clear(&out);
		feed_text(m, buf_str(&text), &out);
		buf_done(&text);
	}
	assert_int_equal(mime_errors(m), MIME_ERROR_NESTING);
	mime_reset(m);
	buf_clear(&out);
	feed_text(m, "Content-Type: multipart/mixed; boundary=b\n\n", &out);
	for (int i = 0; i < 100000; i++) {
		buf_clear(&out);
		feed_text(m, "--b\nContent-Type: message/rfc822\n\nA: b\n\nx\n", &out);
		assert_string_equal(buf_str(&out), "=P-N-b");
	}
	assert_int_equal(mime_errors(m), 0);
	buf_done(&out);
	mime_free(&m);
	assert_true(clock_now() - start < 20 * SECOND);
}

static void
values(void **state)
{
	static const struct {
		const char *value, *type, *subtype, *boundary;
	} rows[] = {
		{ "text/plain", "text", "plain", NULL },
		{ "text/plain; boundary=x", "text", "plain", "x" },
		{ "Text / Plain ; a=b ; BOUNDARY = \"x y\"", "Text", "Plain", "x y" },
		{ "text/plain;; boundary=x;", "text", "plain", "x" },
		{ "text/plain; boundary=a=b/c?", "text", "plain", "a=b/c?" },
		{ "text/plain; a=\"boundary=no\"; boundary=yes", "text", "plain", "yes" },
		{ "text/plain (; boundary=no); boundary=yes", "text", "plain", "yes" },
		{ "text/plain; boundary=\"open", "text", "plain", NULL },
		{ "text/plain; =x; boundary=y", "text", "plain", "y" },
		{ "text/plain boundary=y", "text", "plain", NULL },
		{ "text", NULL, NULL, NULL },
		{ "/plain", NULL, NULL, NULL },
		{ "text/", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
		{ "(((", NULL, NULL, NULL },
		{ "(\\", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view value = view_of(rows[i].value);
		struct view type = VIEW_NONE, subtype = VIEW_NONE, boundary = VIEW_NONE;

		assert_int_equal(
		    mime_content_type(value, &type, &subtype), rows[i].type != NULL);
		assert_true(view_eq(type, view_of(rows[i].type)));
		assert_true(view_eq(subtype, view_of(rows[i].subtype)));
		if (mime_parameter(value, VIEW("boundary"), &boundary) !=
			(rows[i].boundary != NULL) ||
		    !view_eq(boundary, view_of(rows[i].boundary)))
			fail_msg("%s", rows[i].value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structure),
		cmocka_unit_test(header_size),
		cmocka_unit_test(boundary_length),
		cmocka_unit_test(nesting),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
