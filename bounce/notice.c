/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to a report: who gets it, what it may show, and how much of the original it
 * returns. Nobody hears of a message from <> but the postmaster, and of one from
 * double_bounce_sender nobody at all: a notice never causes a chain of notices.
 */
#include "base/escape.h"
#include "base/log.h"
#include "bounce/bounce.h"
#include "mail/address.h"
#include "mail/header.h"
#include "queue/queue_file.h"

#define MESSAGE_ID_LENGTH 900 /* a longer one is not answered to */

/* An address of main.cf in internal form, completed, in the arena. */
static struct view
configured_address(struct notice *n, const char *text)
{
	struct buf internal = BUF_INIT(ADDRESS_MAX), full = BUF_INIT(2 * ADDRESS_MAX);
	struct view address;

	if (!address_unquote(&internal, view_of(text)))
		buf_append_str(&internal, "postmaster");
	route_standard_form(bounce.conf, buf_view(&internal), &full);
	address = arena_view(&n->arena, buf_view(&full));
	buf_done(&internal);
	buf_done(&full);
	return address;
}

/* The address as the sender wrote it, completed as it was for delivery. */
static void
recipient_complete(struct notice *n, struct notice_recipient *r)
{
	struct buf full = BUF_INIT(2 * ADDRESS_MAX);

	if (r->original.n == 0)
		return;
	route_standard_form(bounce.conf, r->original, &full);
	if (full.len)
		r->original = arena_view(&n->arena, buf_view(&full));
	buf_done(&full);
}

/* Only mail systems of our own may be told where addresses of ours lead. */
static bool
is_ours(struct view address)
{
	enum route_class class_;
	struct view local, domain;
	const char *why;

	address_split(address, &local, &domain);
	if (domain.n == 0)
		return true;
	if (router_class(bounce.router, domain, &class_, &why) != TABLE_FOUND)
		return false;
	return class_ == ROUTE_LOCAL || class_ == ROUTE_VIRTUAL_ALIAS ||
	    class_ == ROUTE_VIRTUAL_MAILBOX;
}

static enum report_original
original_choose(const struct notice *n, const struct report_kind *kind)
{
	const struct notice_request *q = &n->request;
	uint64_t limit = (uint64_t)bounce.conf->bounce_size_limit;

	if (!kind->may_be_whole || view_eq_nocase(q->dsn_ret, VIEW("HDRS")) ||
	    q->header_length > limit || q->body_length > limit - q->header_length)
		return REPORT_HEADER;
	return REPORT_WHOLE;
}

static bool
has_utf8_address(const struct notice *n)
{
	return (n->request.flags & QUEUE_FLAG_SMTPUTF8) || !ascii_is_all(n->request.sender);
}

/* A value on one line, or nothing when it is not fit for a header of ours. */
static struct view
thread_value(struct notice *n, const struct report *r, struct view value)
{
	struct buf line = BUF_INIT(16 * 1024);
	struct view out = VIEW_NONE;

	header_unfold(&line, value);
	if (!line.overflow && (r->utf8 || ascii_is_all(buf_view(&line))))
		out = arena_view(&n->arena, view_trim(buf_view(&line)));
	buf_done(&line);
	return out;
}

/* enable_threaded_bounces: a header that cannot be read costs only this. */
static void
thread_find(struct notice *n, struct report *r)
{
	struct view header;
	struct header_field f;
	const char *why;

	if (!bounce.conf->enable_threaded_bounces || !original_header(n, &header, &why))
		return;
	while (header_next(&header, &f)) {
		if (header_is(&f, VIEW("Message-ID")) && f.value.n <= MESSAGE_ID_LENGTH)
			r->thread_id = thread_value(n, r, f.value);
		else if (header_is(&f, VIEW("References")))
			r->thread = thread_value(n, r, f.value);
	}
}

static void
report_fill(struct notice *n, const struct report_kind *kind, struct report *r)
{
	const struct conf_values *v = bounce.conf;
	unsigned eight_bit = QUEUE_FLAG_8BIT_HEADER;

	*r = (struct report){
		.kind = kind,
		.hostname = v->myhostname,
		.mail_name = v->mail_name,
		.utf8 = has_utf8_address(n),
		.now = clock_wall(),
		.original = original_choose(n, kind),
		.queue_id = n->request.queue_id,
		.sender = n->request.sender,
		.envelope_id = n->request.envelope_id,
		.arrival = (microseconds)n->request.arrival,
		.recipients = n->recipients,
		.recipient_count = n->count,
	};
	if (r->original == REPORT_WHOLE)
		eight_bit |= QUEUE_FLAG_8BIT;
	r->is_8bit = (n->request.flags & eight_bit) != 0;
	r->words = words_for(kind->template, r->utf8);
	if (r->arrival)
		r->retry_until = r->arrival + v->maximal_queue_lifetime / 1000;
}

static bool
notice_send(struct notice *n, const struct report_kind *kind, struct view to,
    struct view sender, struct notice_status *status)
{
	struct report r;
	struct submission s = { .notice = n, .report = &r, .sender = sender };
	const char *why = NULL;

	report_fill(n, kind, &r);
	r.to = to;
	r.shows_final = !kind->to_sender || is_ours(to);
	thread_find(n, &r);
	if (!submit(&s, &why)) {
		status->why = view_of(why);
		return false;
	}
	log_info("%.*s: %s: %s", VIEW_ARG(n->request.queue_id), kind->log_name, s.id);
	status->notice_id = arena_view(&n->arena, view_of(s.id));
	return true;
}

static bool
has_class(const char *name)
{
	struct view rest = view_of(bounce.conf->notify_classes), word;

	while (view_next_word(&rest, ", \t\r\n", &word))
		if (view_eq_nocase(word, view_of(name)))
			return true;
	return false;
}

/* Best effort: the sender has been told. */
static void
copy_for_postmaster(struct notice *n)
{
	const struct report_kind *kind = report_kind_find(n->request.kind, true);
	bool is_delay = n->request.kind == NOTICE_DELAY;
	const char *to = is_delay ? bounce.conf->delay_notice_recipient
				  : bounce.conf->bounce_notice_recipient;
	struct notice_status status = { 0 };

	if (!kind || !has_class(is_delay ? "delay" : "bounce"))
		return;
	if (!notice_send(n, kind, configured_address(n, to),
		configured_address(n, bounce.conf->double_bounce_sender), &status))
		log_warn("%.*s: no copy for %s: %.*s", VIEW_ARG(n->request.queue_id), to,
		    VIEW_ARG(status.why));
}

void
notice_run(struct notice *n, struct notice_status *status)
{
	const struct report_kind *kind = report_kind_find(n->request.kind, false);
	struct view last = configured_address(n, bounce.conf->double_bounce_sender);

	*status = (struct notice_status){ .ok = true };
	for (size_t i = 0; i < n->count; i++)
		recipient_complete(n, &n->recipients[i]);
	if (address_eq_nocase(n->request.sender, last)) {
		log_warn("%.*s: undeliverable postmaster notification discarded",
		    VIEW_ARG(n->request.queue_id));
	} else if (!kind->to_sender) {
		status->ok = notice_send(n, kind,
		    configured_address(n, bounce.conf->p2bounce_notice_recipient), last,
		    status);
	} else if (n->request.sender.n == 0) {
		log_warn(
		    "%.*s: the sender is <>: nobody is told", VIEW_ARG(n->request.queue_id));
	} else {
		status->ok = notice_send(n, kind, n->request.sender, VIEW_NONE, status);
		if (status->ok)
			copy_for_postmaster(n);
	}
}
