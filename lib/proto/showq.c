/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of showq/1: one row a field. */
#include "proto/showq.h"

static const struct ipc_field list_fields[] = {
	IPC_OPTIONAL(IPC_VIEW, showq_list, from),
	IPC_OPTIONAL(IPC_VIEW, showq_list, to),
	IPC_OPTIONAL(IPC_VIEW, showq_list, destination),
	IPC_OPTIONAL(IPC_VIEW, showq_list, reason),
	IPC_OPTIONAL(IPC_VIEW, showq_list, older),
	IPC_OPTIONAL(IPC_VIEW, showq_list, larger),
};

static const struct ipc_field summary_fields[] = {
	IPC_OPTIONAL(IPC_VIEW, showq_summary, from),
	IPC_OPTIONAL(IPC_VIEW, showq_summary, to),
	IPC_OPTIONAL(IPC_VIEW, showq_summary, destination),
	IPC_OPTIONAL(IPC_VIEW, showq_summary, reason),
	IPC_OPTIONAL(IPC_VIEW, showq_summary, older),
	IPC_OPTIONAL(IPC_VIEW, showq_summary, larger),
};

static const struct ipc_field row_fields[] = {
	IPC_REQUIRED(IPC_U64, showq_row, kind),
	IPC_OPTIONAL(IPC_VIEW, showq_row, name),
	IPC_REQUIRED(IPC_U64, showq_row, messages),
	IPC_OPTIONAL(IPC_U64, showq_row, recipients),
	IPC_OPTIONAL(IPC_U64, showq_row, size),
	IPC_OPTIONAL(IPC_U64, showq_row, oldest),
	IPC_OPTIONAL(IPC_U64, showq_row, newest),
};

static const struct ipc_field message_fields[] = {
	IPC_REQUIRED(IPC_VIEW, showq_message, queue_name),
	IPC_REQUIRED(IPC_VIEW, showq_message, queue_id),
	IPC_REQUIRED(IPC_U64, showq_message, arrival),
	IPC_OPTIONAL(IPC_U64, showq_message, size),
	IPC_OPTIONAL(IPC_BOOL, showq_message, forced_expire),
	IPC_OPTIONAL(IPC_VIEW, showq_message, sender),
};

static const struct ipc_field recipient_fields[] = {
	IPC_REQUIRED(IPC_VIEW, showq_recipient, address),
	IPC_OPTIONAL(IPC_VIEW, showq_recipient, original),
	IPC_OPTIONAL(IPC_VIEW, showq_recipient, reason),
};

static const struct ipc_field end_fields[] = {
	IPC_OPTIONAL(IPC_VIEW, showq_end, error),
};

IPC_MESSAGE(showq_list_message, "showq/1.list", showq_list, list_fields);
IPC_MESSAGE(showq_summary_message, "showq/1.summary", showq_summary, summary_fields);
IPC_MESSAGE(showq_row_message, "showq/1.row", showq_row, row_fields);
IPC_MESSAGE(showq_message_message, "showq/1.message", showq_message, message_fields);
IPC_MESSAGE(showq_recipient_message, "showq/1.recipient", showq_recipient, recipient_fields);
IPC_MESSAGE(showq_end_message, "showq/1.end", showq_end, end_fields);
