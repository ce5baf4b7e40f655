/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that talks to libunbound: its cache, its validation, its questions to name
 * servers. A task leaves its question in a list; a timer hands it over from the loop itself,
 * because libunbound wants more stack than a task has. The answer comes as a packet, and is
 * parsed by lib/dns.
 *
 * The context is complete before the jail: a question that libunbound answers itself makes it
 * read its files and set up its cryptography.
 */
#include <unbound-event.h>
#include <unbound.h>

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/packet.h"
#include "resolver/events.h"
#include "resolver/resolver.h"
#include "task/task.h"

#define CLASS_IN      1
#define RCODE_NO_NAME 3
#define SEC_BOGUS     1
#define WHY_MAX       200 /* bytes of what libunbound says */
#define SEC_SECURE    2
#define ROOT_SERVER_V6                                                                         \
	{                                                                                      \
		0x20, 0x01, 0x05, 0x03, 0xba, 0x3e, [13] = 2, [15] = 0x30                      \
	}

/* Of one task; it lies on that task's stack, so the callback must not come after the task. */
struct question {
	struct list link; /* of upstream.asked or upstream.pending */
	const struct dns_name *name;
	enum dns_type type;
	struct task_cond answered;
	bool handed_over, done, abandoned;
	int id; /* libunbound's, for ub_cancel */
	int rcode, security;
	struct buf packet;
	char *why_bogus;
};

static struct upstream {
	struct ub_ctx *context;
	struct list pending; /* to be handed over by the timer */
	struct list asked;
	struct task_timer *hand_over;
	struct task_limit places;
} upstream = {
	.pending = { &upstream.pending, &upstream.pending },
	.asked = { &upstream.asked, &upstream.asked },
};

static bool
set(const char *option, const char *value, char **why)
{
	int rc = ub_ctx_set_option(upstream.context, option, value);

	if (rc == 0)
		return true;
	*why = mem_printf("libunbound: %s %s: %s", option, value, ub_strerror(rc));
	return false;
}

static bool
set_number(const char *option, size_t number, char **why)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", number);
	return set(option, text, why);
}

/* Whether the kernel knows a way to the world of IPv6; nothing is sent. */
static bool
has_ipv6(void)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
		.sin6_port = htons(53),
		.sin6_addr.s6_addr = ROOT_SERVER_V6 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool reachable = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;

	file_close(&fd);
	return reachable;
}

static bool
set_forwarders(char *const *forwarders, char **why)
{
	bool six = has_ipv6();

	/* A forwarder may itself have to ask before it answers: no haste. */
	if (forwarders[0] != NULL && !set("infra-cache-min-rtt:", "1000", why))
		return false;

	for (char *const *f = forwarders; *f; f++) {
		int rc = ub_ctx_set_fwd(upstream.context, *f);

		if (rc != 0) {
			*why = mem_printf("forwarder %s: %s", *f, ub_strerror(rc));
			return false;
		}
		six = six || strchr(*f, ':') != NULL;
	}
	return set("do-ip6:", six ? "yes" : "no", why);
}

static bool
set_anchors(const struct upstream_settings *s, char **why)
{
	struct view rest = view_of(s->insecure), word;
	int rc;

	if (s->trust_anchors[0] == '\0')
		return set("module-config:", "iterator", why);
	rc = ub_ctx_add_ta_file(upstream.context, s->trust_anchors);
	if (rc != 0) {
		*why = mem_printf("%s: %s", s->trust_anchors, ub_strerror(rc));
		return false;
	}
	if (s->may_be_stripped && !set("harden-dnssec-stripped:", "no", why))
		return false;
	while (view_next_word(&rest, ", \t\r\n", &word)) {
		char *domain = mem_dup(word.p, word.n);
		bool ok = set("domain-insecure:", domain, why);

		mem_free(domain);
		if (!ok)
			return false;
	}
	return true;
}

/*
 * Sizes: half of the cache for records, the rest for messages and keys. A port is a descriptor
 * while a question is on its way. Reverse names of private networks are asked for like others:
 * whoever has forwarders for them gets answers.
 */
static bool
configure(const struct upstream_settings *s, char **why)
{
	ub_ctx_debugout(upstream.context, s->debug ? stderr : NULL);
	(void)ub_ctx_debuglevel(upstream.context, s->debug ? 2 : 0);
	return set_number("rrset-cache-size:", s->cache_size / 2, why) &&
	    set_number("msg-cache-size:", s->cache_size / 4, why) &&
	    set_number("key-cache-size:", s->cache_size / 8, why) &&
	    set_number("neg-cache-size:", s->cache_size / 8, why) &&
	    set_number("outgoing-range:", s->query_limit, why) &&
	    set_number("num-queries-per-thread:", 2 * s->query_limit, why) &&
	    set("outgoing-num-tcp:", "20", why) && set("do-not-query-localhost:", "no", why) &&
	    set("unblock-lan-zones:", "yes", why) && set("insecure-lan-zones:", "yes", why) &&
	    set_forwarders(s->forwarders, why) && set_anchors(s, why);
}

static void
ignore_answer(void *context, int rcode, void *packet, int size, int security, char *why_bogus,
    int limited)
{
	(void)context;
	(void)rcode;
	(void)packet;
	(void)size;
	(void)security;
	(void)why_bogus;
	(void)limited;
}

/*
 * Asks for a name that libunbound knows by itself. Names for tests and homes, which are
 * nobody's in the world, may be known to forwarders.
 */
static bool
complete(bool has_forwarders, char **why)
{
	int rc = ub_resolve_event(
	    upstream.context, "localhost", DNS_A, CLASS_IN, NULL, ignore_answer, NULL);

	if (rc == 0 && has_forwarders)
		rc = ub_ctx_zone_remove(upstream.context, "test.");
	if (rc == 0 && has_forwarders)
		rc = ub_ctx_zone_remove(upstream.context, "home.arpa.");
	if (rc != 0)
		*why = mem_printf("libunbound: %s", ub_strerror(rc));
	return rc == 0;
}

bool
upstream_open(const struct upstream_settings *s, char **why)
{
	task_limit_init(&upstream.places, s->query_limit);
	upstream.context = ub_ctx_create_ub_event(events_base());
	if (upstream.context == NULL) {
		*why = mem_strdup("libunbound cannot be set up");
		return false;
	}
	return configure(s, why) && complete(s->forwarders[0] != NULL, why);
}

void
upstream_close(void)
{
	task_timer_free(&upstream.hand_over);
	if (upstream.context)
		ub_ctx_delete(upstream.context);
	upstream.context = NULL;
}

/* There are names from outside in it, and it ends up in notices. */
static char *
printable(const char *text)
{
	char *copy = mem_strdup(text);

	for (size_t i = 0; copy[i]; i++) {
		if (copy[i] < ' ' || copy[i] > '~')
			copy[i] = '?';
		if (i == WHY_MAX)
			copy[i] = '\0';
	}
	return copy;
}

static void
on_answer(void *context, int rcode, void *packet, int size, int security, char *why_bogus,
    int limited)
{
	struct question *q = context;

	(void)limited;
	q->rcode = rcode;
	q->security = security;
	if (packet && size > 0)
		(void)buf_append(&q->packet, packet, (size_t)size);
	if (security == SEC_BOGUS && why_bogus)
		q->why_bogus = printable(why_bogus);
	q->done = true;
	task_cond_signal(&q->answered);
}

static void
hand_over(void *context)
{
	struct list *link;

	(void)context;
	while ((link = list_pop(&upstream.pending)) != NULL) {
		struct question *q = LIST_ITEM(link, struct question, link);
		const char *name = q->name->n ? q->name->text : ".";
		int rc;

		list_append(&upstream.asked, &q->link);
		q->handed_over = true;
		rc = ub_resolve_event(
		    upstream.context, name, (int)q->type, CLASS_IN, q, on_answer, &q->id);
		if (rc != 0)
			on_answer(q, -1, NULL, 0, 0, NULL, 0);
	}
}

static void
question_start(struct question *q)
{
	if (upstream.hand_over == NULL)
		upstream.hand_over = task_timer_new(hand_over, NULL);
	list_append(&upstream.pending, &q->link);
	task_timer_set(upstream.hand_over, clock_deadline(0));
}

static void
question_end(struct question *q)
{
	list_remove(&q->link);
	if (q->handed_over && !q->done)
		(void)ub_cancel(upstream.context, q->id);
	mem_free(q->why_bogus);
	buf_done(&q->packet);
}

static void
fail(struct dns_answer *out, const char *why)
{
	out->result = DNS_TRY_AGAIN;
	out->count = 0;
	out->why = why;
}

static void
conclude(const struct question *q, struct arena *arena, struct dns_answer *out)
{
	out->bogus = q->security == SEC_BOGUS;
	if (out->bogus)
		fail(out,
		    arena_printf(arena,
			"Host not found, try again: DNSSEC validation failed%s%s",
			q->why_bogus ? ": " : "", q->why_bogus ? q->why_bogus : ""));
	else if (!q->done)
		fail(out, "Host not found, try again: no answer in time");
	else if (q->packet.len > 0 && (q->rcode == 0 || q->rcode == RCODE_NO_NAME))
		dns_packet_parse(
		    buf_view(&q->packet), dns_name_view(q->name), q->type, arena, out);
	else
		fail(out, dns_result_text(DNS_TRY_AGAIN));
	out->secure = q->security == SEC_SECURE && out->result != DNS_TRY_AGAIN;
}

bool
upstream_ask(const struct dns_name *name, enum dns_type type, struct arena *arena,
    struct dns_answer *out, nanoseconds deadline)
{
	struct question q = { .name = name, .type = type, .packet = BUF_INIT(65536) };
	bool answered;

	if (task_limit_take(&upstream.places, deadline) != TASK_OK) {
		fail(out, "Host not found, try again: too many questions");
		return !task_is_cancelled();
	}
	task_cond_init(&q.answered);
	question_start(&q);
	while (!q.done && !q.abandoned)
		if (task_cond_wait(&q.answered, deadline) != TASK_OK)
			break;
	answered = !q.abandoned && (q.done || !task_is_cancelled());
	if (answered)
		conclude(&q, arena, out);
	question_end(&q);
	task_limit_give(&upstream.places);
	return answered;
}

static void
abandon(struct list *questions)
{
	list_for_each (link, questions) {
		struct question *q = LIST_ITEM(link, struct question, link);

		q->abandoned = true;
		task_cond_signal(&q->answered);
	}
}

void
upstream_abandon(void)
{
	abandon(&upstream.pending);
	abandon(&upstream.asked);
}
