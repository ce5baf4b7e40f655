/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope's recipients: standard form, the duplicate filter, -t extraction, always_bcc.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/header.h"
#include "route/route.h"

#define EXTRACT_MAX 50000 /* recipients that -t may find in one message */

/* The same address with the same original is one recipient (duplicate_filter_limit of them). */
static bool
is_duplicate(struct message *m, struct view address, struct view original)
{
	struct buf key = BUF_INIT(2 * ADDRESS_MAX + 1);
	bool found;

	if (!m->seen)
		m->seen = hash_new();
	for (size_t i = 0; i < address.n; i++)
		buf_append_char(&key, char_lower(address.p[i]));
	buf_append_char(&key, '\0');
	buf_append_view(&key, original);
	found = hash_find(m->seen, buf_view(&key)) != NULL;
	if (!found && hash_count(m->seen) < (size_t)cleanup.conf->duplicate_filter_limit)
		hash_put(m->seen, buf_view(&key), m);
	buf_done(&key);
	return found;
}

void
recipient_add(struct message *m, const struct submit_recipient *r)
{
	struct buf address = BUF_INIT(2 * ADDRESS_MAX);
	struct view original = r->original.n ? r->original : r->address;

	route_standard_form(cleanup.conf, r->address, &address);
	if (address.len == 0 || address.len > ADDRESS_MAX) {
		message_refuse(m, SUBMIT_REJECT, "5.1.3", "bad recipient address syntax");
	} else if (!is_duplicate(m, buf_view(&address), original)) {
		struct queue_recipient q = {
			.address = buf_view(&address),
			.original = original,
			.dsn_orcpt = r->dsn_orcpt,
			.notify = (unsigned)r->notify,
		};

		if (queue_writer_recipient_count(m->writer) == 0)
			m->first_recipient = arena_view(&m->arena, original);
		queue_writer_recipient(m->writer, &q);
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
		if (queue_writer_recipient_count(m->writer) >= EXTRACT_MAX)
			message_refuse(m, SUBMIT_REJECT, "5.5.3", "too many recipients");
		else
			recipient_add(m, &r);
	}
	/* A name that was meant and not understood must not be lost in silence. */
	if (walk.skipped || walk.truncated)
		message_refuse(m, SUBMIT_REJECT, "5.1.3", "bad address in message header");
	header_address_walk_done(&walk);
}

/* Notices of our own are not copied: a full archive mailbox would make notices about notices.
 */
void
recipients_add_always_bcc(struct message *m)
{
	const char *text = cleanup.conf->always_bcc;
	struct buf address = BUF_INIT(ADDRESS_MAX);
	struct submit_recipient r = { .notify = QUEUE_NOTIFY_NEVER };

	if (*text && m->facts.source != SUBMIT_NOTICE) {
		if (address_unquote(&address, view_of(text))) {
			r.address = buf_view(&address);
			recipient_add(m, &r);
		} else {
			log_warn(
			    "always_bcc: \"%s\" is not an address; no copy was made", text);
		}
	}
	buf_done(&address);
}
