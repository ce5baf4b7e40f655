/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of name servers, read for every type; whatever is taken from them is clean and goes
 * through resolver/1 unchanged. The same bytes as static records and as a hosts file.
 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "dns/name.h"
#include "dns/packet.h"
#include "dns/proto.h"
#include "resolver/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_clean(struct view text)
{
	for (size_t i = 0; i < text.n; i++)
		assert(text.p[i] >= ' ' && text.p[i] < 127);
}

static void
check_record(const struct dns_record *r, struct arena *arena)
{
	struct buf wire = BUF_INIT(IPC_MESSAGE_MAX);
	struct resolver_record record, got;
	struct dns_record again;
	const char *why;

	assert(dns_name_is_valid(r->name));
	if (r->type == DNS_TXT)
		check_clean(r->data);
	resolver_record_encode(r, &record);
	assert(ipc_encode(&resolver_record_message, &record, &wire));
	assert(ipc_decode(&resolver_record_message, buf_view(&wire), NULL, 0, &got, &why));
	assert(resolver_record_decode(&got, arena, &again));
	assert(again.type == r->type && again.ttl == r->ttl && view_eq(again.name, r->name) &&
	    view_eq(again.data, r->data) && memcmp(again.address, r->address, 16) == 0);
	buf_done(&wire);
}

static void
check_answer(const struct dns_answer *a, struct arena *arena)
{
	assert(a->count <= DNS_RECORDS_MAX && (a->result == DNS_FOUND) == (a->count > 0));
	assert(a->result == DNS_FOUND || a->why != NULL);
	assert(dns_name_is_valid(a->name));
	for (size_t i = 0; i < a->count; i++)
		check_record(&a->records[i], arena);
}

static void
read_packet(struct view packet)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_CNAME, DNS_MX, DNS_NS,
		DNS_PTR, DNS_SRV, DNS_TLSA, DNS_TXT };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct dns_answer answer = { 0 };
		struct arena arena = ARENA_INIT;

		dns_packet_parse(packet, VIEW("example.test"), types[i], &arena, &answer);
		check_answer(&answer, &arena);
		arena_reset(&arena);
	}
}

static void
read_zone(struct view text, bool is_hosts)
{
	struct zone *zone = zone_new();
	struct dns_answer answer = { 0 };
	struct arena arena = ARENA_INIT;
	struct dns_name name = { 12, "example.test" };
	const char *why;
	size_t line;

	if (is_hosts)
		zone_add_hosts(zone, text);
	else
		(void)zone_add_text(zone, text, &line, &why);
	if (zone_find(zone, &name, DNS_A, &arena, &answer) == ZONE_ANSWER)
		check_answer(&answer, &arena);
	arena_reset(&arena);
	zone_free(&zone);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* An exact copy, so that a read beyond the end is found. */
	char *copy = mem_dup(data, n);
	struct view bytes = { copy, n };
	struct dns_name name;

	read_packet(bytes);
	read_zone(bytes, false);
	read_zone(bytes, true);
	if (dns_name_from_text(bytes, &name))
		check_clean(dns_name_view(&name));
	mem_free(copy);
	return 0;
}
