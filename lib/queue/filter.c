/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and matching of the filters: a row for each kind says how its text is read. */
#include "queue/filter.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"

#define TEXT_MAX 1000

static const char *parse_address(struct queue_filter *f, struct view text);
static const char *parse_domain(struct queue_filter *f, struct view text);
static const char *parse_text(struct queue_filter *f, struct view text);
static const char *parse_age(struct queue_filter *f, struct view text);
static const char *parse_size(struct queue_filter *f, struct view text);

/* parse: NULL, or what is wrong. */
static const struct kind {
	const char *name;
	const char *(*parse)(struct queue_filter *f, struct view text);
} kinds[FILTER_KINDS] = {
	[FILTER_FROM] = { "from", parse_address },
	[FILTER_TO] = { "to", parse_address },
	[FILTER_DESTINATION] = { "destination", parse_domain },
	[FILTER_REASON] = { "reason", parse_text },
	[FILTER_OLDER] = { "older", parse_age },
	[FILTER_LARGER] = { "larger", parse_size },
};

const char *
queue_filter_name(enum filter_kind kind)
{
	return kinds[kind].name;
}

/* ---- parsing ---- */

static const char *
parse_text(struct queue_filter *f, struct view text)
{
	(void)f, (void)text;
	return NULL;
}

static bool
has_glob(struct view text)
{
	return view_find(text, '*') < text.n;
}

static const char *
parse_address(struct queue_filter *f, struct view text)
{
	(void)f;
	if (view_eq(text, VIEW("<>")) || has_glob(text))
		return NULL;
	if (view_find(text, '@') == text.n)
		return "give an address (user@domain), @domain, <> or a pattern with *";
	if (view_find_last(text, '@') == text.n - 1)
		return "there is no domain behind the @";
	return NULL;
}

static const char *
parse_domain(struct queue_filter *f, struct view text)
{
	(void)f;
	if (view_find(text, '@') < text.n)
		return "give a domain, without @";
	return NULL;
}

struct unit {
	char letter;
	uint64_t factor;
};

/* A number, and the letter of a unit or nothing, which is the first one. */
static bool
parse_quantity(struct view text, const struct unit *units, size_t count, uint64_t *out)
{
	uint64_t factor = units[0].factor, number;
	char last = text.p[text.n - 1];

	if (!char_is_digit(last)) {
		size_t i = 0;

		while (i < count && units[i].letter != last)
			i++;
		if (i == count)
			return false;
		factor = units[i].factor;
		text.n--;
	}
	if (!number_parse(text, (uint64_t)INT64_MAX / factor, &number))
		return false;
	*out = number * factor;
	return true;
}

static const char *
parse_age(struct queue_filter *f, struct view text)
{
	static const struct unit units[] = {
		{ 's', 1000000 },
		{ 'm', 60 * (uint64_t)1000000 },
		{ 'h', 3600 * (uint64_t)1000000 },
		{ 'd', 86400 * (uint64_t)1000000 },
		{ 'w', 604800 * (uint64_t)1000000 },
	};
	uint64_t value;

	if (!parse_quantity(text, units, ARRAY_LEN(units), &value))
		return "give a number and s, m, h, d or w, such as 90m or 2d";
	f->older = (microseconds)value;
	return NULL;
}

static const char *
parse_size(struct queue_filter *f, struct view text)
{
	static const struct unit units[] = {
		{ '\0', 1 },
		{ 'k', 1 << 10 },
		{ 'K', 1 << 10 },
		{ 'm', 1 << 20 },
		{ 'M', 1 << 20 },
		{ 'g', 1 << 30 },
		{ 'G', 1 << 30 },
	};

	if (!parse_quantity(text, units, ARRAY_LEN(units), &f->larger))
		return "give a number of bytes, or one with k, M or G behind it";
	return NULL;
}

bool
queue_filter_add(
    struct queue_filter *f, enum filter_kind kind, struct view text, const char **why)
{
	static char error[200];
	const char *wrong;

	if (text.n == 0)
		wrong = "it is empty";
	else if (text.n > TEXT_MAX)
		wrong = "it is too long";
	else if (f->texts[kind])
		wrong = "it is given twice";
	else
		wrong = kinds[kind].parse(f, text);
	if (!wrong) {
		f->texts[kind] = mem_dup(text.p, text.n);
		if (kind == FILTER_DESTINATION) {
			for (char *p = f->texts[kind]; *p; p++)
				*p = char_lower(*p);
		}
		return true;
	}
	snprintf(error, sizeof(error), "bad filter --%s \"%.60s\": %s", kinds[kind].name,
	    text.n ? text.p : "", wrong);
	*why = error;
	return false;
}

void
queue_filter_done(struct queue_filter *f)
{
	for (size_t i = 0; i < FILTER_KINDS; i++)
		mem_free(f->texts[i]);
	*f = (struct queue_filter){ 0 };
}

bool
queue_filter_is_empty(const struct queue_filter *f)
{
	for (size_t i = 0; i < FILTER_KINDS; i++) {
		if (f->texts[i])
			return false;
	}
	return true;
}

struct view
queue_filter_domain(const struct queue_filter *f)
{
	struct view domain = view_of(f->texts[FILTER_DESTINATION]);

	return has_glob(domain) ? VIEW_NONE : domain;
}

/* ---- matching ---- */

bool
queue_filter_glob(struct view pattern, struct view text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n && char_lower(pattern.p[p]) == char_lower(text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool
contains(struct view text, struct view part)
{
	for (size_t i = 0; i + part.n <= text.n; i++) {
		if (view_has_prefix_nocase(view_sub(text, i, part.n), part))
			return true;
	}
	return false;
}

static struct view
domain_of(struct view address)
{
	return view_sub(address, view_find_last(address, '@') + 1, address.n);
}

static bool
address_matches(const char *text, struct view address)
{
	struct view pattern = view_of(text);

	if (!text)
		return true;
	if (view_eq(pattern, VIEW("<>")))
		return address.n == 0;
	if (has_glob(pattern))
		return queue_filter_glob(pattern, address);
	if (pattern.p[0] == '@')
		return view_eq_nocase(domain_of(address), view_sub(pattern, 1, pattern.n));
	return view_eq_nocase(pattern, address);
}

static bool
reason_matches(const char *text, struct view reason)
{
	struct view pattern = view_of(text);

	if (!text)
		return true;
	return has_glob(pattern) ? queue_filter_glob(pattern, reason)
				 : contains(reason, pattern);
}

static bool
is_about_recipients(const struct queue_filter *f)
{
	return f->texts[FILTER_TO] || f->texts[FILTER_DESTINATION] || f->texts[FILTER_REASON];
}

static bool
recipient_matches(
    const struct queue_filter *f, struct view address, struct view original, struct view reason)
{
	if (f->texts[FILTER_DESTINATION] &&
	    !queue_filter_glob(view_of(f->texts[FILTER_DESTINATION]), domain_of(address)))
		return false;
	if (!address_matches(f->texts[FILTER_TO], address) &&
	    (original.n == 0 || !address_matches(f->texts[FILTER_TO], original)))
		return false;
	return reason_matches(f->texts[FILTER_REASON], reason);
}

static bool
whole_matches(const struct queue_filter *f, struct view sender, microseconds arrival,
    uint64_t size, microseconds now)
{
	if (f->texts[FILTER_OLDER] && now - arrival <= f->older)
		return false;
	if (f->texts[FILTER_LARGER] && size <= f->larger)
		return false;
	return address_matches(f->texts[FILTER_FROM], sender);
}

enum filter_answer
queue_filter_entry(const struct queue_filter *f, const struct index_entry *e, microseconds now)
{
	if (!whole_matches(f, e->sender, e->arrival, e->size, now))
		return FILTER_NO;
	if (!is_about_recipients(f))
		return FILTER_YES;
	for (size_t i = 0; i < e->count; i++) {
		const struct index_recipient *r = &e->recipients[i];

		if (recipient_matches(f, r->address, r->original, r->reason))
			return FILTER_YES;
	}
	return e->partial ? FILTER_ASK_FILE : FILTER_NO;
}

bool
queue_filter_message(
    const struct queue_filter *f, const struct queue_message *m, microseconds now)
{
	struct queue_recipient r;
	size_t position = 0;

	if (!whole_matches(f, m->sender, m->arrival, m->size, now))
		return false;
	if (!is_about_recipients(f))
		return true;
	for (uint32_t i = 0; queue_message_recipient(m, &position, &r); i++) {
		if (m->status[i].state == QUEUE_RCPT_PENDING &&
		    recipient_matches(f, r.address, r.original, m->status[i].reason))
			return true;
	}
	return false;
}
