/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of notices: what each says, to whom, and how much it returns. */
#include "base/mem.h"
#include "bounce/report.h"

static const struct report_kind kinds[] = {
	{
	    .kind = NOTICE_FAILURE,
	    .subject = "Undelivered Mail Returned to Sender",
	    .log_name = "sender non-delivery notification",
	    .text = "Your message did not reach the recipients listed below, and no further\r\n"
		    "attempt will be made. What you sent is attached.\r\n"
		    "\r\n"
		    "The postmaster can help when you send this report along.\r\n",
	    .description = "Undelivered Message",
	    .to_sender = true,
	    .may_be_whole = true,
	    .default_status = "5.0.0",
	},
	{
	    .kind = NOTICE_DELAY,
	    .subject = "Delayed Mail (still being retried)",
	    .log_name = "sender delay notification",
	    .text =
		"Your message has not reached the recipients listed below so far.\r\n"
		"Nothing has to be done: delivery is tried again, and you will hear when\r\n"
		"it is given up.\r\n",
	    .description = "Delayed Message",
	    .to_sender = true,
	    .will_retry = true,
	    .default_status = "4.0.0",
	},
	{
	    .kind = NOTICE_SUCCESS,
	    .subject = "Successful Mail Delivery Report",
	    .log_name = "sender delivery status notification",
	    .text = "Your message was handed on to the recipients listed below. A system\r\n"
		    "behind this one that reports deliveries will do so by itself.\r\n",
	    .description = "Message",
	    .to_sender = true,
	    .default_status = "2.0.0",
	},
	{
	    .kind = NOTICE_DOUBLE,
	    .subject = "Postmaster Copy: Undelivered Mail",
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
	    .subject = "Postmaster Copy: Undelivered Mail",
	    .log_name = "postmaster non-delivery notification",
	    .text = "A message was returned to its sender. Its header is attached.\r\n",
	    .description = "Undelivered Message",
	    .default_status = "5.0.0",
	},
	{
	    .kind = NOTICE_DELAY,
	    .is_copy = true,
	    .subject = "Postmaster Warning: Delayed Mail",
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
