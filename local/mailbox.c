/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which mailbox, in which format, under whose name, and the lines that go on top of the
 * message.
 */
#include "local/local.h"
#include "mail/address.h"
#include "mail/mbox.h"

static void
print_line(struct buf *out, const char *name, struct view address)
{
	buf_printf(out, "%s: ", name);
	address_quote(out, address);
	buf_append_char(out, '\n');
}

bool
delivered_to_is_wanted(struct view context)
{
	struct view rest = view_of(local.conf->prepend_delivered_header), word;

	while (view_next_word(&rest, ", \t\r\n", &word))
		if (view_eq_nocase(word, context))
			return true;
	return false;
}

/* From (mbox), Return-Path, X-Original-To, Delivered-To: in this order. */
static struct view
prefix_make(struct delivery *d, const struct mailbox_request *r, enum worker_place kind)
{
	const struct conf_values *v = local.conf;
	const struct deliver_recipient *recipient = r->recipient;
	struct buf out = BUF_INIT(20 * ADDRESS_MAX), lower = BUF_INIT(ADDRESS_MAX);
	struct view text;

	if (!place_is_maildir(v, kind))
		mbox_from_line_print(&out, r->sender, (microseconds)d->request.arrival);
	buf_append_str(&out, "Return-Path: <");
	address_quote(&out, r->sender);
	buf_append_str(&out, ">\n");
	if (v->enable_original_recipient)
		print_line(&out, "X-Original-To",
		    recipient->original.n ? recipient->original : recipient->address);
	if (delivered_to_is_wanted(VIEW("file"))) {
		for (size_t i = 0; i < recipient->address.n; i++)
			buf_append_char(&lower, char_lower(recipient->address.p[i]));
		print_line(&out, "Delivered-To", buf_view(&lower));
	}
	text = arena_view(&d->arena, buf_view(&out));
	buf_done(&lower);
	buf_done(&out);
	return text;
}

/*
 * Root's own mail is never written as root: it goes to the spool directory with the rights of
 * default_privs, and a .forward of root's is not looked for. An alias is the better answer.
 */
static struct outcome
root_hint(struct delivery *d, const struct outcome *o)
{
	return outcome_make(&d->arena, o->result, o->dsn,
	    "%s (mail for root is delivered with the rights of default_privs: give root an "
	    "alias)",
	    o->reason);
}

struct outcome
mailbox_deliver(struct delivery *d, const struct mailbox_request *r)
{
	const struct deliver_request *q = &d->request;
	bool is_root = r->user->uid == 0 && service_runs_as_root();
	enum worker_place kind = place_kind(local.conf, is_root);
	struct mailbox_job job = {
		.message = q->message,
		.header_offset = q->header_offset,
		.header_length = q->header_length,
		.body_offset = q->body_offset,
		.body_length = q->body_length,
		.body_crc = q->body_crc,
		.prefix = prefix_make(d, r, kind),
		.forwards = forward_paths(&d->arena, r),
	};
	struct outcome o = worker_pool_ask(&d->arena, r->user->name, kind, &job);

	return is_root && o.result != DELIVER_SENT ? root_hint(d, &o) : o;
}
