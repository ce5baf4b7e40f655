/* SPDX-License-Identifier: Apache-2.0 */
/* Whole answers: aliases, results, limits, and records that are not what they claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dns/name.h"
#include "dns/packet.h"

#define TTL 300

static struct buf packet = BUF_INIT(1 << 20);
static unsigned answers;
static struct arena arena;
static struct dns_answer answer;

static void
put_name(struct buf *out, const char *text)
{
	struct view rest = view_of(text), label;

	while (view_next_word(&rest, ".", &label)) {
		buf_append_char(out, (char)label.n);
		buf_append_view(out, label);
	}
	buf_append_char(out, 0);
}

static void
start(unsigned rcode)
{
	buf_clear(&packet);
	answers = 0;
	buf_append_u16(&packet, 0x1234);
	buf_append_u16(&packet, (uint16_t)(0x8180 | rcode));
	buf_append_u16(&packet, 1);
	buf_append_u32(&packet, 0);
	buf_append_u16(&packet, 0);
	put_name(&packet, "example.test");
	buf_append_u32(&packet, 0x00010001);
}

static void
add_raw(const char *owner, unsigned type, unsigned class, uint32_t ttl, struct view data)
{
	put_name(&packet, owner);
	buf_append_u16(&packet, (uint16_t)type);
	buf_append_u16(&packet, (uint16_t) class);
	buf_append_u32(&packet, ttl);
	buf_append_u16(&packet, (uint16_t)data.n);
	buf_append_view(&packet, data);
	answers++;
	packet.data[6] = (char)(answers >> 8);
	packet.data[7] = (char)answers;
}

static void
add(const char *owner, unsigned type, const char *data, size_t n)
{
	add_raw(owner, type, 1, TTL, (struct view){ data, n });
}

static void
add_alias(const char *owner, const char *target)
{
	struct buf data = BUF_INIT(300);

	put_name(&data, target);
	add_raw(owner, DNS_CNAME, 1, TTL, buf_view(&data));
	buf_done(&data);
}

static const struct dns_answer *
parse(enum dns_type type)
{
	arena_reset(&arena);
	answer = (struct dns_answer){ 0 };
	dns_packet_parse(buf_view(&packet), VIEW("example.test"), type, &arena, &answer);
	return &answer;
}

#define ADD(owner, type, data) add(owner, type, data, sizeof(data) - 1)

static void
every_type(void **state)
{
	const struct dns_answer *a;

	(void)state;
	start(0);
	ADD("EXAMPLE.test", DNS_A, "\300\0\2\1");
	ADD("example.test", DNS_AAAA, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7");
	ADD("example.test", DNS_MX, "\0\12\2mx\xc0\14"); /* a pointer into the question */
	ADD("example.test", DNS_TXT, "\3abc\0\2\nd");
	ADD("example.test", DNS_SRV, "\0\1\0\2\0\31\2mx\xc0\14");
	ADD("example.test", DNS_TLSA, "\3\1\1\xff\0\1");
	ADD("example.test", DNS_NS, "\2ns\xc0\14");
	ADD("example.test", DNS_PTR, "\4host\0");
	a = parse(DNS_A);
	assert_int_equal(a->result, DNS_FOUND);
	assert_int_equal(a->count, 1);
	assert_int_equal(a->records[0].ttl, TTL);
	assert_memory_equal(a->records[0].address, "\300\0\2\1", 4);
	a = parse(DNS_AAAA);
	assert_int_equal(a->records[0].address[15], 7);
	a = parse(DNS_MX);
	assert_int_equal(a->records[0].preference, 10);
	assert_true(view_eq(a->records[0].name, VIEW("mx.example.test")));
	a = parse(DNS_TXT);
	assert_true(view_eq(a->records[0].data, VIEW("abc?d")));
	a = parse(DNS_SRV);
	assert_int_equal(a->records[0].preference, 1);
	assert_int_equal(a->records[0].weight, 2);
	assert_int_equal(a->records[0].port, 25);
	a = parse(DNS_TLSA);
	assert_int_equal(a->records[0].usage, 3);
	assert_true(view_eq(a->records[0].data, ((struct view){ "\xff\0\1", 3 })));
	a = parse(DNS_NS);
	assert_true(view_eq(a->records[0].name, VIEW("ns.example.test")));
	a = parse(DNS_PTR);
	assert_true(view_eq(a->records[0].name, VIEW("host")));
	assert_int_equal(parse(DNS_CNAME)->result, DNS_NO_DATA);
}

static void
results(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(parse(DNS_A)->result, DNS_NO_DATA);
	assert_string_equal(answer.why, "Host found but no data record of requested type");
	start(3);
	assert_int_equal(parse(DNS_A)->result, DNS_NO_SUCH_NAME);
	assert_string_equal(answer.why, "Host not found");
	start(2);
	ADD("example.test", DNS_A, "\1\2\3\4");
	assert_int_equal(parse(DNS_A)->result, DNS_TRY_AGAIN);
	assert_int_equal(answer.count, 0);
	assert_string_equal(answer.why, "Host not found, try again");
	start(0); /* records of others, of another class and type */
	ADD("other.test", DNS_A, "\1\2\3\4");
	add_raw("example.test", DNS_A, 3, TTL, VIEW("\1\2\3\4"));
	ADD("example.test", DNS_MX, "\0\0\0");
	assert_int_equal(parse(DNS_A)->result, DNS_NO_DATA);
}

static void
aliases(void **state)
{
	char from[32], to[32];

	(void)state;
	start(0); /* not in order */
	add_raw("b.test", DNS_A, 1, 7, VIEW("\1\2\3\4"));
	add_alias("a.test", "b.test");
	add_alias("example.test", "a.test");
	assert_int_equal(parse(DNS_A)->result, DNS_FOUND);
	assert_true(view_eq(answer.name, VIEW("b.test")));
	assert_int_equal(answer.records[0].ttl, 7);
	assert_int_equal(parse(DNS_MX)->result, DNS_NO_DATA);
	assert_int_equal(parse(DNS_CNAME)->count, 1);
	start(3); /* to a name that does not exist */
	add_alias("example.test", "gone.test");
	assert_int_equal(parse(DNS_A)->result, DNS_NO_SUCH_NAME);
	start(0);
	add_alias("example.test", "a.test");
	add_alias("a.test", "example.test");
	assert_int_equal(parse(DNS_A)->result, DNS_TRY_AGAIN);
	start(0);
	add_alias("example.test", "n0");
	for (int i = 0; i < 1000; i++) {
		snprintf(from, sizeof(from), "n%d", i);
		snprintf(to, sizeof(to), "n%d", i + 1);
		add_alias(from, to);
	}
	assert_int_equal(parse(DNS_A)->result, DNS_TRY_AGAIN);
	start(0); /* an alias that is no name */
	ADD("example.test", DNS_CNAME, "\3a\nb\0");
	assert_int_equal(parse(DNS_A)->result, DNS_NO_DATA);
}

static void
too_many(void **state)
{
	(void)state;
	start(0);
	for (int i = 0; i < 1000; i++)
		ADD("example.test", DNS_A, "\1\2\3\4");
	assert_int_equal(parse(DNS_A)->count, DNS_RECORDS_MAX);
}

/* RFC 2181 8: a TTL with its highest bit set is zero. */
static void
negative_ttl(void **state)
{
	(void)state;
	start(0);
	add_raw("example.test", DNS_A, 1, 0x80000001, VIEW("\1\2\3\4"));
	assert_int_equal(parse(DNS_A)->records[0].ttl, 0);
}

static void
bad_records(void **state)
{
	static const struct {
		enum dns_type type;
		struct view data;
	} rows[] = {
		{ DNS_A, { "\1\2\3", 3 } },
		{ DNS_A, { "\1\2\3\4\5", 5 } },
		{ DNS_AAAA, { "\1\2\3\4", 4 } },
		{ DNS_MX, { "\0", 1 } },
		{ DNS_MX, { "\0\12", 2 } },
		{ DNS_MX, { "\0\12\2m", 4 } },
		{ DNS_MX, { "\0\12\1m\0x", 6 } },
		{ DNS_MX, { "\0\12\3m x\0", 7 } },
		{ DNS_MX, { "\0\12\3m\n.\0", 7 } },
		{ DNS_MX, { "\0\12\3<m>\0", 7 } },
		{ DNS_MX, { "\0\12\xff\xff", 4 } },
		{ DNS_PTR, { "\x08<script>\0", 10 } },
		{ DNS_PTR, { "\4a\0bc\0", 6 } },
		{ DNS_SRV, { "\0\1\0\2", 4 } },
		{ DNS_TLSA, { "\3\1\1", 3 } },
		{ DNS_TXT, { "\5abc", 4 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		start(0);
		add("example.test", rows[i].type, rows[i].data.p, rows[i].data.n);
		if (parse(rows[i].type)->result != DNS_NO_DATA)
			fail_msg("row %zu: %d", i, answer.result);
		assert_string_equal(answer.why, "Malformed or unexpected name server reply");
		if (rows[i].type == DNS_MX) { /* a good one beside it counts */
			ADD("example.test", DNS_MX, "\0\12\2mx\0");
			assert_int_equal(parse(DNS_MX)->count, 1);
		}
	}
}

/* Each beginning of a good packet is malformed or says less; none is read beyond its end. */
static void
cut_off(void **state)
{
	struct buf whole = BUF_INIT(4096);

	(void)state;
	start(0);
	add_alias("example.test", "a.test");
	ADD("a.test", DNS_MX, "\0\12\2mx\xc0\14");
	buf_append_view(&whole, buf_view(&packet));
	for (size_t n = 0; n < whole.len; n++) {
		char *copy = mem_dup(whole.data, n); /* its end is where the sanitizer looks */

		arena_reset(&arena);
		answer = (struct dns_answer){ 0 };
		dns_packet_parse(
		    (struct view){ copy, n }, VIEW("example.test"), DNS_MX, &arena, &answer);
		assert_int_equal(answer.result, DNS_TRY_AGAIN);
		assert_int_equal(answer.count, 0);
		mem_free(copy);
	}
	buf_done(&whole);
}

static int
done(void **state)
{
	(void)state;
	buf_done(&packet);
	arena_reset(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type),
		cmocka_unit_test(results),
		cmocka_unit_test(aliases),
		cmocka_unit_test(too_many),
		cmocka_unit_test(negative_ttl),
		cmocka_unit_test(bad_records),
		cmocka_unit_test(cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
