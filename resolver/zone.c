/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from names to what is known about them. A name that is in it is answered from it alone,
 * so a site can take a name over; what is not in it is asked for elsewhere.
 */
#include "resolver/zone.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "dns/packet.h"
#include "resolver/zone_data.h"

#define TTL_DEFAULT 3600

struct entry {
	struct dns_record *records; /* from the heap; their texts from the arena */
	size_t count;
	enum dns_result result; /* DNS_FOUND: as the records say */
	bool secure, bogus;
};

struct zone {
	struct hash *names; /* lower case -> struct entry */
	struct arena arena;
};

struct zone *
zone_new(void)
{
	struct zone *z = NEW(struct zone);

	z->names = hash_new();
	return z;
}

static void
entry_free(void *value)
{
	struct entry *e = value;

	mem_free(e->records);
	mem_free(e);
}

void
zone_free(struct zone **z)
{
	if (*z == NULL)
		return;
	hash_free(&(*z)->names, entry_free);
	arena_reset(&(*z)->arena);
	mem_free(*z);
	*z = NULL;
}

static void
fold(const struct dns_name *name, struct dns_name *out)
{
	for (size_t i = 0; i <= name->n; i++)
		out->text[i] = char_lower(name->text[i]);
	out->n = name->n;
}

static struct entry *
entry_of(struct zone *z, const struct dns_name *name)
{
	struct dns_name key;
	struct entry *e;

	fold(name, &key);
	e = hash_find(z->names, dns_name_view(&key));
	if (e == NULL) {
		e = NEW(struct entry);
		hash_put(z->names, dns_name_view(&key), e);
	}
	return e;
}

static bool
record_add(struct zone *z, struct entry *e, const struct dns_record *record)
{
	if (e->count == DNS_RECORDS_MAX)
		return false;
	e->records = mem_resize(e->records, e->count + 1, sizeof(*e->records));
	e->records[e->count] = *record;
	e->records[e->count].name = arena_view(&z->arena, record->name);
	e->records[e->count].data = arena_view(&z->arena, record->data);
	e->count++;
	return true;
}

static const struct verdict {
	const char *word;
	enum dns_result result;
	bool secure, bogus;
} verdicts[] = {
	{ "NXDOMAIN", DNS_NO_SUCH_NAME, false, false },
	{ "NODATA", DNS_NO_DATA, false, false },
	{ "SERVFAIL", DNS_TRY_AGAIN, false, false },
	{ "BOGUS", DNS_TRY_AGAIN, false, true },
	{ "SECURE", DNS_FOUND, true, false },
};

static bool
verdict_add(struct entry *e, struct view word)
{
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		if (!view_eq_nocase(word, view_of(verdicts[i].word)))
			continue;
		if (verdicts[i].result != DNS_FOUND)
			e->result = verdicts[i].result;
		e->secure = e->secure || verdicts[i].secure;
		e->bogus = e->bogus || verdicts[i].bogus;
		return true;
	}
	return false;
}

bool
zone_add_line(struct zone *z, struct view line, const char **why)
{
	struct dns_record record = { .ttl = TTL_DEFAULT };
	struct arena scratch = ARENA_INIT;
	struct dns_name name;
	struct view word;
	uint64_t ttl;
	bool ok = false;

	*why = "expected NAME [TTL] TYPE DATA";
	if (!view_next_word(&line, " \t", &word))
		return false;
	if (!dns_name_from_text(word, &name)) {
		*why = "this is no domain name";
		return false;
	}
	if (!view_next_word(&line, " \t", &word))
		return false;
	if (number_parse(word, INT32_MAX, &ttl)) {
		record.ttl = (uint32_t)ttl;
		if (!view_next_word(&line, " \t", &word))
			return false;
	}
	if (view_eq_nocase(word, VIEW("IN")) && !view_next_word(&line, " \t", &word))
		return false;
	line = view_trim(line);
	if (line.n == 0 && verdict_add(entry_of(z, &name), word))
		return true;
	if (!dns_type_from_name(word, &record.type))
		*why = "this type of record is not known here";
	else if (!zone_data_parse(line, &scratch, &record))
		*why = "the data does not fit the type";
	else if (!record_add(z, entry_of(z, &name), &record))
		*why = "too many records for one name";
	else
		ok = true;
	arena_reset(&scratch);
	return ok;
}

bool
zone_add_text(struct zone *z, struct view text, size_t *line, const char **why)
{
	for (*line = 1; text.n > 0; ++*line) {
		size_t end = view_find(text, '\n');
		struct view part = view_trim(view_sub(text, 0, end));

		text = view_sub(text, end + 1, text.n);
		if (part.n == 0 || part.p[0] == '#' || part.p[0] == ';')
			continue;
		if (!zone_add_line(z, part, why))
			return false;
	}
	return true;
}

static void
add_host(struct zone *z, const struct dns_record *address, struct view text)
{
	struct dns_name name;

	if (dns_name_from_text(text, &name) && name.n > 0)
		(void)record_add(z, entry_of(z, &name), address);
}

/* The first line with an address names it. */
static void
add_reverse(struct zone *z, const struct dns_record *address, struct view text)
{
	struct dns_record record = { .type = DNS_PTR, .ttl = address->ttl };
	struct dns_name host, reverse;
	struct entry *e;

	if (!dns_name_from_text(text, &host) || host.n == 0)
		return;
	dns_name_of_address(
	    address->type == DNS_A ? AF_INET : AF_INET6, address->address, &reverse);
	e = entry_of(z, &reverse);
	record.name = dns_name_view(&host);
	if (e->count == 0)
		(void)record_add(z, e, &record);
}

void
zone_add_hosts(struct zone *z, struct view text)
{
	while (text.n > 0 && hash_count(z->names) < ZONE_HOSTS_MAX) {
		struct dns_record record = { .ttl = TTL_DEFAULT };
		size_t end = view_find(text, '\n');
		struct view line = view_sub(text, 0, end), word;
		bool first = true;

		text = view_sub(text, end + 1, text.n);
		line = view_sub(line, 0, view_find(line, '#'));
		if (!view_next_word(&line, " \t\r", &word) ||
		    !zone_address_parse(word, &record))
			continue;
		for (; view_next_word(&line, " \t\r", &word); first = false) {
			add_host(z, &record, word);
			if (first)
				add_reverse(z, &record, word);
		}
	}
}

/* The entry of the name itself, or of the nearest "*" above it. */
static const struct entry *
entry_find(const struct zone *z, const struct dns_name *name)
{
	struct dns_name key;
	struct view parent;
	const struct entry *e;

	fold(name, &key);
	parent = dns_name_view(&key);
	e = hash_find(z->names, parent);
	while (e == NULL && parent.n > 0) {
		char wild[DNS_NAME_MAX + 3] = "*";
		size_t dot = view_find(parent, '.'), n = 1;

		parent = view_sub(parent, dot + 1, parent.n);
		if (parent.n > 0) {
			wild[n++] = '.';
			memcpy(wild + n, parent.p, parent.n);
			n += parent.n;
		}
		e = hash_find(z->names, (struct view){ wild, n });
	}
	return e;
}

static void
answer_take(
    const struct entry *e, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	out->records = arena_alloc(arena, (e->count + 1) * sizeof(*out->records));
	for (size_t i = 0; i < e->count; i++)
		if (e->records[i].type == type && e->result == DNS_FOUND)
			out->records[out->count++] = e->records[i];
	out->result = e->result == DNS_FOUND && out->count == 0 ? DNS_NO_DATA : e->result;
	out->secure = e->secure;
	out->bogus = e->bogus;
	out->why = dns_result_text(out->result);
}

enum zone_answer
zone_find(const struct zone *z, struct dns_name *name, enum dns_type type, struct arena *arena,
    struct dns_answer *out)
{
	const struct entry *e = entry_find(z, name);

	if (e == NULL)
		return ZONE_UNKNOWN;
	for (size_t i = 0; type != DNS_CNAME && i < e->count; i++) {
		if (e->records[i].type != DNS_CNAME || e->result != DNS_FOUND)
			continue;
		(void)dns_name_from_text(e->records[i].name, name);
		out->secure = out->secure && e->secure;
		return ZONE_ALIAS;
	}
	answer_take(e, type, arena, out);
	return ZONE_ANSWER;
}
