/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in texts, and the expansion of $name in any text. Subjects are those that mail
 * programs and list managers know from Postfix; the words are our own.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "conf/bounce_template.h"

#define FROM                                                                                   \
	{                                                                                      \
		"Mail Delivery System <MAILER-DAEMON>", 36                                     \
	}
#define TEXT(text)                                                                             \
	{                                                                                      \
		text, sizeof(text) - 1                                                         \
	}

static const struct bounce_template builtin[BOUNCE_TEMPLATE_KINDS] = {
	[BOUNCE_TEMPLATE_FAILURE] = {
	    .name = "failure",
	    .charset = TEXT("us-ascii"),
	    .from = FROM,
	    .subject = TEXT("Undelivered Mail Returned to Sender"),
	    .postmaster_subject = TEXT("Postmaster Copy: Undelivered Mail"),
	    .text = TEXT("This report comes from the mail system at host $myhostname.\n"
			 "\n"
			 "Your message did not reach the recipients listed below, and no further\n"
			 "attempt will be made. What you sent is attached.\n"
			 "\n"
			 "The postmaster can help when you send this report along.\n"),
	},
	[BOUNCE_TEMPLATE_DELAY] = {
	    .name = "delay",
	    .charset = TEXT("us-ascii"),
	    .from = FROM,
	    .subject = TEXT("Delayed Mail (still being retried)"),
	    .postmaster_subject = TEXT("Postmaster Warning: Delayed Mail"),
	    .text = TEXT("This report comes from the mail system at host $myhostname.\n"
			 "\n"
			 "This is only a warning: you need not send your message again.\n"
			 "\n"
			 "It has not reached the recipients listed below for more than\n"
			 "$delay_warning_time_hours hour(s). Delivery is tried again until the\n"
			 "message is $maximal_queue_lifetime_days day(s) old, and you will hear\n"
			 "when it is given up.\n"),
	},
	[BOUNCE_TEMPLATE_SUCCESS] = {
	    .name = "success",
	    .charset = TEXT("us-ascii"),
	    .from = FROM,
	    .subject = TEXT("Successful Mail Delivery Report"),
	    .text = TEXT("This report comes from the mail system at host $myhostname.\n"
			 "\n"
			 "Your message was handed on to the recipients listed below. What was\n"
			 "delivered to a mailbox is there; what was relayed to a system that does\n"
			 "not report success may still come back if that system cannot deliver it.\n"),
	},
	[BOUNCE_TEMPLATE_VERIFY] = {
	    .name = "verify",
	    .charset = TEXT("us-ascii"),
	    .from = FROM,
	    .subject = TEXT("Mail Delivery Status Report"),
	    .text = TEXT("This report comes from the mail system at host $myhostname.\n"
			 "\n"
			 "It tells what happened, or would happen, to the recipients listed below,\n"
			 "as you have asked for.\n"),
	},
};

const struct bounce_template *
bounce_template_builtin(enum bounce_template_kind kind)
{
	return &builtin[kind];
}

static const struct {
	const char *suffix;
	nanoseconds unit;
} units[] = {
	{ "_seconds", SECOND },
	{ "_minutes", 60 * SECOND },
	{ "_hours", 3600 * SECOND },
	{ "_days", 86400 * SECOND },
	{ "_weeks", 7 * 86400 * SECOND },
};

struct expansion {
	const struct conf *conf;
	char number[32];
};

/* The value of a parameter of the type time as so many whole units. */
static const char *
lookup(const char *name, void *context)
{
	struct expansion *e = context;
	struct view whole = view_of(name);

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		const struct conf_parameter *p;
		nanoseconds value;
		char *base;

		if (!view_has_suffix(whole, view_of(units[i].suffix)))
			continue;
		base = mem_dup(name, whole.n - strlen(units[i].suffix));
		p = conf_parameter_find(base);
		mem_free(base);
		if (!p || p->type != CONF_TIME)
			return NULL;
		memcpy(
		    &value, (const char *)conf_values_of(e->conf) + p->offset, sizeof(value));
		snprintf(
		    e->number, sizeof(e->number), "%lld", (long long)(value / units[i].unit));
		return e->number;
	}
	return NULL;
}

bool
bounce_template_expand(
    const struct conf *c, const struct bounce_template *t, struct buf *out, char **why)
{
	struct expansion e = { .conf = c };

	return conf_expand_with(c, lookup, &e, t->text, out, why);
}
