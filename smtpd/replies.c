/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies go into the stream's output buffer and leave it when the session waits for input, so
 * a pipelined group is answered with one write. A client that has made too many errors waits
 * before each further reply. Text from outside may be part of a reply: what may not appear in
 * one becomes '?'.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/escape.h"
#include "smtpd/smtpd.h"

#define REPLY_MAX 510 /* RFC 5321 4.5.3.1.5, without the line end */

static void
line_mask(char *line, size_t n)
{
	struct view rest = { line, n };
	size_t taken;
	unsigned code_point;

	while (rest.n) {
		unsigned char c = (unsigned char)*rest.p;

		taken = c < 128 ? 1 : utf8_next(rest, &code_point);
		if (taken == 0 || (taken == 1 && (c < 32 || c >= 127))) {
			line[rest.p - line] = '?';
			taken = 1;
		}
		rest = view_sub(rest, taken, rest.n);
	}
}

/* soft_bounce: what would be a permanent refusal becomes a temporary one. */
static void
line_soften(char *line, size_t n)
{
	if (n < 4 || line[0] != '5')
		return;
	line[0] = '4';
	if (n > 5 && line[4] == '5' && line[5] == '.')
		line[4] = '4';
}

static void
reply_write(struct session *s, struct view bytes)
{
	enum stream_result r;

	if (s->broken)
		return;
	r = stream_write(s->stream, bytes, s->deadline);
	if (r != STREAM_OK)
		session_lost(s, r);
}

static void
reply_slowly(struct session *s)
{
	enum stream_result r;

	if (s->broken || s->errors < (uint32_t)server.v->smtpd_soft_error_limit ||
	    server.v->smtpd_error_sleep_time <= 0)
		return;
	r = stream_flush(s->stream, s->deadline);
	if (r != STREAM_OK) {
		session_lost(s, r);
		return;
	}
	if (task_sleep(server.v->smtpd_error_sleep_time) != TASK_OK)
		session_lost(s, STREAM_CANCELLED);
	s->deadline = clock_deadline(server.v->smtpd_timeout);
}

void
reply(struct session *s, const char *format, ...)
{
	char line[REPLY_MAX + 2];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, REPLY_MAX + 1, format, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if (n > REPLY_MAX) {
		n = REPLY_MAX;
		while (n > 0 && (line[n - 1] & 0xC0) == 0x80)
			n--; /* never half a character */
		if (n > 0 && ((unsigned char)line[n - 1]) >= 0xC0)
			n--;
	}
	line_mask(line, (size_t)n);
	if (server.v->soft_bounce)
		line_soften(line, (size_t)n);
	transcript_reply(s, (struct view){ line, (size_t)n });
	memcpy(line + n, "\r\n", 2);
	reply_slowly(s);
	reply_write(s, (struct view){ line, (size_t)n + 2 });
}

void
reply_refusal(struct session *s, const char *text)
{
	struct view v = view_of(text);

	reply(s, "%s", text);
	if (view_has_prefix(v, VIEW("421")) || view_has_prefix(v, VIEW("521")))
		s->closing = true;
}

void
reply_lines(struct session *s, int code, struct view lines)
{
	char whole[REPLY_MAX];
	struct view line;

	reply_slowly(s);
	while (lines.n) {
		size_t end = view_find(lines, '\n');

		line = view_sub(lines, 0, end);
		lines = view_sub(lines, end + 1, lines.n);
		snprintf(whole, sizeof(whole), "%d%c%.*s", code, lines.n ? '-' : ' ',
		    VIEW_ARG(line));
		transcript_reply(s, view_of(whole));
		reply_write(s, view_of(whole));
		reply_write(s, VIEW("\r\n"));
	}
}

const char *
param_refusal(struct session *s, struct view rest, const struct param_text *texts, size_t count,
    bool is_twice)
{
	struct view word = VIEW_NONE, keyword;
	bool is_empty;

	view_next_word(&rest, " \t", &word);
	keyword = view_sub(word, 0, view_find(word, '='));
	is_empty = keyword.n + 1 == word.n;
	for (size_t i = 0; i < count; i++)
		if ((is_empty || is_twice) &&
		    view_eq_nocase(keyword, view_of(texts[i].keyword)))
			return texts[i].reply;
	return arena_printf(&s->arena, "555 5.5.4 Unsupported option: %.*s", VIEW_ARG(word));
}
