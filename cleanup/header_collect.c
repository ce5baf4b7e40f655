/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header block while it arrives, in frames that may end anywhere. Each byte is looked at
 * once, however small the frames are: header_line and header_scanned remember what is known of
 * the line that is still coming.
 *
 * The header ends before the empty line, or before the first line that can be neither a field
 * nor the continuation of one: then the body begins there, and no byte is lost.
 */
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "mail/header.h"
#include "mail/mbox.h"

static bool
is_continuation(struct view line)
{
	return line.n && (line.p[0] == ' ' || line.p[0] == '\t');
}

static bool
is_separator(struct view line)
{
	struct view name;

	if (header_line_is_field(line, &name))
		return false;
	while (line.n && line.p[0] == '>')
		line = view_sub(line, 1, SIZE_MAX);
	return view_has_prefix_nocase(line, VIEW("From "));
}

size_t
header_separator_length(struct view header)
{
	size_t n = 0;

	if (!is_separator(view_sub(header, 0, view_find(header, '\n'))))
		return 0;
	do
		n += view_find(view_sub(header, n, SIZE_MAX), '\n') + 1;
	while (n < header.n && is_continuation(view_sub(header, n, 1)));
	return n < header.n ? n : header.n;
}

/* The line (no line end, or only its beginning) that starts at header_line. */
static bool
line_is_header(const struct message *m, struct view line)
{
	struct view name;

	line = view_sub(line, 0, (size_t)cleanup.conf->line_length_limit);
	return header_line_is_field(line, &name) ||
	    (m->header_line > 0 ? is_continuation(line) : is_separator(line));
}

static struct view
without_cr(struct view line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/*
 * True when the header is known to end at header_line; *skip is the length of the empty line
 * there. A line without end is judged as soon as it is longer than line_length_limit.
 */
static bool
header_end_find(struct message *m, size_t *skip)
{
	struct view text = buf_view(&m->header);

	*skip = 0;
	for (;;) {
		size_t eol = m->header_scanned +
		    view_find(view_sub(text, m->header_scanned, SIZE_MAX), '\n');
		struct view line = view_sub(text, m->header_line, eol - m->header_line);

		m->header_scanned = eol;
		if (eol == text.n)
			return line.n > (size_t)cleanup.conf->line_length_limit &&
			    !line_is_header(m, line);
		line = without_cr(line);
		if (line.n == 0) {
			*skip = eol + 1 - m->header_line;
			return true;
		}
		if (!line_is_header(m, line))
			return true;
		m->header_line = m->header_scanned = eol + 1;
	}
}

/* The rest of what has arrived, from header_line + skip, is body. */
static void
header_end(struct message *m, size_t skip)
{
	struct view text = buf_view(&m->header);

	m->header_unterminated = skip == 0 && m->header_line > 0 && m->header_line < text.n;
	body_begin(m, view_sub(text, 0, m->header_line));
	body_content(m, view_sub(text, m->header_line + skip, SIZE_MAX));
	buf_truncate(&m->header, m->header_line);
}

void
header_content(struct message *m, struct view bytes)
{
	size_t skip;

	if (buf_append_view(&m->header, bytes)) {
		if (header_end_find(m, &skip)) {
			header_end(m, skip);
			return;
		}
		if (m->header.len <= CLEANUP_HEADER_MAX)
			return;
	}
	log_warn("%s: header of more than %d bytes refused", queue_writer_id(m->writer),
	    CLEANUP_HEADER_MAX);
	message_refuse(m, SUBMIT_TOO_BIG, "5.3.4", "Error: message header too large");
}

/* The content ended inside the header: its last line may have no end, or be no header at all.
 */
void
header_content_end(struct message *m)
{
	struct view line = view_sub(buf_view(&m->header), m->header_line, SIZE_MAX);
	struct view text = without_cr(line);

	if (text.n && line_is_header(m, text)) {
		buf_truncate(&m->header, m->header_line + text.n);
		buf_append_str(&m->header, "\r\n");
		m->header_line = m->header.len;
		header_end(m, 0);
	} else {
		header_end(m, text.n ? 0 : line.n);
	}
}
