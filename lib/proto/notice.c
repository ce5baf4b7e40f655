/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of notice/1: one row a field. */
#include "proto/notice.h"

static const struct ipc_field request_fields[] = {
	IPC_REQUIRED(IPC_U64, notice_request, kind),
	IPC_REQUIRED(IPC_FD, notice_request, message),
	IPC_REQUIRED(IPC_VIEW, notice_request, queue_id),
	IPC_OPTIONAL(IPC_U64, notice_request, flags),
	IPC_REQUIRED(IPC_U64, notice_request, body_offset),
	IPC_REQUIRED(IPC_U64, notice_request, body_length),
	IPC_REQUIRED(IPC_U64, notice_request, header_offset),
	IPC_REQUIRED(IPC_U64, notice_request, header_length),
	IPC_OPTIONAL(IPC_VIEW, notice_request, sender),
	IPC_REQUIRED(IPC_U64, notice_request, arrival),
	IPC_OPTIONAL(IPC_VIEW, notice_request, envelope_id),
	IPC_OPTIONAL(IPC_VIEW, notice_request, dsn_ret),
};

static const struct ipc_field recipient_fields[] = {
	IPC_REQUIRED(IPC_VIEW, notice_recipient, address),
	IPC_OPTIONAL(IPC_VIEW, notice_recipient, original),
	IPC_OPTIONAL(IPC_VIEW, notice_recipient, dsn_orcpt),
	IPC_OPTIONAL(IPC_U64, notice_recipient, notify),
	IPC_REQUIRED(IPC_VIEW, notice_recipient, dsn),
	IPC_OPTIONAL(IPC_VIEW, notice_recipient, reason),
	IPC_OPTIONAL(IPC_VIEW, notice_recipient, remote_host),
	IPC_REQUIRED(IPC_VIEW, notice_recipient, action),
	IPC_OPTIONAL(IPC_U64, notice_recipient, when),
};

static const struct ipc_field send_fields[] = {
	IPC_OPTIONAL(IPC_BOOL, notice_send, unused),
};

static const struct ipc_field status_fields[] = {
	IPC_REQUIRED(IPC_BOOL, notice_status, ok),
	IPC_OPTIONAL(IPC_VIEW, notice_status, notice_id),
	IPC_OPTIONAL(IPC_VIEW, notice_status, why),
};

IPC_MESSAGE(notice_request_message, "notice/1.request", notice_request, request_fields);
IPC_MESSAGE(notice_recipient_message, "notice/1.recipient", notice_recipient, recipient_fields);
IPC_MESSAGE(notice_send_message, "notice/1.send", notice_send, send_fields);
IPC_MESSAGE(notice_status_message, "notice/1.status", notice_status, status_fields);
