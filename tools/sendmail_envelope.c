/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sender and recipients of a submission. Arguments are address lists in header syntax, as
 * programs have always given them: "Joe <joe@example.com>, jane". An argument that is no
 * address is refused: mail that cannot go where it was meant must not look sent.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/verp.h"
#include "queue/queue_file.h"
#include "tools/sendmail.h"

#define FULL_NAME_MAX   256
#define ENVELOPE_ID_MAX 100 /* RFC 3461 4.4 */
#define WORD_BLANKS     ", \t"

/* GECOS: the part before the first comma, with '&' for the login name. */
static const char *
gecos_name(struct sendmail *s, const struct passwd *pw)
{
	struct view gecos = view_of(pw->pw_gecos);
	struct buf name = BUF_INIT(FULL_NAME_MAX);
	const char *text;

	for (size_t i = 0; i < gecos.n && gecos.p[i] != ',' && gecos.p[i] != ';'; i++) {
		if (gecos.p[i] == '&' && pw->pw_name[0] != '\0') {
			char first = pw->pw_name[0];

			if (first >= 'a' && first <= 'z')
				first = (char)(first - 'a' + 'A');
			buf_append_char(&name, first);
			buf_append_str(&name, pw->pw_name + 1);
		} else {
			buf_append_char(&name, gecos.p[i]);
		}
	}
	text = arena_dup(&s->arena, buf_view(&name));
	buf_done(&name);
	return text;
}

void
envelope_identify(struct sendmail *s)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *environment = getenv("NAME");

	if (pw)
		s->login = arena_dup(&s->arena, view_of(pw->pw_name));
	if (!s->full_name && environment)
		s->full_name = environment;
	if (!s->full_name && pw && pw->pw_gecos)
		s->full_name = gecos_name(s, pw);
	if (s->full_name && utf8_is_valid(view_of(s->full_name)))
		s->begin.full_name = view_sub(view_of(s->full_name), 0, FULL_NAME_MAX);
	if (!pw && !s->sender)
		sendmail_fatal(s, EX_NOUSER, "no login name found for user ID %lu",
		    (unsigned long)getuid());
}

/* The addresses of a list, each handed to take; false when something in it is none. */
static bool
addresses_take(
    struct sendmail *s, const char *text, void (*take)(struct sendmail *, struct view address))
{
	struct header_address_walk walk;
	struct header_address found;
	bool ok;

	header_address_walk_init(&walk, view_of(text));
	while (header_address_next(&walk, &found)) {
		if (found.address.n)
			take(s, arena_view(&s->arena, found.address));
	}
	ok = walk.skipped == 0 && !walk.truncated;
	header_address_walk_done(&walk);
	return ok;
}

static void
take_sender(struct sendmail *s, struct view address)
{
	s->begin.sender = address;
}

static bool
is_utf8_address(struct view address)
{
	return !ascii_is_all(address);
}

void
envelope_sender(struct sendmail *s)
{
	struct view text;

	if (!s->sender)
		s->sender = s->login;
	text = view_trim(view_of(s->sender));
	if (text.n == 0 || view_eq(text, VIEW("<>")))
		return;
	if (!addresses_take(s, s->sender, take_sender) || s->begin.sender.n == 0)
		sendmail_fatal(
		    s, EX_USAGE, "-f option specified malformed sender: %s", s->sender);
	s->begin.smtputf8 |= is_utf8_address(s->begin.sender);
}

static void
take_recipient(struct sendmail *s, struct view address)
{
	size_t n = s->recipient_count;

	if ((n & (n - 1)) == 0)
		s->recipients =
		    mem_resize(s->recipients, n ? 2 * n : 1, sizeof(*s->recipients));
	s->recipients[n] = (struct submit_recipient){ .address = address, .notify = s->notify };
	s->recipient_count++;
	s->begin.smtputf8 |= is_utf8_address(address);
}

void
envelope_recipients(struct sendmail *s, char **arguments)
{
	for (; *arguments; arguments++) {
		size_t before = s->recipient_count;

		if (!addresses_take(s, *arguments, take_recipient) ||
		    s->recipient_count == before)
			sendmail_fatal(
			    s, EX_DATAERR, "malformed recipient address: %s", *arguments);
	}
	if (s->recipient_count == 0 && !s->extract)
		sendmail_fatal(s, EX_USAGE,
		    "Recipient addresses must be specified on the command line or via the -t "
		    "option");
	s->begin.extract_recipients = s->extract;
}

void
envelope_notify(struct sendmail *s, const char *text)
{
	static const struct {
		struct view word;
		unsigned bit;
	} words[] = {
		{ { "never", 5 }, QUEUE_NOTIFY_NEVER },
		{ { "success", 7 }, QUEUE_NOTIFY_SUCCESS },
		{ { "failure", 7 }, QUEUE_NOTIFY_FAILURE },
		{ { "delay", 5 }, QUEUE_NOTIFY_DELAY },
	};
	struct view rest = view_of(text), word;
	unsigned bits = 0;

	while (view_next_word(&rest, WORD_BLANKS, &word)) {
		unsigned bit = 0;

		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			if (view_eq_nocase(word, words[i].word))
				bit = words[i].bit;
		}
		if (!bit)
			sendmail_fatal(s, EX_USAGE, "bad -N option value: %s", text);
		bits |= bit;
	}
	if (!bits || ((bits & QUEUE_NOTIFY_NEVER) && bits != QUEUE_NOTIFY_NEVER))
		sendmail_fatal(s, EX_USAGE, "bad -N option value: %s", text);
	s->notify = bits;
}

void
envelope_return(struct sendmail *s, const char *text)
{
	if (view_eq_nocase(view_of(text), VIEW("full")))
		s->begin.dsn_ret = VIEW("FULL");
	else if (view_eq_nocase(view_of(text), VIEW("hdrs")))
		s->begin.dsn_ret = VIEW("HDRS");
	else
		sendmail_fatal(s, EX_USAGE, "bad -R option value: %s", text);
}

void
envelope_id(struct sendmail *s, const char *text)
{
	struct view id = view_of(text);

	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] <= ' ' || id.p[i] > '~')
			id.n = 0;
	}
	if (id.n == 0 || id.n > ENVELOPE_ID_MAX)
		sendmail_fatal(s, EX_USAGE, "bad -V option value: %s", text);
	s->begin.envelope_id = id;
}

void
envelope_verp(struct sendmail *s, const char *delimiters)
{
	const char *filter = s->values->verp_delimiter_filter;

	s->begin.verp = view_of(*delimiters ? delimiters : s->values->default_verp_delimiters);
	if (!verp_delimiters_are_valid(s->begin.verp, filter))
		sendmail_fatal(s, EX_USAGE, "-XV requires two characters from \"%s\"", filter);
	if (s->begin.sender.n == 0)
		sendmail_fatal(s, EX_USAGE, "-XV requires a sender that is not empty");
}
