/* SPDX-License-Identifier: Apache-2.0 */
/* qshape's table: which bucket an age belongs to, who is counted for whom, and the layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tools/qshape_table.h"

#define MINUTES(n) ((uint64_t)(n)*60)

/* In the order of the struct; 5 subdomains, 80 columns, 1000 domains. */
#define DEFAULTS                                                                               \
	{                                                                                      \
		10, 5, false, false, 5, 80, 1000                                               \
	}
#define FOUR                                                                                   \
	{                                                                                      \
		4, 5, false, false, 5, 80, 1000                                                \
	}
#define LINEAR(buckets, tick)                                                                  \
	{                                                                                      \
		buckets, tick, true, false, 5, 80, 1000                                        \
	}
#define DOUBLING(buckets, tick)                                                                \
	{                                                                                      \
		buckets, tick, false, false, 5, 80, 1000                                       \
	}
#define PARENTS(subdomains)                                                                    \
	{                                                                                      \
		4, 5, false, true, subdomains, 80, 1000                                        \
	}

static void
ages_and_buckets(void **state)
{
	(void)state;
	static const struct qshape_shape doubling = DEFAULTS;
	static const struct qshape_shape linear = LINEAR(10, 5);
	static const struct qshape_shape only_one = DOUBLING(1, 5);
	static const struct qshape_shape largest =
	    DOUBLING(QSHAPE_DOUBLES_MAX, QSHAPE_TICK_MAX);
	static const struct {
		const struct qshape_shape *shape;
		uint64_t age;
		unsigned bucket;
	} rows[] = {
		{ &doubling, 0, 0 },
		{ &doubling, MINUTES(5) - 1, 0 },
		{ &doubling, MINUTES(5), 1 },
		{ &doubling, MINUTES(10) - 1, 1 },
		{ &doubling, MINUTES(10), 2 },
		{ &doubling, MINUTES(20), 3 },
		{ &doubling, MINUTES(640), 8 },
		{ &doubling, MINUTES(1280) - 1, 8 },
		{ &doubling, MINUTES(1280), 9 },
		{ &doubling, UINT64_MAX, 9 },
		{ &linear, MINUTES(5) - 1, 0 },
		{ &linear, MINUTES(5), 1 },
		{ &linear, MINUTES(20) - 1, 3 },
		{ &linear, MINUTES(44), 8 },
		{ &linear, MINUTES(45), 9 },
		{ &linear, MINUTES(4500), 9 },
		{ &only_one, 0, 0 },
		{ &only_one, MINUTES(1000), 0 },
		{ &largest, MINUTES(1000000) - 1, 0 },
		{ &largest, MINUTES(3000000), 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(qshape_bucket(rows[i].shape, rows[i].age), rows[i].bucket);
}

/* ---- tables ---- */

#define MAIL_MAX 12

/* A line is written as the name, which stands right in name_width columns, and the rest. */
struct line {
	const char *name, *rest;
};

struct table_case {
	struct qshape_shape shape;
	uint64_t top;
	struct {
		const char *address;
		uint64_t age;
	} mail[MAIL_MAX];
	int name_width;
	struct line lines[MAIL_MAX];
};

static void
check(const struct table_case *c)
{
	struct qshape_table *t = qshape_table_new(&c->shape);
	struct buf out = BUF_INIT(100000), expected = BUF_INIT(100000);

	for (size_t i = 0; i < MAIL_MAX && c->mail[i].address; i++)
		qshape_table_add(t, view_of(c->mail[i].address), c->mail[i].age);
	qshape_table_print(t, c->top, &out);
	for (size_t i = 0; i < MAIL_MAX && c->lines[i].name; i++)
		buf_printf(
		    &expected, "%*s%s\n", c->name_width, c->lines[i].name, c->lines[i].rest);
	assert_string_equal(buf_str(&out), buf_str(&expected));
	buf_done(&expected);
	buf_done(&out);
	qshape_table_free(&t);
}

/* Three columns for a number, one more than the title where that is longer: 16 of the 80. */
static void
nothing(void **state)
{
	(void)state;
	static const struct table_case c = {
		FOUR,
		0,
		{ { NULL, 0 } },
		64,
		{
		    { "", "  T  5 10 20 20+" },
		    { "TOTAL", "  0  0  0  0   0" },
		},
	};

	check(&c);
}

static void
titles(void **state)
{
	(void)state;
	static const struct table_case doubling = {
		DEFAULTS,
		0,
		{ { NULL, 0 } },
		39,
		{
		    { "", "  T  5 10 20 40 80 160 320 640 1280 1280+" },
		    { "TOTAL", "  0  0  0  0  0  0   0   0   0    0     0" },
		},
	};
	static const struct table_case linear = {
		LINEAR(4, 60),
		0,
		{ { NULL, 0 } },
		61,
		{
		    { "", "  T 60 120 180 180+" },
		    { "TOTAL", "  0  0   0   0    0" },
		},
	};
	static const struct table_case only_one = {
		{ 1, 5, false, false, 5, 100, 1000 },
		0,
		{ { NULL, 0 } },
		94,
		{ { "", "  T 0+" }, { "TOTAL", "  0  0" } },
	};

	check(&doubling);
	check(&linear);
	check(&only_one);
}

static void
domains(void **state)
{
	(void)state;
	static const struct table_case c = {
		FOUR,
		0,
		{
		    { "a@two.example", MINUTES(1) },
		    { "b@TWO.example", MINUTES(30) },
		    { "a@long.one.example", MINUTES(5) },
		    { "a@b@one.example", MINUTES(15) },
		    { "\"x@y\"@.three..example.", MINUTES(7) },
		    { "", MINUTES(19) },
		    { "Postmaster", 0 },
		    { "a@[192.0.2.1]", MINUTES(20) },
		},
		64,
		/* most first, then the shorter, then by name */
		{
		    { "", "  T  5 10 20 20+" },
		    { "TOTAL", "  8  2  2  2   2" },
		    { "two.example", "  2  1  0  0   1" },
		    { "postmaster", "  1  1  0  0   0" },
		    { "[192.0.2.1]", "  1  0  0  0   1" },
		    { "one.example", "  1  0  0  1   0" },
		    { "MAILER-DAEMON", "  1  0  0  1   0" },
		    { "three.example", "  1  0  1  0   0" },
		    { "long.one.example", "  1  0  1  0   0" },
		},
	};
	struct table_case first_two = c;

	check(&c);
	first_two.top = 2;
	first_two.lines[4].name = NULL;
	check(&first_two);
}

/*
 * .example.com has a, b and .a below it; .a.example.com has two; .example.org has one, which
 * is too few, however often it is seen. There is no .com.
 */
static void
parents(void **state)
{
	(void)state;
	static const struct table_case c = {
		PARENTS(2),
		0,
		{
		    { "1@example.com", 0 },
		    { "1@a.example.com", MINUTES(5) },
		    { "1@b.example.com", MINUTES(10) },
		    { "1@x.a.example.com", MINUTES(20) },
		    { "1@y.a.example.com", MINUTES(40) },
		    { "1@a.example.org", 0 },
		    { "2@a.example.org", 0 },
		    { "1@[192.0.2.1]", 0 },
		},
		64,
		{
		    { "", "  T  5 10 20 20+" },
		    { "TOTAL", "  8  4  1  1   2" },
		    { ".example.com", "  4  0  1  1   2" },
		    { "a.example.org", "  2  2  0  0   0" },
		    { ".a.example.com", "  2  0  0  0   2" },
		    { "[192.0.2.1]", "  1  1  0  0   0" },
		    { "example.com", "  1  1  0  0   0" },
		    { "a.example.com", "  1  0  1  0   0" },
		    { "b.example.com", "  1  0  0  1   0" },
		    { "x.a.example.com", "  1  0  0  0   1" },
		    { "y.a.example.com", "  1  0  0  0   1" },
		},
	};
	struct table_case three = c;

	check(&c);
	/* .a.example.com is gone, .example.com stays */
	three.shape.subdomains = 3;
	for (size_t i = 4; i + 1 < MAIL_MAX; i++)
		three.lines[i] = three.lines[i + 1];
	check(&three);
}

/* 21 buckets of five columns and more: nothing is left of 80, and the name has 18 all the same.
 */
static void
long_names(void **state)
{
	(void)state;
	static const struct qshape_shape shape = { 21, 1000, true, true, 1, 80, 1000 };
	struct qshape_table *t = qshape_table_new(&shape);
	struct buf out = BUF_INIT(100000);

	qshape_table_add(t, VIEW("a@x.0123456789abcdef.example"), 0);
	qshape_table_print(t, 0, &out);
	assert_non_null(strstr(buf_str(&out), "\n             TOTAL  1    1    0"));
	assert_non_null(strstr(buf_str(&out), "\n+789abcdef.example  1    1    0"));
	assert_non_null(strstr(buf_str(&out), "\n.+89abcdef.example  1    1    0"));
	buf_done(&out);
	qshape_table_free(&t);
}

/* 100 messages make the column of T and of the first bucket four wide. */
static void
columns_grow(void **state)
{
	(void)state;
	static const struct qshape_shape shape = FOUR;
	struct qshape_table *t = qshape_table_new(&shape);
	struct buf out = BUF_INIT(100000), expected = BUF_INIT(1000);

	for (unsigned i = 0; i < 100; i++)
		qshape_table_add(t, VIEW("a@one.example"), 0);
	qshape_table_print(t, 0, &out);
	buf_printf(&expected, "%62s   T   5 10 20 20+\n", "");
	buf_printf(&expected, "%62s 100 100  0  0   0\n", "TOTAL");
	buf_printf(&expected, "%62s 100 100  0  0   0\n", "one.example");
	assert_string_equal(buf_str(&out), buf_str(&expected));
	buf_done(&expected);
	buf_done(&out);
	qshape_table_free(&t);
}

static void
too_many_domains(void **state)
{
	(void)state;
	static const struct table_case c = {
		{ 4, 5, false, false, 5, 80, 2 },
		0,
		{
		    { "a@one.example", 0 },
		    { "a@two.example", 0 },
		    { "a@three.example", 0 },
		    { "a@one.example", 0 },
		    { "a@four.example", 0 },
		},
		64,
		{
		    { "", "  T  5 10 20 20+" },
		    { "TOTAL", "  5  5  0  0   0" },
		    { "one.example", "  2  2  0  0   0" },
		    { "two.example", "  1  1  0  0   0" },
		},
	};
	struct qshape_table *t = qshape_table_new(&c.shape);

	check(&c);
	for (size_t i = 0; c.mail[i].address; i++)
		qshape_table_add(t, view_of(c.mail[i].address), 0);
	assert_int_equal(qshape_table_left_out(t), 2);
	qshape_table_free(&t);
}

/* What a sender chose does not reach the terminal as it is, nor does it take all memory. */
static void
odd_names(void **state)
{
	(void)state;
	static const struct qshape_shape shape = PARENTS(2);
	static const char *const odd[] = { "@", "@.", "@..", ".", "a@.a", "a@a.", "a@\x1b[2J" };
	struct qshape_table *t = qshape_table_new(&shape);
	struct buf out = BUF_INIT(100000);
	char long_name[3000];

	memset(long_name, 'd', sizeof(long_name));
	long_name[1] = '@';
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		qshape_table_add(t, view_of(odd[i]), 0);
	qshape_table_add(t, (struct view){ long_name, sizeof(long_name) }, 0);
	qshape_table_print(t, 0, &out);
	assert_null(strchr(buf_str(&out), '\x1b'));
	assert_non_null(strstr(buf_str(&out), "TOTAL  8  8  0  0   0\n"));
	assert_non_null(strstr(buf_str(&out), " a  2  2  0  0   0\n"));
	buf_done(&out);
	qshape_table_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages_and_buckets),
		cmocka_unit_test(nothing),
		cmocka_unit_test(titles),
		cmocka_unit_test(domains),
		cmocka_unit_test(parents),
		cmocka_unit_test(long_names),
		cmocka_unit_test(columns_grow),
		cmocka_unit_test(too_many_domains),
		cmocka_unit_test(odd_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
