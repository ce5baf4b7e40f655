/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The border between a local user and the suite. A client says whom the mail is from and for,
 * the DSN wishes, and a few words about the content; uid, client facts and queue id are ours.
 * sendmail is only one possible client: everything is looked at as if a stranger had said it.
 */
#include "base/escape.h"
#include "mail/address.h"
#include "mail/verp.h"
#include "pickup/pickup.h"
#include "queue/queue_file.h"

#define ENVELOPE_ID_MAX 100 /* RFC 3461 4.4 */
#define FULL_NAME_MAX   256
#define ORCPT_MAX       500

#define NOTIFY_SOME (QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY)

/* What an address parser could have handed out, and nothing else: it survives the way back. */
static bool
address_is_sound(struct view address)
{
	struct buf quoted = BUF_INIT(4 * ADDRESS_MAX), again = BUF_INIT(ADDRESS_MAX);
	bool sound = false;

	if (address.n && address.n <= ADDRESS_MAX) {
		address_quote(&quoted, address);
		sound = address_unquote(&again, buf_view(&quoted)) &&
		    view_eq(buf_view(&again), address);
	}
	buf_done(&quoted);
	buf_done(&again);
	return sound;
}

static bool
is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool
is_plain_text(struct view text, size_t max)
{
	if (text.n > max || !utf8_is_valid(text))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (is_control(text.p[i]))
			return false;
	}
	return true;
}

/* A name from a password file or an environment: kept where it is of use, never refused. */
static struct view
full_name(struct submission *s, struct view given)
{
	char *text;

	if (given.n > FULL_NAME_MAX || !utf8_is_valid(given))
		return VIEW_NONE;
	text = arena_dup(&s->arena, given);
	for (size_t i = 0; i < given.n; i++) {
		if (is_control(text[i]))
			text[i] = ' ';
	}
	return view_trim((struct view){ text, given.n });
}

bool
begin_check(struct submission *s, const struct submit_begin *given, struct submit_begin *out,
    const char **why)
{
	*out = (struct submit_begin){
		.source = SUBMIT_LOCAL,
		.queue_id = view_of(s->id),
		.sender = given->sender,
		.smtputf8 = given->smtputf8,
		.is_8bit = given->is_8bit,
		.envelope_id = given->envelope_id,
		.dsn_ret = given->dsn_ret,
		.verp = given->verp,
		.trace = given->trace,
		.full_name = full_name(s, given->full_name),
		.uid = s->uid,
		.extract_recipients = given->extract_recipients,
		.keep_missing_headers = given->keep_missing_headers,
	};
	if (given->sender.n && !address_is_sound(given->sender))
		*why = "bad sender address syntax";
	else if (!is_plain_text(given->envelope_id, ENVELOPE_ID_MAX))
		*why = "bad envelope id";
	else if (given->dsn_ret.n && !view_eq(given->dsn_ret, VIEW("FULL")) &&
	    !view_eq(given->dsn_ret, VIEW("HDRS")))
		*why = "bad return option";
	else if (given->verp.n &&
	    (!given->sender.n ||
		!verp_delimiters_are_valid(given->verp, pickup.values->verp_delimiter_filter)))
		*why = "bad VERP delimiters";
	else
		return true;
	return false;
}

static bool
notify_is_sound(uint64_t notify)
{
	return notify == QUEUE_NOTIFY_NEVER || (notify & ~(uint64_t)NOTIFY_SOME) == 0;
}

bool
recipient_check(
    const struct submit_recipient *given, struct submit_recipient *out, const char **why)
{
	*out = (struct submit_recipient){
		.address = given->address,
		.dsn_orcpt = given->dsn_orcpt,
		.notify = given->notify,
	};
	if (!address_is_sound(given->address))
		*why = "bad recipient address syntax";
	else if (!notify_is_sound(given->notify))
		*why = "bad notify option";
	else if (!is_plain_text(given->dsn_orcpt, ORCPT_MAX) ||
	    (given->dsn_orcpt.n && view_find(given->dsn_orcpt, ';') == given->dsn_orcpt.n))
		*why = "bad original recipient";
	else
		return true;
	return false;
}
