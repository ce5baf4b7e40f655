/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a packet to the records that were asked for. The answer section is walked once for each
 * CNAME on the way and once for the records, because nothing says that they stand in order; the
 * walks are few and the packet is small, so nothing needs to be kept in between.
 */
#include "dns/packet.h"

#include "base/cursor.h"
#include "base/mem.h"
#include "dns/name.h"

#define HEADER_SIZE    12
#define CLASS_IN       1
#define RCODE(flags)   ((flags)&15u)
#define RCODE_OK       0
#define RCODE_NO_NAME  3 /* NXDOMAIN */
#define MALFORMED_TEXT "Malformed or unexpected name server reply"
#define LOOP_TEXT      "Too many aliases for this name"

struct header {
	unsigned rcode;
	size_t questions, answers;
};

/* One record of the answer section. */
struct entry {
	struct dns_name owner; /* when has_owner */
	bool has_owner;
	unsigned type, class;
	uint32_t ttl;
	struct view data;
};

struct walk {
	struct view packet;
	struct cursor c;
	size_t left;
};

static bool
walk_start(struct view packet, struct walk *w, struct header *h)
{
	struct dns_name ignored;

	w->packet = packet;
	w->c = cursor_of(packet);
	(void)cursor_u16(&w->c); /* id: the resolver has looked at it */
	h->rcode = RCODE(cursor_u16(&w->c));
	h->questions = cursor_u16(&w->c);
	h->answers = cursor_u16(&w->c);
	(void)cursor_u32(&w->c);
	for (size_t i = 0; i < h->questions && !w->c.failed; i++) {
		(void)dns_name_take(packet, &w->c, &ignored);
		(void)cursor_u32(&w->c);
	}
	w->left = h->answers;
	return !w->c.failed;
}

static bool
walk_next(struct walk *w, struct entry *out)
{
	if (w->left == 0)
		return false;
	w->left--;
	out->has_owner = dns_name_take(w->packet, &w->c, &out->owner);
	out->type = cursor_u16(&w->c);
	out->class = cursor_u16(&w->c);
	out->ttl = cursor_u32(&w->c);
	out->data = cursor_take_n(&w->c, cursor_u16(&w->c));
	return !w->c.failed;
}

static bool
entry_is(const struct entry *e, struct view owner, enum dns_type type)
{
	return e->has_owner && e->class == CLASS_IN && e->type == type &&
	    view_eq_nocase(dns_name_view(&e->owner), owner);
}

/* RFC 2181 8: the highest bit is not part of a TTL. */
static uint32_t
least_ttl(uint32_t a, uint32_t b)
{
	if (b > INT32_MAX)
		b = 0;
	return a < b ? a : b;
}

/* False: it is the end of the chain, or what stands there is no name. */
static bool
alias_follow(struct view packet, struct dns_name *name, uint32_t *ttl)
{
	struct header h;
	struct walk w;
	struct entry e;

	if (!walk_start(packet, &w, &h))
		return false;
	while (walk_next(&w, &e)) {
		struct cursor c = cursor_of(e.data);

		if (!entry_is(&e, dns_name_view(name), DNS_CNAME))
			continue;
		*ttl = least_ttl(*ttl, e.ttl);
		return dns_name_take(packet, &c, name) && cursor_at_end(&c);
	}
	return false;
}

static bool
records_take(struct view packet, const struct dns_name *name, enum dns_type type, uint32_t ttl,
    struct arena *arena, struct dns_answer *out)
{
	struct header h;
	struct walk w;
	struct entry e;
	size_t bad = 0;

	out->records = arena_alloc(arena, DNS_RECORDS_MAX * sizeof(*out->records));
	if (!walk_start(packet, &w, &h))
		return false;
	while (out->count < DNS_RECORDS_MAX && walk_next(&w, &e)) {
		struct dns_record *r = &out->records[out->count];

		if (!entry_is(&e, dns_name_view(name), type))
			continue;
		if (dns_rdata_parse(packet, e.data, type, arena, r)) {
			r->ttl = least_ttl(ttl, e.ttl);
			out->count++;
		} else {
			bad++;
		}
	}
	if (bad > 0 && out->count == 0)
		out->why = MALFORMED_TEXT;
	return !w.c.failed;
}

static void
fail(struct dns_answer *out, enum dns_result result, const char *why)
{
	out->result = result;
	out->count = 0;
	out->why = why ? why : dns_result_text(result);
}

static void
conclude(struct dns_answer *out, unsigned rcode)
{
	if (rcode == RCODE_OK && out->count > 0)
		out->result = DNS_FOUND;
	else if (rcode == RCODE_OK)
		fail(out, DNS_NO_DATA, out->why);
	else
		fail(out, rcode == RCODE_NO_NAME ? DNS_NO_SUCH_NAME : DNS_TRY_AGAIN, NULL);
}

void
dns_packet_parse(struct view packet, struct view name, enum dns_type type, struct arena *arena,
    struct dns_answer *out)
{
	struct dns_name last;
	struct header h;
	struct walk w;
	uint32_t ttl = INT32_MAX;
	size_t aliases = 0;

	out->why = NULL;
	out->count = 0;
	if (packet.n < HEADER_SIZE || !dns_name_from_text(name.n ? name : VIEW("."), &last) ||
	    !walk_start(packet, &w, &h)) {
		fail(out, DNS_TRY_AGAIN, MALFORMED_TEXT);
		return;
	}
	while (type != DNS_CNAME && alias_follow(packet, &last, &ttl))
		if (++aliases > DNS_ALIASES_MAX) {
			fail(out, DNS_TRY_AGAIN, LOOP_TEXT);
			return;
		}
	out->name = arena_view(arena, dns_name_view(&last));
	if (!records_take(packet, &last, type, ttl, arena, out)) {
		fail(out, DNS_TRY_AGAIN, MALFORMED_TEXT);
		return;
	}
	conclude(out, h.rcode);
}

const char *
dns_result_text(enum dns_result result)
{
	static const char *const texts[] = {
		[DNS_FOUND] = "",
		[DNS_NO_DATA] = "Host found but no data record of requested type",
		[DNS_NO_SUCH_NAME] = "Host not found",
		[DNS_TRY_AGAIN] = "Host not found, try again",
		[DNS_BAD_NAME] = "Invalid host or domain name",
	};

	return (size_t)result < ARRAY_LEN(texts) ? texts[result] : "";
}
