/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision for one recipient, in the order of local(8): has this message been here before,
 * is the name an alias, is it an account.
 *
 * An alias that leads to one mailbox is delivered there at once. One that leads to several
 * places becomes a new message with all of them as recipients, so that each is retried on its
 * own and none gets the message twice; only the alias's own mailbox, when it names itself, is
 * served here, before.
 */
#include "base/mem.h"
#include "local/local.h"
#include "mail/address.h"
#include "mail/header.h"

/* Our Delivered-To: of this very address means that the message went in a circle. */
static bool
was_here_before(struct view header, struct view address)
{
	struct header_field f;
	struct buf own = BUF_INIT(4 * ADDRESS_MAX);
	bool found = false;

	address_quote(&own, address);
	while (!found && header_next(&header, &f))
		found = header_is(&f, VIEW("Delivered-To")) &&
		    view_eq_nocase(f.value, buf_view(&own));
	buf_done(&own);
	return found;
}

/* Parameters that send mail elsewhere, which nothing here can do so far: the mail waits. */
static const char *
unavailable_parameter(const struct conf_values *v)
{
	const struct {
		const char *name;
		const char *value;
	} unavailable[] = {
		{ "mailbox_transport", v->mailbox_transport },
		{ "mailbox_transport_maps", v->mailbox_transport_maps },
		{ "mailbox_command", v->mailbox_command },
		{ "mailbox_command_maps", v->mailbox_command_maps },
	};

	for (size_t i = 0; i < ARRAY_LEN(unavailable); i++)
		if (*unavailable[i].value)
			return unavailable[i].name;
	return NULL;
}

static struct outcome
unknown_user(struct delivery *d, struct view name)
{
	const struct conf_values *v = local.conf;

	if (*v->fallback_transport || *v->fallback_transport_maps || *v->luser_relay)
		return outcome_make(&d->arena, DELIVER_DEFERRED, "4.3.5",
		    "unknown user: \"%.*s\"; fallback_transport and luser_relay are not "
		    "available yet",
		    VIEW_ARG(name));
	return outcome_make(
	    &d->arena, DELIVER_BOUNCED, "5.1.1", "unknown user: \"%.*s\"", VIEW_ARG(name));
}

/* The account of a name in any case, with its extension taken off when the whole is none. */
static enum table_result
account_find(struct delivery *d, struct view name, struct mailbox_request *m, struct user *user,
    const char **why)
{
	char *lower = arena_dup(&d->arena, name);
	enum table_result found;

	for (char *p = lower; *p; p++)
		*p = char_lower(*p);
	m->local = (struct view){ lower, name.n };
	m->extension = VIEW_NONE;
	found = user_find(&d->arena, m->local, user, why);
	if (found == TABLE_NOT_FOUND &&
	    address_split_extension(
		m->local, local.conf->recipient_delimiter, &m->local, &m->extension)) {
		m->delimiter = m->local.p[m->local.n];
		found = user_find(&d->arena, m->local, user, why);
	}
	return found;
}

static struct outcome
to_mailbox(struct delivery *d, const struct deliver_recipient *r, struct view name,
    struct view domain, struct view sender)
{
	struct mailbox_request m = { .recipient = r, .sender = sender, .domain = domain };
	const char *parameter = unavailable_parameter(local.conf);
	const char *why = "";
	struct user user;

	if (parameter)
		return outcome_make(&d->arena, DELIVER_DEFERRED, "4.3.5",
		    "%s is set, and delivery by it is not available yet", parameter);
	switch (account_find(d, name, &m, &user, &why)) {
	case TABLE_NOT_FOUND:
		return unknown_user(d, name);
	case TABLE_CANNOT_TELL:
		return outcome_make(&d->arena, DELIVER_DEFERRED, "4.3.0",
		    "user lookup failed: %s", why ? why : "unknown error");
	default:
		m.user = &user;
		return mailbox_deliver(d, &m);
	}
}

/* All destinations as addresses. */
static const struct destination *
forward_list(struct delivery *d, const struct expansion *x, struct view domain)
{
	struct destination *list = x->forwards;

	for (const struct destination *m = x->mailboxes; m; m = m->next) {
		struct destination *item = ARENA_NEW(&d->arena, struct destination);

		item->text = view_of(
		    arena_printf(&d->arena, "%.*s@%.*s", VIEW_ARG(m->text), VIEW_ARG(domain)));
		item->next = list;
		list = item;
	}
	return list;
}

static struct outcome
expansion_deliver(struct delivery *d, const struct deliver_recipient *r,
    const struct expansion *x, struct view name, struct view domain)
{
	struct view sender = x->has_owner ? x->owner : d->request.sender;
	size_t others = x->mailbox_count + x->forward_count;
	struct forwarding to = {
		.sender = sender,
		.is_expansion = x->has_owner || x->has_self || others > 1,
		.has_owner = x->has_owner,
	};
	struct outcome o;

	if (others == 0 && !x->has_self)
		return outcome_make(&d->arena, DELIVER_BOUNCED, "5.4.6",
		    "mail forwarding loop for %.*s: its alias leads back to itself only",
		    VIEW_ARG(name));
	if (x->mailbox_count == 1 && others == 1 && !x->has_self)
		return to_mailbox(d, r, x->mailboxes->text, domain, sender);
	if (x->has_self) {
		o = to_mailbox(d, r, x->self, domain, sender);
		if (o.result != DELIVER_SENT || others == 0)
			return o;
	}
	to.recipients = forward_list(d, x, domain);
	return forward_submit(d, r, &to);
}

struct outcome
recipient_deliver(struct delivery *d, const struct deliver_recipient *r)
{
	struct view name, domain, header;
	struct expansion x = { 0 };
	const char *why = NULL;

	header = delivery_header(d, &why);
	if (why)
		return outcome_make(
		    &d->arena, DELIVER_DEFERRED, "4.3.0", "queue file read error: %s", why);
	if (was_here_before(header, r->address))
		return outcome_make(&d->arena, DELIVER_BOUNCED, "5.4.6",
		    "mail forwarding loop for %.*s", VIEW_ARG(r->address));
	address_split(r->address, &name, &domain);
	if (domain.n == 0)
		domain = view_of(local.conf->myorigin);
	expand(d, name, domain, &x);
	if (x.failed)
		return x.failure;
	return expansion_deliver(d, r, &x, name, domain);
}
