/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bogus answer is mostly the fault of the domain that it is about. When the root itself
 * cannot be validated it is ours: forwarders that leave signatures out make every answer bogus,
 * and mail would wait without anybody knowing why. So a bogus answer makes us look at the root,
 * now and then, and say what can be done.
 */
#include "base/log.h"
#include "resolver/resolver.h"
#include "task/task.h"

#define LOOK_EVERY (600 * SECOND)
#define PATIENCE   (20 * SECOND)

static nanoseconds next_look;

static void
look_at_root(void *unused)
{
	static const struct dns_name root;
	struct arena arena = ARENA_INIT;
	struct dns_answer answer = { 0 };

	(void)unused;
	if (upstream_ask(&root, DNS_NS, &arena, &answer, clock_deadline(PATIENCE)) &&
	    answer.bogus)
		log_warn(
		    "no answer of the name servers can be validated, and no mail can be sent: "
		    "name others in resolver_forwarders, or do without validation by "
		    "\"resolver_trust_anchor_file =\"");
	arena_reset(&arena);
}

void
validation_failed(void)
{
	nanoseconds now = clock_now();

	if (now < next_look)
		return;
	next_look = now + LOOK_EVERY;
	(void)task_spawn("root", look_at_root, NULL);
}
