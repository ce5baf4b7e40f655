/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates. Names of days and months are fixed here, so that no locale gets into a header; the
 * zone's name is shown only as far as a comment can hold it.
 */
#include "mail/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/view.h"

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec" };

/* Seconds since 1970, rounded down; a time the C library cannot express counts as 1970. */
static void
date_split(microseconds when, bool utc, struct tm *tm)
{
	time_t seconds = (time_t)(when / 1000000 - (when % 1000000 < 0));
	time_t epoch = 0;

	if (!(utc ? gmtime_r(&seconds, tm) : localtime_r(&seconds, tm)))
		gmtime_r(&epoch, tm);
}

static void
zone_name(const struct tm *tm, char out[8])
{
	size_t n = 0;

	for (const char *p = tm->tm_zone ? tm->tm_zone : ""; *p && n < 7; p++) {
		if (char_is_alnum(*p) || *p == '+' || *p == '-')
			out[n++] = *p;
	}
	out[n] = '\0';
}

void
date_print(microseconds when, char out[DATE_SIZE])
{
	struct tm tm;
	char zone[8];
	long minutes;

	date_split(when, false, &tm);
	zone_name(&tm, zone);
	minutes = labs(tm.tm_gmtoff) / 60 % 6000;
	snprintf(out, DATE_SIZE, "%s, %2d %s %04ld %02d:%02d:%02d %c%02ld%02ld%s%s%s",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], (long)tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
	    minutes % 60, *zone ? " (" : "", zone, *zone ? ")" : "");
}

void
date_print_asctime(microseconds when, char out[DATE_SIZE])
{
	struct tm tm;

	date_split(when, false, &tm);
	snprintf(out, DATE_SIZE, "%s %s %2d %02d:%02d:%02d %04ld", days[tm.tm_wday],
	    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (long)tm.tm_year + 1900);
}

void
date_print_stamp(microseconds when, char out[DATE_SIZE])
{
	struct tm tm;

	date_split(when, true, &tm);
	snprintf(out, DATE_SIZE, "%04ld%02d%02d%02d%02d%02d", (long)tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
