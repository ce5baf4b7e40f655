/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines are put together and shown to mime.c, which knows the structure; what is done to a line
 * depends on where it stands. The field Content-Transfer-Encoding is held back until its header
 * block ends: only then is it known whether the part is one to encode.
 *
 * A line that is too long to be structure is handled in pieces, all of which belong where the
 * first does.
 */
#include "mail/to_7bit.h"

#include "base/escape.h"
#include "base/mem.h"
#include "mail/header.h"

#define QP_LINE_MAX 76
#define HELD_MAX    4096 /* of a held field; a longer one is no encoding */

static const struct view encoding_name = { "Content-Transfer-Encoding", 25 };

struct to_7bit {
	struct mime_state *mime;
	struct buf line; /* the line that is being put together */
	bool in_piece;   /* an earlier piece of this line was handled */
	enum mime_line kind;

	/* parts without parts, in order; a bit each: has it bytes above 127? */
	unsigned char has_8bit[TO_7BIT_PARTS_MAX / 8];
	size_t part; /* the one we are in, counted from 1 */
	bool in_leaf;

	/* second pass */
	struct buf held;  /* the field, with its line ends */
	bool holds;       /* its lines are still coming */
	bool has_version; /* MIME-Version was seen */
	bool has_type;    /* of this block */
	bool in_block, is_primary;
	bool encodes;  /* body lines */
	size_t column; /* of the line that is written */
};

struct to_7bit *
to_7bit_new(const struct mime_limits *limits)
{
	struct to_7bit *t = NEW(struct to_7bit);

	t->mime = mime_new(limits);
	buf_init(&t->line, TO_7BIT_LINE_MAX);
	buf_init(&t->held, HELD_MAX);
	return t;
}

void
to_7bit_free(struct to_7bit **t)
{
	if (!*t)
		return;
	mime_free(&(*t)->mime);
	buf_done(&(*t)->line);
	buf_done(&(*t)->held);
	mem_free(*t);
	*t = NULL;
}

/* ---- lines ---- */

typedef void line_fn(struct to_7bit *t, struct view text, bool ends, struct buf *out);

/* Keeps count of the parts. */
static void
line_place(struct to_7bit *t, struct view text)
{
	bool was_in_leaf = t->in_leaf;

	if (t->in_piece)
		return;
	t->kind = mime_feed(t->mime, text);
	t->in_leaf = mime_in_leaf(t->mime);
	if (t->in_leaf && (!was_in_leaf || t->kind == MIME_SEPARATOR))
		t->part++;
}

static void
line_finish(struct to_7bit *t, bool ends, line_fn *handle, struct buf *out)
{
	struct view text = buf_view(&t->line);

	if (ends && text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	line_place(t, text);
	handle(t, text, ends, out);
	t->in_piece = !ends;
	buf_clear(&t->line);
}

static void
feed(struct to_7bit *t, struct view bytes, line_fn *handle, struct buf *out)
{
	while (bytes.n > 0) {
		size_t lf = view_find(bytes, '\n');
		size_t room = t->line.max - t->line.len;
		size_t n = lf < room ? lf : room;

		buf_append(&t->line, bytes.p, n);
		if (n == lf && n < bytes.n) {
			line_finish(t, true, handle, out);
			n++;
		} else if (t->line.len == t->line.max) {
			line_finish(t, false, handle, out);
		}
		bytes = view_sub(bytes, n, bytes.n);
	}
}

/* ---- the first pass ---- */

static void
scan_line(struct to_7bit *t, struct view text, bool ends, struct buf *out)
{
	size_t i = t->part - 1;

	(void)ends;
	(void)out;
	if (t->in_leaf && t->part > 0 && t->kind == MIME_BODY && i < TO_7BIT_PARTS_MAX &&
	    !ascii_is_all(text))
		t->has_8bit[i / 8] |= (unsigned char)(1u << i % 8);
}

void
to_7bit_scan(struct to_7bit *t, struct view bytes)
{
	feed(t, bytes, scan_line, NULL);
}

void
to_7bit_start(struct to_7bit *t)
{
	if (t->line.len > 0)
		line_finish(t, true, scan_line, NULL);
	mime_reset(t->mime);
	t->in_piece = t->in_leaf = false;
	t->part = 0;
	t->in_block = t->is_primary = true;
}

static bool
part_has_8bit(const struct to_7bit *t)
{
	size_t i = t->part - 1;

	return i >= TO_7BIT_PARTS_MAX || (t->has_8bit[i / 8] & (1u << i % 8));
}

/* ---- quoted-printable ---- */

static void
qp_append(struct to_7bit *t, const char *text, size_t n, struct buf *out)
{
	if (t->column + n > QP_LINE_MAX - 1) {
		buf_append_str(out, "=\r\n");
		t->column = 0;
	}
	buf_append(out, text, n);
	t->column += n;
}

static void
qp_line(struct to_7bit *t, struct view text, bool ends, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool is_blank = c == ' ' || c == '\t';
		bool is_plain = c > ' ' && c < 0x7f && c != '=';
		char coded[3] = { '=', digits[c >> 4], digits[c & 15] };

		/* A blank at the end of a line would be lost. */
		if (is_plain || (is_blank && i + 1 < text.n))
			qp_append(t, text.p + i, 1, out);
		else
			qp_append(t, coded, sizeof(coded), out);
	}
	if (ends) {
		buf_append_str(out, "\r\n");
		t->column = 0;
	}
}

/* ---- the second pass ---- */

static void
line_copy(struct view text, bool ends, struct buf *out)
{
	buf_append_view(out, text);
	if (ends)
		buf_append_str(out, "\r\n");
}

/* Whatever encoding the field names, other than 7bit: what is inside is 7bit now. */
static void
composite_label(struct to_7bit *t, struct buf *out)
{
	struct view block = buf_view(&t->held), value = VIEW_NONE;
	struct header_field f;

	if (header_next(&block, &f))
		value = f.value;
	if (view_eq_nocase(value, VIEW("8bit")) || view_eq_nocase(value, VIEW("binary")))
		buf_append_str(out, "Content-Transfer-Encoding: 7bit\r\n");
	else
		buf_append_view(out, buf_view(&t->held));
}

static void
leaf_label(struct to_7bit *t, struct buf *out)
{
	if (t->is_primary && !t->has_version)
		buf_append_str(out, "MIME-Version: 1.0\r\n");
	if (!t->has_type)
		buf_append_str(out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
	buf_append_str(out, "Content-Transfer-Encoding: quoted-printable\r\n");
}

/* The header block has ended, with or without its empty line. */
static void
block_finish(struct to_7bit *t, bool has_separator, struct buf *out)
{
	bool is_encoded = mime_is_encoded(t->mime);

	if (!t->in_block)
		return;
	/* Without an empty line a label would become text. */
	t->encodes = t->in_leaf && has_separator && !is_encoded && part_has_8bit(t);
	if (t->encodes)
		leaf_label(t, out);
	else if (!t->in_leaf && has_separator)
		composite_label(t, out);
	else
		buf_append_view(out, buf_view(&t->held));
	buf_clear(&t->held);
	t->holds = t->in_block = t->has_type = t->is_primary = false;
	t->column = 0;
}

static void
header_convert(struct to_7bit *t, struct view text, bool ends, struct buf *out)
{
	bool continues = text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t');
	struct view name = VIEW_NONE;

	t->in_block = true;
	if (!t->in_piece && !continues) {
		(void)header_line_is_field(text, &name);
		t->holds = view_eq_nocase(name, encoding_name);
		t->has_type |= view_eq_nocase(name, VIEW("Content-Type"));
		t->has_version |= view_eq_nocase(name, VIEW("MIME-Version"));
	}
	if (t->holds && t->held.len + text.n + 2 > HELD_MAX) {
		t->holds = false;
		buf_append_view(out, buf_view(&t->held));
		buf_clear(&t->held);
	}
	line_copy(text, ends, t->holds ? &t->held : out);
}

static void
convert_line(struct to_7bit *t, struct view text, bool ends, struct buf *out)
{
	switch (t->kind) {
	case MIME_PRIMARY_HEADER:
	case MIME_PART_HEADER:
	case MIME_NESTED_HEADER:
		header_convert(t, text, ends, out);
		break;
	case MIME_SEPARATOR:
		block_finish(t, true, out);
		line_copy(text, ends, out);
		/* A message inside begins with a block of its own. */
		t->in_block = !t->in_leaf;
		break;
	case MIME_BOUNDARY:
		block_finish(t, false, out);
		t->encodes = false;
		line_copy(text, ends, out);
		t->in_block = true;
		break;
	case MIME_BODY:
		block_finish(t, false, out);
		if (t->encodes)
			qp_line(t, text, ends, out);
		else
			line_copy(text, ends, out);
		break;
	}
}

void
to_7bit_feed(struct to_7bit *t, struct view bytes, struct buf *out)
{
	feed(t, bytes, convert_line, out);
}

void
to_7bit_end(struct to_7bit *t, struct buf *out)
{
	if (t->line.len > 0)
		line_finish(t, false, convert_line, out);
	block_finish(t, false, out);
}
