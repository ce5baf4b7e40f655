/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope's recipients: standard form, expansion by virtual_alias_maps, the duplicate
 * filter, -t extraction, always_bcc.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/header.h"
#include "route/route.h"
#include "route/virtual_alias.h"

#define EXTRACT_MAX        50000 /* recipients that -t may find in one message */
#define RECIPIENT_OVERHEAD 32    /* bytes of a stored recipient besides its texts */
#define QUEUE_NOTIFY_ALL                                                                       \
	(QUEUE_NOTIFY_NEVER | QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY)

/*
 * The same address with the same original and DSN wishes is one recipient
 * (duplicate_filter_limit of them are remembered; 0: all).
 */
static bool
is_duplicate(struct message *m, const struct queue_recipient *q)
{
	size_t limit = (size_t)cleanup.conf->duplicate_filter_limit;
	struct buf key = BUF_INIT(8 * ADDRESS_MAX);
	bool found;

	if (!m->recipients_seen)
		m->recipients_seen = hash_new();
	buf_printf(&key, "%u", q->notify);
	buf_append_char(&key, '\0');
	buf_append_view(&key, q->dsn_orcpt);
	buf_append_char(&key, '\0');
	buf_append_view(&key, q->original);
	buf_append_char(&key, '\0');
	buf_append_view(&key, q->address);
	for (size_t i = 0; i < key.len; i++)
		key.data[i] = char_lower(key.data[i]);
	found = hash_find(m->recipients_seen, buf_view(&key)) != NULL;
	if (!found && (limit == 0 || hash_count(m->recipients_seen) < limit))
		hash_put(m->recipients_seen, buf_view(&key), m);
	buf_done(&key);
	return found;
}

static void
recipient_store(struct message *m, struct queue_recipient *q)
{
	if (!cleanup.conf->enable_original_recipient)
		q->original = q->address;
	if (message_is_refused(m) || is_duplicate(m, q))
		return;
	m->recipients_size +=
	    RECIPIENT_OVERHEAD + q->address.n + q->original.n + q->dsn_orcpt.n;
	if (m->recipients_size > CLEANUP_RECIPIENTS_MAX)
		message_refuse(m, SUBMIT_REJECT, "5.5.3", "Error: too many recipients");
	else
		queue_writer_recipient(m->writer, q);
}

/* As it is, or what virtual_alias_maps make of it: original and DSN wishes go along. */
static void
recipient_expand(struct message *m, struct queue_recipient *q)
{
	struct virtual_alias_result found = { 0 };
	struct arena arena = ARENA_INIT;
	const char *why = NULL;
	enum table_result result = cleanup.router
	    ? virtual_alias_expand(cleanup.router, q->address, &arena, &found, &why)
	    : TABLE_NOT_FOUND;

	if (result == TABLE_CANNOT_TELL) {
		log_warn("%s: virtual_alias_maps map lookup problem -- message not accepted, "
			 "try again later: %s",
		    queue_writer_id(m->writer), why ? why : "unknown");
		message_refuse(m, SUBMIT_RETRY, "4.3.0", "Error: queue file write error");
	} else if (result == TABLE_NOT_FOUND) {
		recipient_store(m, q);
	}
	for (size_t i = 0; result == TABLE_FOUND && i < found.count; i++) {
		q->address = found.addresses[i];
		recipient_store(m, q);
	}
	arena_reset(&arena);
}

void
recipient_add(struct message *m, const struct submit_recipient *r)
{
	struct buf address = BUF_INIT(2 * ADDRESS_MAX);
	struct queue_recipient q = {
		.original = r->original.n ? r->original : r->address,
		.dsn_orcpt = r->dsn_orcpt,
		.notify = (unsigned)r->notify & QUEUE_NOTIFY_ALL,
	};

	route_standard_form(cleanup.conf, r->address, &address);
	q.address = buf_view(&address);
	if (address.overflow || !address.len || address.len > ADDRESS_MAX ||
	    q.original.n > ADDRESS_MAX || q.dsn_orcpt.n > 2 * ADDRESS_MAX) {
		message_refuse(m, SUBMIT_REJECT, "5.1.3", "bad recipient address syntax");
	} else {
		if (m->recipients_given++ == 0)
			m->first_recipient = arena_view(&m->arena, q.original);
		recipient_expand(m, &q);
	}
	buf_done(&address);
}

void
recipients_extract(struct message *m, struct view field_value)
{
	struct header_address_walk walk;
	struct header_address found;

	header_address_walk_init(&walk, field_value);
	while (!message_is_refused(m) && header_address_next(&walk, &found)) {
		struct submit_recipient r = { .address = found.address };

		if (found.address.n == 0)
			continue;
		if (m->recipients_given >= EXTRACT_MAX)
			message_refuse(m, SUBMIT_REJECT, "5.5.3", "Error: too many recipients");
		else
			recipient_add(m, &r);
	}
	/* A name that was meant and not understood must not be lost in silence. */
	if (walk.skipped || walk.truncated)
		message_refuse(m, SUBMIT_REJECT, "5.1.3", "bad address in message header");
	header_address_walk_done(&walk);
}

/*
 * A copy of new mail only, not of notices and of what is sent on: a full archive mailbox would
 * make notices about notices.
 */
void
recipients_add_always_bcc(struct message *m)
{
	const char *text = cleanup.conf->always_bcc;
	struct buf address = BUF_INIT(ADDRESS_MAX);
	struct submit_recipient r = { .notify = QUEUE_NOTIFY_NEVER };

	if (*text && (m->facts.source == SUBMIT_SMTP || m->facts.source == SUBMIT_LOCAL)) {
		if (address_unquote(&address, view_of(text))) {
			size_t given = m->recipients_given;

			r.address = buf_view(&address);
			recipient_add(m, &r);
			m->recipients_given = given; /* Received: must not tell */
		} else {
			log_warn(
			    "always_bcc: \"%s\" is not an address; no copy was made", text);
		}
	}
	buf_done(&address);
}
