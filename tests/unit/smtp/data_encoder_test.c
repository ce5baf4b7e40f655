/* SPDX-License-Identifier: Apache-2.0 */
/* Dot-stuffing, at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "smtp/data_encoder.h"

static void
encoding(void **state)
{
	static const struct {
		struct view in, out;
	} rows[] = {
		{ VIEW(""), VIEW(".\r\n") },
		{ VIEW("a\r\n"), VIEW("a\r\n.\r\n") },
		{ VIEW("a"), VIEW("a\r\n.\r\n") },
		{ VIEW("."), VIEW("..\r\n.\r\n") },
		{ VIEW(".\r\n"), VIEW("..\r\n.\r\n") },
		{ VIEW("..\r\n"), VIEW("...\r\n.\r\n") },
		{ VIEW("a.b\r\n.c\r\n"), VIEW("a.b\r\n..c\r\n.\r\n") },
		{ VIEW("\r\n.\r\nMAIL\r\n"), VIEW("\r\n..\r\nMAIL\r\n.\r\n") },
		{ VIEW("a\n.\nb"), VIEW("a\r\n..\r\nb\r\n.\r\n") },
		{ VIEW("a\r.\rb"), VIEW("a . b\r\n.\r\n") },
		{ VIEW("a\r\r\n"), VIEW("a \r\n.\r\n") },
		{ VIEW("a\r"), VIEW("a \r\n.\r\n") },
		{ VIEW("\r"), VIEW(" \r\n.\r\n") },
		{ VIEW("\n"), VIEW("\r\n.\r\n") },
		{ VIEW(".\n.\r\n"), VIEW("..\r\n..\r\n.\r\n") },
		{ VIEW("\0.\r\n"), VIEW("\0.\r\n.\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view in = rows[i].in;

		for (size_t a = 0; a <= in.n; a++) {
			for (size_t b = a; b <= in.n; b++) {
				struct buf out = BUF_INIT(1000);
				struct data_encoder e;

				data_encoder_init(&e);
				data_encoder_feed(&e, view_sub(in, 0, a), &out);
				data_encoder_feed(&e, view_sub(in, a, b - a), &out);
				data_encoder_feed(&e, view_sub(in, b, in.n), &out);
				data_encoder_end(&e, &out);
				assert_true(view_eq(buf_view(&out), rows[i].out));
				buf_done(&out);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(encoding) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
