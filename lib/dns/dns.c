/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asking side: a kept connection to the resolver, one question at a time on each. A
 * resolver that begins anew (other configuration, other /etc/resolv.conf) closes connections
 * without an answer, and master holds its socket meanwhile: the question goes to its successor.
 * Everything that goes wrong on the way is "try again".
 */
#include "dns/dns.h"

#include <errno.h>

#include "base/mem.h"
#include "dns/name.h"
#include "dns/packet.h"
#include "dns/proto.h"
#include "ipc/ipc_pool.h"
#include "task/task.h"

#define TRIES 4
#define GRACE (200 * MILLISECOND) /* for the resolver's own answer about a timeout */

struct dns_client {
	struct ipc_pool *resolver;
};

struct dns_client *
dns_client_new(struct ipc_pool *resolver)
{
	struct dns_client *c = NEW(struct dns_client);

	c->resolver = resolver;
	return c;
}

void
dns_client_free(struct dns_client **c)
{
	mem_free(*c);
	*c = NULL;
}

static void
fail(struct dns_answer *out, enum dns_result result, const char *why)
{
	*out = (struct dns_answer){ .result = result, .name = out->name };
	out->why = why ? why : dns_result_text(result);
}

static enum ipc_result
records_receive(struct ipc *connection, const struct resolver_answer *answer,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline)
{
	struct resolver_record record;
	enum ipc_result result;

	if (answer->count > DNS_RECORDS_MAX || answer->result > DNS_BAD_NAME ||
	    (answer->result == DNS_FOUND) != (answer->count > 0) ||
	    !dns_name_is_valid(answer->name))
		return IPC_PROTOCOL;
	out->result = (enum dns_result)answer->result;
	out->secure = answer->secure;
	out->bogus = answer->bogus;
	out->name = arena_view(arena, answer->name);
	out->why = arena_dup(arena, answer->why);
	out->count = (size_t)answer->count;
	out->records = arena_alloc(arena, (out->count + 1) * sizeof(*out->records));
	for (size_t i = 0; i < out->count; i++) {
		result = ipc_expect(connection, &resolver_record_message, &record, deadline);
		if (result != IPC_OK)
			return result;
		if (!resolver_record_decode(&record, arena, &out->records[i]))
			return IPC_PROTOCOL;
	}
	return IPC_OK;
}

static enum ipc_result
ask_on(struct ipc *connection, struct resolver_ask *question, struct arena *arena,
    struct dns_answer *out, nanoseconds deadline)
{
	nanoseconds left = deadline - clock_now();
	struct resolver_answer answer;
	enum ipc_result result;

	question->timeout = left > 0 ? (uint64_t)(left / MILLISECOND) : 0;
	result = ipc_send(connection, &resolver_ask_message, question, deadline);
	/* Its own answer, which says more than our timeout, is given a moment longer. */
	if (deadline < DEADLINE_NEVER - GRACE)
		deadline += GRACE;
	if (result == IPC_OK)
		result = ipc_expect(connection, &resolver_answer_message, &answer, deadline);
	if (result == IPC_OK)
		result = records_receive(connection, &answer, arena, out, deadline);
	return result;
}

static const char *
failure_text(enum ipc_result result)
{
	switch (result) {
	case IPC_TIMEOUT:
		return "Host not found, try again: no answer in time";
	case IPC_CANCELLED:
		return "cancelled";
	case IPC_PROTOCOL:
		return "malformed answer of the resolver service";
	default:
		return "lost connection to the resolver service";
	}
}

static void
ask(struct dns_client *c, struct resolver_ask *question, struct arena *arena,
    struct dns_answer *out, nanoseconds deadline)
{
	enum ipc_result result = IPC_EOF;
	bool reused = false;

	for (int fresh = 0; fresh < TRIES && (result == IPC_EOF || result == IPC_ERROR);
	     fresh += !reused) {
		struct ipc *connection = ipc_pool_take(c->resolver, deadline, &reused);

		if (connection == NULL) {
			fail(out, DNS_TRY_AGAIN,
			    arena_printf(
				arena, "connect to the resolver service: %s", strerror(errno)));
			return;
		}
		result = ask_on(connection, question, arena, out, deadline);
		if (result == IPC_OK) {
			ipc_pool_give(c->resolver, &connection);
			return;
		}
		ipc_free(&connection);
	}
	fail(out, DNS_TRY_AGAIN, failure_text(result));
}

static enum dns_result
look_up(struct dns_client *c, struct view text, enum dns_type type, bool native,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline)
{
	struct resolver_ask question = { .type = type, .native = native };
	struct dns_name name;

	*out = (struct dns_answer){ 0 };
	if (!dns_name_from_text(text, &name)) {
		fail(out, DNS_BAD_NAME, NULL);
		return out->result;
	}
	question.name = out->name = arena_view(arena, dns_name_view(&name));
	ask(c, &question, arena, out, deadline);
	return out->result;
}

enum dns_result
dns_lookup(struct dns_client *c, struct view name, enum dns_type type, struct arena *arena,
    struct dns_answer *out, nanoseconds deadline)
{
	return look_up(c, name, type, false, arena, out, deadline);
}

/* Both say something: one that is known beats one that is not, and a "no" needs two. */
static enum dns_result
merge(struct arena *arena, struct dns_answer *out, const struct dns_answer *more)
{
	struct dns_record *all;

	if (more->result != DNS_FOUND) {
		if (out->result != DNS_FOUND && more->result == DNS_TRY_AGAIN)
			*out = *more;
		else if (out->result == DNS_NO_SUCH_NAME && more->result == DNS_NO_DATA)
			*out = *more;
		return out->result;
	}
	if (out->result != DNS_FOUND) {
		*out = *more;
		return out->result;
	}
	all = arena_alloc(arena, (out->count + more->count) * sizeof(*all));
	memcpy(all, out->records, out->count * sizeof(*all));
	memcpy(all + out->count, more->records, more->count * sizeof(*all));
	out->records = all;
	out->count += more->count;
	out->secure = out->secure && more->secure;
	return out->result;
}

enum dns_result
dns_native_lookup(struct dns_client *c, struct view host, int family, struct arena *arena,
    struct dns_answer *out, nanoseconds deadline)
{
	struct dns_answer six;

	if (family == AF_INET6)
		return look_up(c, host, DNS_AAAA, true, arena, out, deadline);
	look_up(c, host, DNS_A, true, arena, out, deadline);
	if (family == AF_INET)
		return out->result;
	look_up(c, host, DNS_AAAA, true, arena, &six, deadline);
	return merge(arena, out, &six);
}

enum dns_result
dns_native_names(struct dns_client *c, int family, const unsigned char *address,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline)
{
	struct dns_name reverse;

	dns_name_of_address(family, address, &reverse);
	return look_up(c, dns_name_view(&reverse), DNS_PTR, true, arena, out, deadline);
}
