/* SPDX-License-Identifier: Apache-2.0 */
/* The peaks between two reports, and the report, in the lines that log readers know. */
#include <stdio.h>
#include <time.h>

#include "anvil/anvil.h"
#include "base/log.h"

#define IDENT_MAX (ANVIL_SERVICE_MAX + 1 + ANVIL_CLIENT_MAX)

struct peak {
	uint64_t value; /* 0: nothing happened */
	microseconds when;
	size_t ident_size;
	char ident[IDENT_MAX];
};

static struct peak rates[ANVIL_KIND_COUNT], connections, size;

static const char *const rate_names[ANVIL_KIND_COUNT] = {
	[ANVIL_CONNECTION] = "connection rate",
	[ANVIL_MESSAGE] = "message rate",
	[ANVIL_RECIPIENT] = "recipient rate",
	[ANVIL_NEW_TLS] = "newtls rate",
	[ANVIL_AUTH] = "auth rate",
};

static void
note(struct peak *p, uint64_t value, struct view ident)
{
	if (value <= p->value)
		return;
	ident = view_sub(ident, 0, sizeof(p->ident));
	p->value = value;
	p->when = clock_wall();
	p->ident_size = ident.n;
	if (ident.n > 0)
		memcpy(p->ident, ident.p, ident.n);
}

void
statistics_note_rate(enum anvil_kind kind, uint64_t rate, struct view ident)
{
	note(&rates[kind], rate, ident);
}

void
statistics_note_connections(uint64_t value, struct view ident)
{
	note(&connections, value, ident);
}

void
statistics_note_size(size_t clients)
{
	note(&size, clients, VIEW_NONE);
}

/* "Nov 20 21:08:42" */
static void
print_time(char out[32], microseconds when)
{
	time_t seconds = (time_t)(when / 1000000);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || strftime(out, 32, "%b %e %H:%M:%S", &tm) == 0)
		snprintf(out, 32, "?");
}

static void
report(struct peak *p, const char *what, const char *unit)
{
	char when[32];

	if (p->value == 0)
		return;
	print_time(when, p->when);
	if (p->ident_size > 0)
		log_info("statistics: max %s %llu%s for (%.*s) at %s", what,
		    (unsigned long long)p->value, unit, (int)p->ident_size, p->ident, when);
	else
		log_info("statistics: max %s %llu%s at %s", what, (unsigned long long)p->value,
		    unit, when);
	p->value = 0;
}

void
statistics_log(nanoseconds time_unit)
{
	char unit[32];

	snprintf(unit, sizeof(unit), "/%llds", (long long)(time_unit / SECOND));
	for (int i = 0; i < ANVIL_KIND_COUNT; i++) {
		report(&rates[i], rate_names[i], unit);
		if (i == ANVIL_CONNECTION)
			report(&connections, "connection count", "");
	}
	report(&size, "cache size", "");
}
