/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which mailbox, in which format, under whose name, and the lines that go on top of the
 * message.
 */
#include <string.h>
#include <unistd.h>

#include "local/local.h"
#include "mail/address.h"
#include "mail/mbox.h"
#include "queue/queue_file.h"

struct mailbox_place {
	const char *account; /* who writes */
	enum worker_place place;
	struct view root;
	struct view path; /* below root, without a slash at its end */
	bool is_maildir;
};

/*
 * Root's own mail is never written as root: it goes to the spool directory as default_privs. An
 * alias for root is the better answer.
 */
static bool
place_find(
    struct delivery *d, const struct user *user, struct mailbox_place *p, struct outcome *o)
{
	const struct conf_values *v = local.conf;
	struct view where = view_of(v->home_mailbox);
	bool is_root = user->uid == 0 && service_runs_as_root();

	p->account = is_root ? v->default_privs : user->name;
	if (where.n && !is_root) {
		p->place = WORKER_HOME;
		p->root = view_of(user->home);
		p->is_maildir = view_has_suffix(where, VIEW("/"));
	} else {
		p->place = WORKER_SPOOL;
		p->root = view_of(v->mail_spool_directory);
		p->is_maildir = view_has_suffix(p->root, VIEW("/"));
		where = view_of(user->name);
	}
	while (view_has_suffix(where, VIEW("/")))
		where.n--;
	p->path = arena_view(&d->arena, where);
	if (p->root.n && p->root.p[0] == '/' && where.n && where.p[0] != '/')
		return true;
	*o = outcome_make(&d->arena, DELIVER_DEFERRED, "4.3.5",
	    "home_mailbox and mail_spool_directory do not make a mailbox for \"%s\"",
	    user->name);
	return false;
}

static void
print_line(struct buf *out, const char *name, struct view address)
{
	buf_printf(out, "%s: ", name);
	address_quote(out, address);
	buf_append_char(out, '\n');
}

/* From (mbox), Return-Path, X-Original-To, Delivered-To: in this order. */
static struct view
prefix_make(struct delivery *d, const struct mailbox_request *r, bool is_maildir)
{
	const struct deliver_recipient *recipient = r->recipient;
	struct buf out = BUF_INIT(20 * ADDRESS_MAX), lower = BUF_INIT(ADDRESS_MAX);
	struct view text;

	if (!is_maildir)
		mbox_from_line_print(&out, r->sender, (microseconds)d->request.arrival);
	buf_append_str(&out, "Return-Path: <");
	address_quote(&out, r->sender);
	buf_append_str(&out, ">\n");
	if (local.conf->enable_original_recipient)
		print_line(&out, "X-Original-To",
		    recipient->original.n ? recipient->original : recipient->address);
	for (size_t i = 0; i < recipient->address.n; i++)
		buf_append_char(&lower, char_lower(recipient->address.p[i]));
	print_line(&out, "Delivered-To", buf_view(&lower));
	text = arena_view(&d->arena, buf_view(&out));
	buf_done(&lower);
	buf_done(&out);
	return text;
}

struct outcome
mailbox_deliver(struct delivery *d, const struct mailbox_request *r)
{
	const struct conf_values *v = local.conf;
	const struct deliver_request *q = &d->request;
	struct mailbox_place p = { 0 };
	struct outcome o;
	struct mailbox_job job;

	if (!place_find(d, r->user, &p, &o))
		return o;
	job = (struct mailbox_job){
		.message = q->message,
		.header_offset = q->header_offset,
		.header_length = q->header_length,
		.body_offset = q->body_offset,
		.body_length = q->body_length,
		.body_crc = q->body_crc,
		.prefix = prefix_make(d, r, p.is_maildir),
		.root = p.root,
		.path = p.path,
		.is_maildir = p.is_maildir,
		.locks = view_of(v->mailbox_delivery_lock),
		.lock_attempts = (uint64_t)v->deliver_lock_attempts,
		.lock_delay = (uint64_t)v->deliver_lock_delay,
		.stale_time = (uint64_t)v->stale_lock_time,
		.size_limit = (uint64_t)v->mailbox_size_limit,
		.forwards = forward_paths(&d->arena, r),
	};
	return worker_pool_ask(&d->arena, p.account, p.place, &job);
}
