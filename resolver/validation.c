/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bogus answer is mostly the fault of the domain that it is about. When the root itself
 * cannot be validated it is ours: forwarders leave signatures out. Those that were named for us
 * must not, so every answer is bogus and mail would wait without anybody knowing why; from
 * those of resolv.conf, that we found, answers are taken as they are, and nothing is secure.
 * Either way we look at the root, now and then, and say what can be done.
 */
#include "base/log.h"
#include "resolver/resolver.h"
#include "task/task.h"

#define LOOK_EVERY (600 * SECOND)
#define PATIENCE   (20 * SECOND)

static nanoseconds next_look;
static bool is_told; /* that nothing is secure */

static void
look_at_root(void *unused)
{
	static const struct dns_name root;
	struct arena arena = ARENA_INIT;
	struct dns_answer answer = { 0 };

	(void)unused;
	if (!upstream_ask(&root, DNS_NS, &arena, &answer, clock_deadline(PATIENCE)))
		answer.result = DNS_TRY_AGAIN;
	if (answer.bogus) {
		log_warn(
		    "no answer of the name servers can be validated, and no mail can be sent: "
		    "name others in resolver_forwarders, or do without validation by "
		    "\"resolver_trust_anchor_file =\"");
	} else if (answer.result != DNS_TRY_AGAIN && !answer.secure && !is_told) {
		is_told = true;
		log_info(
		    "the name servers in /etc/resolv.conf do not pass on DNSSEC signatures: "
		    "answers are not validated");
	}
	arena_reset(&arena);
}

void
validation_note(const struct dns_answer *answer, bool may_be_stripped)
{
	nanoseconds now = clock_now();
	bool in_doubt = answer->bogus || (may_be_stripped && !answer->secure && !is_told);

	if (answer->secure)
		is_told = true; /* it need not be: all is well */
	if (!in_doubt || now < next_look)
		return;
	next_look = now + LOOK_EVERY;
	(void)task_spawn("root", look_at_root, NULL);
}
