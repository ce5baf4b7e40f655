/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of submit/1: one row a field. */
#include "proto/submit.h"

static const struct ipc_field begin_fields[] = {
	IPC_REQUIRED(IPC_U64, submit_begin, source),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, queue_id),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, sender),
	IPC_OPTIONAL(IPC_BOOL, submit_begin, smtputf8),
	IPC_OPTIONAL(IPC_BOOL, submit_begin, is_8bit),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, client_name),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, client_address),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, client_port),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, helo_name),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, protocol_name),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, server_name),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, envelope_id),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, dsn_ret),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, verp),
	IPC_OPTIONAL(IPC_BOOL, submit_begin, trace),
	IPC_OPTIONAL(IPC_VIEW, submit_begin, full_name),
	IPC_OPTIONAL(IPC_U64, submit_begin, uid),
	IPC_OPTIONAL(IPC_BOOL, submit_begin, extract_recipients),
	IPC_OPTIONAL(IPC_BOOL, submit_begin, keep_missing_headers),
};

static const struct ipc_field recipient_fields[] = {
	IPC_REQUIRED(IPC_VIEW, submit_recipient, address),
	IPC_OPTIONAL(IPC_VIEW, submit_recipient, original),
	IPC_OPTIONAL(IPC_VIEW, submit_recipient, dsn_orcpt),
	IPC_OPTIONAL(IPC_U64, submit_recipient, notify),
};

static const struct ipc_field end_fields[] = {
	IPC_OPTIONAL(IPC_BOOL, submit_end, hold),
};

static const struct ipc_field status_fields[] = {
	IPC_REQUIRED(IPC_U64, submit_status, result),
	IPC_OPTIONAL(IPC_VIEW, submit_status, dsn),
	IPC_OPTIONAL(IPC_VIEW, submit_status, text),
	IPC_OPTIONAL(IPC_U64, submit_status, size),
};

IPC_MESSAGE(submit_begin_message, "submit/1.begin", submit_begin, begin_fields);
IPC_MESSAGE(submit_recipient_message, "submit/1.recipient", submit_recipient, recipient_fields);
IPC_MESSAGE(submit_end_message, "submit/1.end", submit_end, end_fields);
IPC_MESSAGE(submit_abort_message, "submit/1.abort", submit_end, end_fields);
IPC_MESSAGE(submit_status_message, "submit/1.status", submit_status, status_fields);
