/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of deliver/1: one row a field. */
#include "proto/deliver.h"

static const struct ipc_field request_fields[] = {
	IPC_REQUIRED(IPC_FD, deliver_request, message),
	IPC_REQUIRED(IPC_VIEW, deliver_request, queue_id),
	IPC_OPTIONAL(IPC_U64, deliver_request, flags),
	IPC_REQUIRED(IPC_U64, deliver_request, body_offset),
	IPC_REQUIRED(IPC_U64, deliver_request, body_length),
	IPC_REQUIRED(IPC_U64, deliver_request, header_offset),
	IPC_REQUIRED(IPC_U64, deliver_request, header_length),
	IPC_REQUIRED(IPC_U64, deliver_request, body_crc),
	IPC_OPTIONAL(IPC_U64, deliver_request, size),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, sender),
	IPC_REQUIRED(IPC_VIEW, deliver_request, transport),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, nexthop),
	IPC_REQUIRED(IPC_U64, deliver_request, arrival),
	IPC_OPTIONAL(IPC_U64, deliver_request, queued),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, envelope_id),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, dsn_ret),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, client_name),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, client_address),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, client_port),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, helo_name),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, protocol_name),
	IPC_OPTIONAL(IPC_VIEW, deliver_request, message_id),
};

static const struct ipc_field recipient_fields[] = {
	IPC_REQUIRED(IPC_U64, deliver_recipient, index),
	IPC_REQUIRED(IPC_VIEW, deliver_recipient, address),
	IPC_OPTIONAL(IPC_VIEW, deliver_recipient, original),
	IPC_OPTIONAL(IPC_VIEW, deliver_recipient, dsn_orcpt),
	IPC_OPTIONAL(IPC_U64, deliver_recipient, notify),
};

static const struct ipc_field go_fields[] = {
	IPC_OPTIONAL(IPC_BOOL, deliver_go, unused),
};

static const struct ipc_field outcome_fields[] = {
	IPC_REQUIRED(IPC_U64, deliver_outcome, index),
	IPC_REQUIRED(IPC_U64, deliver_outcome, result),
	IPC_REQUIRED(IPC_VIEW, deliver_outcome, dsn),
	IPC_OPTIONAL(IPC_VIEW, deliver_outcome, reason),
	IPC_OPTIONAL(IPC_VIEW, deliver_outcome, relay),
	IPC_OPTIONAL(IPC_VIEW, deliver_outcome, remote_host),
	IPC_OPTIONAL(IPC_BOOL, deliver_outcome, destination_failed),
	IPC_OPTIONAL(IPC_BOOL, deliver_outcome, dsn_passed_on),
	IPC_OPTIONAL(IPC_BOOL, deliver_outcome, relayed),
	IPC_OPTIONAL(IPC_BOOL, deliver_outcome, expanded),
};

static const struct ipc_field done_fields[] = {
	IPC_OPTIONAL(IPC_BOOL, deliver_done, unused),
};

IPC_MESSAGE(deliver_request_message, "deliver/1.request", deliver_request, request_fields);
IPC_MESSAGE(
    deliver_recipient_message, "deliver/1.recipient", deliver_recipient, recipient_fields);
IPC_MESSAGE(deliver_go_message, "deliver/1.go", deliver_go, go_fields);
IPC_MESSAGE(deliver_outcome_message, "deliver/1.outcome", deliver_outcome, outcome_fields);
IPC_MESSAGE(deliver_done_message, "deliver/1.done", deliver_done, done_fields);
