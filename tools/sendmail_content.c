/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message from standard input, in memory and in the form of the queue. It is read to its
 * end before anything is submitted, so a slow writer holds up only itself, and there is always
 * another way left when the first one fails.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "mail/header.h"
#include "mail/local_text.h"
#include "tools/sendmail.h"

#define READ_SIZE   65536
#define CONTENT_MAX ((size_t)1 << 40) /* message_size_limit = 0 */

static enum local_text_cr
cr_rule(const struct sendmail *s)
{
	const char *rule = s->values->sendmail_fix_line_endings;

	if (strcmp(rule, "strict") == 0)
		return LOCAL_TEXT_CR_STRICT;
	if (strcmp(rule, "never") == 0)
		return LOCAL_TEXT_CR_NEVER;
	if (strcmp(rule, "always") != 0)
		sendmail_fatal(
		    s, EX_USAGE, "invalid sendmail_fix_line_endings value: %s", rule);
	return LOCAL_TEXT_CR_ALWAYS;
}

void
content_read(struct sendmail *s)
{
	char *piece = arena_alloc(&s->arena, READ_SIZE);
	struct local_text text;
	ssize_t n;

	buf_init(&s->content,
	    s->values->message_size_limit > 0 ? (size_t)s->values->message_size_limit
					      : CONTENT_MAX);
	local_text_init(&text, cr_rule(s), !s->keep_dots);
	while (!text.done && (n = read(STDIN_FILENO, piece, READ_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			sendmail_fatal(
			    s, EX_DATAERR, "error reading input: %s", strerror(errno));
		local_text_feed(&text, (struct view){ piece, (size_t)n }, &s->content);
		if (s->content.overflow)
			break;
	}
	local_text_end(&text, &s->content);
	if (s->content.overflow)
		sendmail_fatal(s, EX_UNAVAILABLE, "message file too big");
}

/* The destinations that -t takes, of a first message and of one that is sent again. */
static bool
is_destination(const struct header_field *f)
{
	static const struct view names[] = { { "To", 2 }, { "Cc", 2 }, { "Bcc", 3 },
		{ "Resent-To", 9 }, { "Resent-Cc", 9 }, { "Resent-Bcc", 10 } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (header_is(f, names[i]))
			return true;
	}
	return false;
}

static size_t
addresses_count(const struct sendmail *s, const struct header_field *f)
{
	struct header_address_walk walk;
	struct header_address found;
	size_t count = 0;
	bool bad;

	header_address_walk_init(&walk, f->value);
	while (header_address_next(&walk, &found))
		count += found.address.n > 0;
	bad = walk.skipped > 0 || walk.truncated;
	header_address_walk_done(&walk);
	if (bad)
		sendmail_fatal(s, EX_DATAERR, "bad address in message header");
	return count;
}

void
content_check_destinations(const struct sendmail *s)
{
	struct view block = buf_view(&s->content);
	size_t count = s->recipient_count;
	struct header_field f;

	while (header_next(&block, &f)) {
		if (is_destination(&f))
			count += addresses_count(s, &f);
	}
	if (count == 0)
		sendmail_fatal(s, EX_USAGE, "No recipient addresses found in message header");
}
