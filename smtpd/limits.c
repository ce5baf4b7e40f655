/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one client may take: connections at one time, and time for the content of a message. The
 * counters of errors and junk commands live in the session (they survive RSET and EHLO).
 *
 * Connections are counted here and by anvil, which knows those of all smtpd processes. When it
 * cannot be asked, this process's own number has to do, and rates are not limited.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"
#include "smtpd/counting.h"

/* How the log calls what has a rate. */
static const char *const event_names[ANVIL_KIND_COUNT] = {
	[ANVIL_CONNECTION] = "Connection",
	[ANVIL_MESSAGE] = "Message delivery request",
	[ANVIL_RECIPIENT] = "Recipient address",
	[ANVIL_NEW_TLS] = "New TLS session",
	[ANVIL_AUTH] = "AUTH command",
};

static bool
key_is_ipv4(const uint8_t key[16])
{
	static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };

	return memcmp(key, mapped, sizeof(mapped)) == 0;
}

/* The address cut to smtpd_client_ipv4_prefix_length or ..._ipv6_prefix_length. */
static void
client_key(const struct session *s, uint8_t key[16])
{
	unsigned bits;

	peer_key(&s->peer.sa, key);
	bits = key_is_ipv4(key) ? 96 + (unsigned)server.v->smtpd_client_ipv4_prefix_length
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

/* "192.0.2.1", or "192.0.2.0/24" when the prefix is not all of it. */
static void
range_print(const uint8_t key[16], char out[ANVIL_CLIENT_MAX + 1])
{
	bool is_ipv4 = key_is_ipv4(key);
	int bits = is_ipv4 ? server.v->smtpd_client_ipv4_prefix_length
			   : server.v->smtpd_client_ipv6_prefix_length;
	size_t n;

	inet_ntop(
	    is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? key + 12 : key, out, ANVIL_CLIENT_MAX + 1);
	n = strlen(out);
	if (bits < (is_ipv4 ? 32 : 128))
		snprintf(out + n, ANVIL_CLIENT_MAX + 1 - n, "/%d", bits);
}

static bool
is_limited(const struct session *s)
{
	const struct conf_values *v = server.v;
	const char *why;

	if (s->is_local ||
	    (v->smtpd_client_connection_count_limit <= 0 &&
		v->smtpd_client_connection_rate_limit <= 0 &&
		v->smtpd_client_message_rate_limit <= 0 &&
		v->smtpd_client_recipient_rate_limit <= 0 &&
		v->smtpd_client_new_tls_session_rate_limit <= 0 &&
		v->smtpd_client_auth_rate_limit <= 0))
		return false;
	return match_list_has_address(server.event_exceptions,
		   (const struct sockaddr *)&s->peer.sa, view_of(s->peer.name),
		   &why) != TABLE_FOUND;
}

static bool
is_exceeded(const struct session *s, const char *what, uint64_t number, int limit)
{
	if (limit <= 0 || number <= (uint64_t)limit)
		return false;
	log_warn("%s limit exceeded: %llu from %s for service %s", what,
	    (unsigned long long)number, s->peer.label, service_name());
	return true;
}

bool
client_count(struct session *s)
{
	int count_limit = server.v->smtpd_client_connection_count_limit;
	int rate_limit = server.v->smtpd_client_connection_rate_limit;
	struct anvil_counts counts = { 0 };
	uint8_t key[16];
	struct view k = { (const char *)key, sizeof(key) };
	struct client *client;

	s->is_limited = is_limited(s);
	if (!s->is_limited || (count_limit <= 0 && rate_limit <= 0))
		return true;
	client_key(s, key);
	client = hash_find(server.clients, k);
	if (!client) {
		client = NEW(struct client);
		range_print(key, client->range);
		hash_put(server.clients, k, client);
	}
	s->counted = true;
	client->connections++;
	if (!counting_connect(server.counting, client, &counts) ||
	    counts.connections < client->connections)
		counts.connections = client->connections;
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	return !is_exceeded(s, "Connection concurrency", counts.connections, count_limit) &&
	    !is_exceeded(s, "Connection rate", counts.rate, rate_limit);
}

void
client_uncount(struct session *s)
{
	struct client *client;
	uint8_t key[16];
	struct view k = { (const char *)key, sizeof(key) };

	if (!s->counted)
		return;
	s->counted = false;
	client_key(s, key);
	client = hash_find(server.clients, k);
	if (!client)
		return;
	client->connections--;
	counting_disconnect(server.counting, client);
	if (client->connections == 0)
		mem_free(hash_remove(server.clients, k));
}

bool
client_event(struct session *s, enum anvil_kind kind, int limit)
{
	char range[ANVIL_CLIENT_MAX + 1], what[48];
	struct anvil_counts counts;
	uint8_t key[16];

	if (!s->is_limited || limit <= 0)
		return true;
	client_key(s, key);
	range_print(key, range);
	if (!counting_event(server.counting, range, kind, &counts))
		return true;
	s->deadline = clock_deadline(server.v->smtpd_timeout);
	snprintf(what, sizeof(what), "%s rate", event_names[kind]);
	return !is_exceeded(s, what, counts.rate, limit);
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
