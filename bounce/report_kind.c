/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of notices: to whom they go, and how much they return. The words are those of a
 * template, but for the postmaster, who gets only its subject.
 */
#include "base/mem.h"
#include "bounce/report.h"

static const struct report_kind kinds[] = {
	{
	    .kind = NOTICE_FAILURE,
	    .template = BOUNCE_TEMPLATE_FAILURE,
	    .log_name = "sender non-delivery notification",
	    .description = "Undelivered Message",
	    .to_sender = true,
	    .may_be_whole = true,
	    .default_status = "5.0.0",
	},
	{
	    .kind = NOTICE_DELAY,
	    .template = BOUNCE_TEMPLATE_DELAY,
	    .log_name = "sender delay notification",
	    .description = "Delayed Message",
	    .to_sender = true,
	    .will_retry = true,
	    .default_status = "4.0.0",
	},
	{
	    .kind = NOTICE_SUCCESS,
	    .template = BOUNCE_TEMPLATE_SUCCESS,
	    .log_name = "sender delivery status notification",
	    .description = "Message",
	    .to_sender = true,
	    .default_status = "2.0.0",
	},
	{
	    .kind = NOTICE_TRACE,
	    .template = BOUNCE_TEMPLATE_VERIFY,
	    .log_name = "sender delivery status notification",
	    .description = "Message",
	    .to_sender = true,
	    .default_status = "2.0.0",
	},
	{
	    .kind = NOTICE_DOUBLE,
	    .template = BOUNCE_TEMPLATE_FAILURE,
	    .log_name = "postmaster non-delivery notification",
	    .text = "A notice to the sender of a message could not be delivered. It is\r\n"
		    "attached.\r\n",
	    .description = "Undelivered Message",
	    .may_be_whole = true,
	    .default_status = "5.0.0",
	},
	{
	    .kind = NOTICE_FAILURE,
	    .is_copy = true,
	    .template = BOUNCE_TEMPLATE_FAILURE,
	    .log_name = "postmaster non-delivery notification",
	    .text = "A message was returned to its sender. Its header is attached.\r\n",
	    .description = "Undelivered Message",
	    .default_status = "5.0.0",
	},
	{
	    .kind = NOTICE_DELAY,
	    .is_copy = true,
	    .template = BOUNCE_TEMPLATE_DELAY,
	    .log_name = "postmaster delay notification",
	    .text = "The sender of a message was told that it is late. Its header is\r\n"
		    "attached.\r\n",
	    .description = "Delayed Message",
	    .will_retry = true,
	    .default_status = "4.0.0",
	},
};

const struct report_kind *
report_kind_find(uint64_t kind, bool is_copy)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((uint64_t)kinds[i].kind == kind && kinds[i].is_copy == is_copy)
			return &kinds[i];
	return NULL;
}
