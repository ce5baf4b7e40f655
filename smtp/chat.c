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

enum stream_result
chat_read(struct session *s, nanoseconds timeout)
{
	nanoseconds deadline = clock_deadline(timeout);
	enum server_reply_result reply = SERVER_REPLY_MORE;

	server_reply_clear(&s->reply);
	while (reply == SERVER_REPLY_MORE) {
		struct view line = VIEW_NONE;
		enum stream_result result =
		    stream_read_line(s->stream, SERVER_REPLY_LINE_MAX, &line, NULL, deadline);

		if (result != STREAM_OK)
			return broken(s, result);
		reply = server_reply_feed(&s->reply, line);
		if (reply == SERVER_REPLY_MALFORMED) {
			server_reply_clear(&s->reply);
			buf_append_view(&s->reply.lines_text, line);
			return broken(s, STREAM_TOO_LONG);
		}
	}
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
