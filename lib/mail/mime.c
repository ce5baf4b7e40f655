/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MIME structure, line by line. A message is a walk between two states, header block and body;
 * what is open around the current line is a stack of boundaries with a fixed depth. Nothing
 * recurses: a nested message is a header block one level deeper, and a boundary line of any
 * open multipart closes all that is inside it.
 *
 * Of header fields only Content-Type and Content-Transfer-Encoding are kept, up to the limit.
 * A body line outside any multipart costs a look for bytes above 127, and no longer that once
 * one was found.
 */
#include "mail/mime.h"

#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "mail/header.h"
#include "mail/mime_value.h"

enum wanted { WANTED_NONE, WANTED_TYPE, WANTED_ENCODING };

struct level {
	char *boundary;
	size_t length;
	unsigned depth;     /* around the multipart */
	bool is_digest;     /* parts are messages unless they say otherwise */
	bool is_8bit_clean; /* what the multipart said of itself */
};

struct mime_state {
	struct mime_limits limits;
	bool in_headers;
	enum mime_line header_kind;
	unsigned errors;
	bool has_8bit;
	unsigned depth; /* open multiparts and nested messages */
	size_t level_count;
	struct level *levels; /* limits.nesting of them */

	/* the header block that is read, or was read last */
	bool is_multipart, is_digest, is_message;
	bool is_8bit_clean; /* encoding 8bit or binary */
	bool is_encoded;    /* encoding other than 7bit, 8bit, binary */
	bool in_leaf;       /* its body is here */
	struct buf boundary;

	/* the logical field that is read */
	bool in_field;
	size_t field_size;
	enum wanted wanted;
	struct buf field;
};

struct mime_state *
mime_new(const struct mime_limits *limits)
{
	struct mime_state *m = NEW(struct mime_state);

	m->limits = *limits;
	m->levels = mem_zero(limits->nesting, sizeof(m->levels[0]));
	buf_init(&m->field, limits->header_size);
	buf_init(&m->boundary, limits->boundary_length);
	mime_reset(m);
	return m;
}

static void
levels_drop(struct mime_state *m, size_t count)
{
	while (m->level_count > count) {
		struct level *level = &m->levels[--m->level_count];

		m->depth = level->depth;
		mem_free(level->boundary);
		level->boundary = NULL;
	}
}

void
mime_free(struct mime_state **m)
{
	if (!*m)
		return;
	levels_drop(*m, 0);
	mem_free((*m)->levels);
	buf_done(&(*m)->field);
	buf_done(&(*m)->boundary);
	mem_free(*m);
	*m = NULL;
}

/* A header block starts; message: what its body is unless it says otherwise. */
static void
block_start(struct mime_state *m, enum mime_line kind, bool message)
{
	m->in_headers = true;
	m->header_kind = kind;
	m->is_multipart = m->is_digest = false;
	m->is_message = message;
	m->is_8bit_clean = m->is_encoded = m->in_leaf = false;
	m->in_field = false;
	m->wanted = WANTED_NONE;
	buf_clear(&m->boundary);
}

void
mime_reset(struct mime_state *m)
{
	levels_drop(m, 0);
	m->depth = 0;
	m->errors = 0;
	m->has_8bit = false;
	block_start(m, MIME_PRIMARY_HEADER, false);
}

unsigned
mime_errors(const struct mime_state *m)
{
	return m->errors;
}

bool
mime_in_leaf(const struct mime_state *m)
{
	return m->in_leaf;
}

bool
mime_is_encoded(const struct mime_state *m)
{
	return m->is_encoded;
}

bool
mime_has_8bit(const struct mime_state *m)
{
	return m->has_8bit;
}

/* Without backslashes; a boundary longer than the limit is cut, as a prefix still matches. */
static void
boundary_keep(struct mime_state *m, struct view quoted)
{
	buf_clear(&m->boundary);
	for (size_t i = 0; i < quoted.n; i++) {
		if (quoted.p[i] == '\\' && i + 1 < quoted.n)
			i++;
		if (!buf_append_char(&m->boundary, quoted.p[i]))
			return;
	}
}

static void
content_type_read(struct mime_state *m, struct view value)
{
	struct view type, subtype, boundary;

	m->is_multipart = m->is_digest = m->is_message = false;
	buf_clear(&m->boundary);
	if (!mime_content_type(value, &type, &subtype))
		return;
	if (view_eq_nocase(type, VIEW("multipart"))) {
		m->is_multipart = true;
		m->is_digest = view_eq_nocase(subtype, VIEW("digest"));
		if (mime_parameter(value, VIEW("boundary"), &boundary))
			boundary_keep(m, boundary);
	} else if (view_eq_nocase(type, VIEW("message"))) {
		m->is_message = view_eq_nocase(subtype, VIEW("rfc822")) ||
		    view_eq_nocase(subtype, VIEW("global"));
	}
}

static void
encoding_read(struct mime_state *m, struct view value)
{
	struct cursor c = cursor_of(value);
	struct view token = mime_token_take(&c);

	m->is_8bit_clean =
	    view_eq_nocase(token, VIEW("8bit")) || view_eq_nocase(token, VIEW("binary"));
	m->is_encoded = token.n && !m->is_8bit_clean && !view_eq_nocase(token, VIEW("7bit"));
}

static void
field_end(struct mime_state *m)
{
	if (m->wanted == WANTED_TYPE)
		content_type_read(m, buf_view(&m->field));
	else if (m->wanted == WANTED_ENCODING)
		encoding_read(m, buf_view(&m->field));
	m->wanted = WANTED_NONE;
	m->in_field = false;
}

static void
field_append(struct mime_state *m, struct view text)
{
	m->field_size += text.n + 1;
	if (m->field_size > m->limits.header_size)
		m->errors |= MIME_ERROR_TRUNCATED_HEADER;
	if (m->wanted == WANTED_NONE)
		return;
	if (text.n > m->field.max - m->field.len)
		text.n = m->field.max - m->field.len;
	buf_append_view(&m->field, text);
}

static void
field_start(struct mime_state *m, struct view line, struct view name)
{
	field_end(m);
	m->in_field = true;
	m->field_size = 0;
	if (view_eq_nocase(name, VIEW("Content-Type")))
		m->wanted = WANTED_TYPE;
	else if (view_eq_nocase(name, VIEW("Content-Transfer-Encoding")))
		m->wanted = WANTED_ENCODING;
	if (m->wanted == WANTED_NONE) {
		field_append(m, line);
		return;
	}
	buf_clear(&m->field);
	m->field_size = name.n;
	field_append(m, view_sub(line, view_find(line, ':') + 1, line.n));
}

/* One level deeper, or the error. */
static bool
depth_add(struct mime_state *m)
{
	if (m->depth >= m->limits.nesting) {
		m->errors |= MIME_ERROR_NESTING;
		return false;
	}
	m->depth++;
	return true;
}

static void
level_push(struct mime_state *m)
{
	unsigned depth = m->depth;
	struct level *level;

	if (!depth_add(m))
		return;
	level = &m->levels[m->level_count++];
	level->boundary = mem_dup(buf_str(&m->boundary), m->boundary.len);
	level->length = m->boundary.len;
	level->depth = depth;
	level->is_digest = m->is_digest;
	level->is_8bit_clean = m->is_8bit_clean;
}

/* The header block is complete: what follows it? */
static void
block_end(struct mime_state *m)
{
	bool is_multipart;
	bool is_message;

	field_end(m);
	is_multipart = m->is_multipart && m->boundary.len;
	is_message = m->is_message;
	m->in_headers = false;
	if (m->is_encoded && (m->is_multipart || is_message))
		m->errors |= MIME_ERROR_ENCODING_DOMAIN;
	m->in_leaf = !is_multipart && !is_message;
	if (is_multipart)
		level_push(m);
	else if (is_message && !m->is_encoded && depth_add(m))
		block_start(m, MIME_NESTED_HEADER, false);
}

/*
 * How many levels stay open when the text behind "--" is a boundary line, and whether it is a
 * closing one; level_count + 1 when it is none. An exact match goes before the prefix match
 * that RFC 2046 5.1.1 allows, and an inner boundary before an outer one.
 */
static size_t
boundary_match(const struct mime_state *m, struct view text, bool *closes)
{
	size_t by_prefix = m->level_count + 1;

	while (text.n && char_is_blank(text.p[text.n - 1]))
		text.n--;
	for (size_t i = m->level_count; i > 0; i--) {
		const struct level *level = &m->levels[i - 1];
		struct view boundary = { level->boundary, level->length };
		struct view rest = view_sub(text, boundary.n, text.n);
		bool has_dashes;

		if (!view_has_prefix(text, boundary))
			continue;
		has_dashes = view_eq(rest, VIEW("--"));
		if (rest.n == 0 || has_dashes) {
			*closes = has_dashes;
			return has_dashes ? i - 1 : i;
		}
		if (by_prefix > m->level_count) {
			*closes = view_has_prefix(rest, VIEW("--"));
			by_prefix = *closes ? i - 1 : i;
		}
	}
	return by_prefix;
}

static bool
boundary_line(struct mime_state *m, struct view line)
{
	bool closes = false;
	bool clean;
	size_t keep;

	if (m->level_count == 0 || line.n < 2 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	keep = boundary_match(m, view_sub(line, 2, line.n), &closes);
	if (keep > m->level_count)
		return false;
	clean = closes && m->levels[keep].is_8bit_clean;
	levels_drop(m, keep);
	if (closes) {
		block_start(m, MIME_PART_HEADER, false);
		m->in_headers = false;
		m->is_8bit_clean = clean;
	} else {
		/* A nested message inside ends here too. */
		m->depth = m->levels[keep - 1].depth + 1;
		block_start(m, MIME_PART_HEADER, m->levels[keep - 1].is_digest);
	}
	return true;
}

static enum mime_line
body_line(struct mime_state *m, struct view line)
{
	if (m->has_8bit && (m->is_8bit_clean || (m->errors & MIME_ERROR_8BIT_IN_7BIT)))
		return MIME_BODY;
	if (!ascii_is_all(line)) {
		m->has_8bit = true;
		if (!m->is_8bit_clean)
			m->errors |= MIME_ERROR_8BIT_IN_7BIT;
	}
	return MIME_BODY;
}

static enum mime_line
header_line(struct mime_state *m, struct view line)
{
	bool is_continuation = m->in_field && line.n && (line.p[0] == ' ' || line.p[0] == '\t');
	struct view name;

	if (line.n == 0) {
		block_end(m);
		return MIME_SEPARATOR;
	}
	if (is_continuation)
		field_append(m, line);
	else if (header_line_is_field(line, &name))
		field_start(m, line, name);
	else
		return MIME_BODY;
	if (!ascii_is_all(line)) {
		m->has_8bit = true;
		m->errors |= MIME_ERROR_8BIT_IN_HEADER;
	}
	return m->header_kind;
}

enum mime_line
mime_feed(struct mime_state *m, struct view line)
{
	enum mime_line kind;

	if (boundary_line(m, line)) {
		if (!ascii_is_all(line))
			m->has_8bit = true;
		return MIME_BOUNDARY;
	}
	if (!m->in_headers)
		return body_line(m, line);
	kind = header_line(m, line);
	if (kind != MIME_BODY)
		return kind;
	/* No field and no empty line: this block has no more lines, nor a nested one any. */
	block_end(m);
	m->in_headers = false;
	return boundary_line(m, line) ? MIME_BOUNDARY : body_line(m, line);
}
