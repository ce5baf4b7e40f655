/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to and from the server. The time for a reply is that for all of it: a server that sends
 * a byte a minute gains nothing. After anything but a reply that was understood the session is
 * broken, because what comes next might answer an earlier command.
 */
#include "smtp/client.h"

static enum stream_result
broken(struct session *s, enum stream_result result)
{
	s->is_broken = true;
	return result;
}

/* The line that the administrator puts in the place of the server's, in out. */
static struct view
line_filter(struct view line, struct buf *out)
{
	if (table_list_is_empty(client.reply_filter) ||
	    table_list_find(client.reply_filter, line, out, NULL) != TABLE_FOUND)
		return line;
	return buf_view(out);
}

enum stream_result
chat_read(struct session *s, nanoseconds timeout)
{
	nanoseconds deadline = clock_deadline(timeout);
	enum server_reply_result reply = SERVER_REPLY_MORE;
	struct buf filtered = BUF_INIT(SERVER_REPLY_LINE_MAX);

	enum stream_result result = STREAM_OK;

	server_reply_clear(&s->reply);
	while (reply == SERVER_REPLY_MORE && result == STREAM_OK) {
		struct view line = VIEW_NONE;

		result =
		    stream_read_line(s->stream, SERVER_REPLY_LINE_MAX, &line, NULL, deadline);
		if (result == STREAM_OK)
			reply = server_reply_feed(&s->reply, line_filter(line, &filtered));
		if (reply == SERVER_REPLY_MALFORMED) {
			server_reply_clear(&s->reply);
			buf_append_view(&s->reply.lines_text, line);
			result = STREAM_TOO_LONG;
		}
	}
	buf_done(&filtered);
	if (result != STREAM_OK)
		return broken(s, result);
	if (s->reply.code == 421)
		s->is_broken = true;
	return STREAM_OK;
}

enum stream_result
chat_write(struct session *s, struct view bytes, nanoseconds timeout)
{
	nanoseconds deadline = clock_deadline(timeout);
	enum stream_result result = stream_write(s->stream, bytes, deadline);

	if (result == STREAM_OK)
		result = stream_flush(s->stream, deadline);
	return result == STREAM_OK ? result : broken(s, result);
}

enum stream_result
chat_ask(struct session *s, struct view command, nanoseconds timeout)
{
	struct buf line = BUF_INIT(8192);
	enum stream_result result;

	buf_append_view(&line, command);
	buf_append_str(&line, "\r\n");
	result = chat_write(s, buf_view(&line), timeout);
	buf_done(&line);
	return result == STREAM_OK ? chat_read(s, timeout) : result;
}
