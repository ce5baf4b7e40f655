/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One byte at a time at the places where something may be special (the front of the message,
 * the front of a line, behind a CR), whole runs between them. What cannot be decided yet is
 * held back: a separator being matched, a dot at the front of a line, a CR.
 */
#include "mail/local_text.h"

#include "base/mem.h"

enum state {
	STATE_MESSAGE_START, /* perhaps in a separator line */
	STATE_SEPARATOR,     /* in one: dropped to its end */
	STATE_LINE_START,
	STATE_AFTER_DOT, /* a dot that began a line is held back */
	STATE_IN_LINE,
};

static const char separator[] = "From ";

void
local_text_init(struct local_text *t, enum local_text_cr cr_rule, bool dot_ends)
{
	*t = (struct local_text){ .cr_rule = cr_rule,
		.dot_ends = dot_ends,
		.cr_decided = cr_rule != LOCAL_TEXT_CR_STRICT,
		.state = STATE_MESSAGE_START };
}

static bool
cr_is_line_end(struct local_text *t)
{
	if (!t->cr_decided) {
		t->cr_rule = LOCAL_TEXT_CR_ALWAYS;
		t->cr_decided = true;
	}
	return t->cr_rule == LOCAL_TEXT_CR_ALWAYS;
}

/* A line end without CR, in the first line, decides the other way. */
static void
note_bare_lf(struct local_text *t)
{
	if (!t->cr_decided) {
		t->cr_rule = LOCAL_TEXT_CR_NEVER;
		t->cr_decided = true;
	}
}

static void
separator_give_up(struct local_text *t, struct buf *out)
{
	t->state = t->quotes || t->matched ? STATE_IN_LINE : STATE_LINE_START;
	for (; t->quotes; t->quotes--)
		buf_append_char(out, '>');
	buf_append(out, separator, t->matched);
	t->matched = 0;
}

/* True when the byte is taken care of. */
static bool
separator_byte(struct local_text *t, char c, struct buf *out)
{
	if (t->state == STATE_SEPARATOR) {
		if (c == '\n') {
			if (t->after_cr)
				(void)cr_is_line_end(t);
			else
				note_bare_lf(t);
			t->state = STATE_LINE_START;
		}
		t->after_cr = c == '\r';
		return true;
	}
	if (c == '>' && t->matched == 0) {
		t->quotes++;
		return true;
	}
	if (c == separator[t->matched]) {
		if (++t->matched == sizeof(separator) - 1)
			t->state = STATE_SEPARATOR;
		return true;
	}
	separator_give_up(t, out);
	return false;
}

static void
line_end(struct local_text *t, struct buf *out)
{
	if (t->state == STATE_AFTER_DOT) {
		t->done = true;
		return;
	}
	buf_append_str(out, "\r\n");
	t->state = STATE_LINE_START;
}

static void
in_line(struct local_text *t, struct buf *out)
{
	if (t->state == STATE_AFTER_DOT)
		buf_append_char(out, '.');
	t->state = STATE_IN_LINE;
}

static void
byte_add(struct local_text *t, char c, struct buf *out)
{
	if (t->state <= STATE_SEPARATOR && separator_byte(t, c, out))
		return;
	if (t->after_cr) {
		t->after_cr = false;
		if (c == '\n' && cr_is_line_end(t)) {
			line_end(t, out);
			return;
		}
		in_line(t, out);
		buf_append_char(out, ' ');
	}
	switch (c) {
	case '\r':
		t->after_cr = true;
		break;
	case '\n':
		note_bare_lf(t);
		line_end(t, out);
		break;
	case '.':
		if (t->state == STATE_LINE_START && t->dot_ends) {
			t->state = STATE_AFTER_DOT;
			break;
		}
		/* fallthrough */
	default:
		in_line(t, out);
		buf_append_char(out, c);
	}
}

/* The length of text without CR and LF at the front. */
static size_t
run_length(struct view text)
{
	size_t n = view_find(text, '\n');

	return view_find(view_sub(text, 0, n), '\r');
}

void
local_text_feed(struct local_text *t, struct view input, struct buf *out)
{
	size_t i = 0;

	while (i < input.n && !t->done) {
		struct view rest = view_sub(input, i, input.n);

		if (t->state == STATE_IN_LINE && !t->after_cr) {
			size_t n = run_length(rest);

			buf_append(out, rest.p, n);
			i += n;
			if (n == rest.n)
				break;
		}
		byte_add(t, input.p[i++], out);
	}
}

void
local_text_end(struct local_text *t, struct buf *out)
{
	if (t->done)
		return;
	if (t->state == STATE_MESSAGE_START)
		separator_give_up(t, out);
	else if (t->state == STATE_AFTER_DOT && !t->after_cr)
		t->done = true;
	if (t->after_cr && t->state != STATE_SEPARATOR && !t->done) {
		in_line(t, out);
		buf_append_char(out, ' ');
	}
	t->after_cr = false;
}
