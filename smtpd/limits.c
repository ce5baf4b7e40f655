/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one client may take: connections at one time, and time for the content of a message. The
 * counters of errors and junk commands live in the session (they survive RSET and EHLO).
 *
 * Connections are counted in this process: with several smtpd processes each has its own count,
 * until a counting service is there to share one.
 */
#include "base/log.h"
#include "smtpd/smtpd.h"

struct client {
	unsigned connections;
};

/* The address cut to smtpd_client_ipv4_prefix_length or ..._ipv6_prefix_length. */
static void
client_key(const struct session *s, uint8_t key[16])
{
	static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };
	unsigned bits;

	peer_key(&s->peer.sa, key);
	bits = memcmp(key, mapped, sizeof(mapped)) == 0
	    ? 96 + (unsigned)server.v->smtpd_client_ipv4_prefix_length
	    : (unsigned)server.v->smtpd_client_ipv6_prefix_length;
	for (unsigned i = 0; i < 16; i++) {
		if (bits >= 8) {
			bits -= 8;
			continue;
		}
		key[i] &= (uint8_t)(0xFF00U >> bits);
		bits = 0;
	}
}

bool
client_count(struct session *s)
{
	int limit = server.v->smtpd_client_connection_count_limit;
	struct client *client;
	uint8_t key[16];
	const char *why;

	if (limit <= 0 || s->is_local ||
	    match_list_has_address(server.event_exceptions,
		(const struct sockaddr *)&s->peer.sa, view_of(s->peer.name),
		&why) == TABLE_FOUND)
		return true;
	client_key(s, key);
	client = hash_find(server.clients, (struct view){ (const char *)key, sizeof(key) });
	if (!client) {
		client = NEW(struct client);
		hash_put(
		    server.clients, (struct view){ (const char *)key, sizeof(key) }, client);
	}
	client->connections++;
	s->counted = true;
	if (client->connections <= (unsigned)limit)
		return true;
	log_warn("Connection concurrency limit exceeded: %u from %s for service %s",
	    client->connections, s->peer.label, service_name());
	return false;
}

void
client_uncount(struct session *s)
{
	struct client *client;
	uint8_t key[16];

	if (!s->counted)
		return;
	s->counted = false;
	client_key(s, key);
	client = hash_find(server.clients, (struct view){ (const char *)key, sizeof(key) });
	if (client && --client->connections == 0)
		mem_free(hash_remove(
		    server.clients, (struct view){ (const char *)key, sizeof(key) }));
}

/*
 * Until when the next piece of content must come. With a deadline per request the client has
 * smtpd_timeout and what its bytes have earned at smtpd_min_data_rate; without, each piece has
 * smtpd_timeout of its own.
 */
nanoseconds
content_deadline(nanoseconds start, uint64_t bytes)
{
	const struct conf_values *v = server.v;
	nanoseconds earned;

	if (!v->smtpd_per_request_deadline)
		return clock_deadline(v->smtpd_timeout);
	earned = (nanoseconds)(bytes / (uint64_t)v->smtpd_min_data_rate) * SECOND;
	return start + v->smtpd_timeout + earned;
}
