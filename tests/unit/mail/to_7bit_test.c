/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit parts become quoted-printable, and nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/to_7bit.h"

static const struct mime_limits limits = { 20, 70, 10000 };

static void
convert(const char *in, size_t piece, struct buf *out)
{
	struct to_7bit *t = to_7bit_new(&limits);
	struct view all = view_of(in);

	for (size_t at = 0; at < all.n; at += piece)
		to_7bit_scan(t, view_sub(all, at, piece));
	to_7bit_start(t);
	for (size_t at = 0; at < all.n; at += piece)
		to_7bit_feed(t, view_sub(all, at, piece), out);
	to_7bit_end(t, out);
	to_7bit_free(&t);
}

static const struct {
	const char *in, *out;
} rows[] = {
	/* plain, with its label */
	{ "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n\r\ngr\xc3\xbc\xc3\x9f=e "
	  "\r\nend\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nSubject: x\r\n"
	    "Content-Transfer-Encoding: "
	    "quoted-printable\r\n\r\ngr=C3=BC=C3=9F=3De=20\r\nend\r\n" },
	/* no label at all */
	{ "Subject: x\r\n\r\n\xe4\r\n",
	    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
	    "charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n" },
	/* nothing to do: every byte stays, trailing blanks and odd labels too */
	{ "Content-Transfer-Encoding:\r\n  8BIT\r\n\r\na \r\n=\r\n",
	    "Content-Transfer-Encoding:\r\n  8BIT\r\n\r\na \r\n=\r\n" },
	/* encoded already, though with bytes it may not have */
	{ "Content-Transfer-Encoding: base64\r\n\r\nYWJj\xe4\r\n",
	    "Content-Transfer-Encoding: base64\r\n\r\nYWJj\xe4\r\n" },
	/* only the parts that need it, and the label of the whole */
	{ "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	  "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n--b\r\n"
	  "Content-Transfer-Encoding: 8bit\r\n\r\nplain \r\n--b\r\n"
	  "Content-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\nX-Last: 1\r\n\r\n"
	  "\xc3\xa4\r\n--b--\r\nepilogue = \r\n",
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n--b\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nplain \r\n--b\r\n"
	    "Content-Type: text/html\r\nX-Last: 1\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4\r\n--b--\r\nepilogue = "
	    "\r\n" },
	/* a part without any header */
	{ "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
	  "\xe4\r\n--b--\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n--b--\r\n" },
	/* a message in a message */
	{ "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: "
	  "8bit\r\n"
	  "\r\nSubject: inner\r\nContent-Type: text/plain\r\n\r\n\xe4\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: "
	    "7bit\r\n"
	    "\r\nSubject: inner\r\nContent-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n" },
	/* multipart in multipart; a boundary of the outer one ends the inner */
	{ "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
	  "Content-Type: multipart/alternative; "
	  "boundary=i\r\n\r\n--i\r\n\r\n\xe4\r\n--i\r\n\r\nasc\r\n"
	  "--o\r\nContent-Type: text/plain\r\n\r\n\xe5\r\n--o--\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
	    "Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n--i\r\n\r\nasc\r\n"
	    "--o\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
	    "quoted-printable\r\n\r\n"
	    "=E5\r\n--o--\r\n" },
	/* no line end at the end */
	{ "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\xe4 ",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4=20" },
	/* bytes above 127 in a header are not ours to change */
	{ "Subject: \xe4\r\n\r\nx\r\n", "Subject: \xe4\r\n\r\nx\r\n" },
	/* a header that ends in the middle */
	{ "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit",
	    "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit" },
	{ "", "" },
};

static void
conversions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 200; piece += 13) {
			struct buf out = BUF_INIT(10000);

			convert(rows[i].in, piece, &out);
			assert_string_equal(buf_str(&out), rows[i].out);
			buf_done(&out);
		}
}

/* Lines of 76 at most, and decoding gives back what was there. */
static void
long_lines(void **state)
{
	struct buf in = BUF_INIT(1000000), out = BUF_INIT(4000000), text = BUF_INIT(1000000);
	const char *p, *body;
	size_t line = 0;

	(void)state;
	buf_append_str(&in, "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n");
	for (int i = 0; i < 200000; i++)
		buf_append_char(&in, (char)(i % 7 == 0 ? 0xe4 : 'a' + i % 26));
	buf_append_str(&in, "\r\n");
	convert(buf_str(&in), 5000, &out);
	body = strstr(buf_str(&out), "\r\n\r\n") + 4;
	for (p = body; *p; p++) {
		line = *p == '\n' ? 0 : line + 1;
		assert_true(line <= 77 && (unsigned char)*p < 0x80);
		if (strncmp(p, "=\r\n", 3) == 0) {
			p += 2;
			line = 0;
		} else if (strncmp(p, "=E4", 3) == 0) {
			p += 2;
			buf_append_char(&text, (char)0xe4);
		} else {
			buf_append_char(&text, *p);
		}
	}
	assert_string_equal(buf_str(&text), strstr(buf_str(&in), "\r\n\r\n") + 4);
	buf_done(&in);
	buf_done(&out);
	buf_done(&text);
}

/* More parts than are remembered: the rest is encoded, to be on the safe side. */
static void
many_parts(void **state)
{
	struct buf in = BUF_INIT(1000000), out = BUF_INIT(4000000);

	(void)state;
	buf_append_str(
	    &in, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < TO_7BIT_PARTS_MAX + 10; i++)
		buf_append_str(&in, "--b\r\n\r\nx\r\n");
	buf_append_str(&in, "--b\r\n\r\n\xe4\r\n--b--\r\n");
	convert(buf_str(&in), 4096, &out);
	for (size_t i = 0; i < out.len; i++)
		assert_true((unsigned char)out.data[i] < 0x80);
	buf_done(&in);
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(many_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
