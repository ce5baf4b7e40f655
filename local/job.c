/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of mailbox/1: one row a field. */
#include "local/job.h"

static const struct ipc_field job_fields[] = {
	IPC_REQUIRED(IPC_FD, mailbox_job, message),
	IPC_REQUIRED(IPC_U64, mailbox_job, header_offset),
	IPC_REQUIRED(IPC_U64, mailbox_job, header_length),
	IPC_REQUIRED(IPC_U64, mailbox_job, body_offset),
	IPC_REQUIRED(IPC_U64, mailbox_job, body_length),
	IPC_REQUIRED(IPC_U64, mailbox_job, body_crc),
	IPC_OPTIONAL(IPC_VIEW, mailbox_job, prefix),
	IPC_OPTIONAL(IPC_VIEW, mailbox_job, forwards),
};

static const struct ipc_field result_fields[] = {
	IPC_REQUIRED(IPC_U64, mailbox_result, result),
	IPC_REQUIRED(IPC_VIEW, mailbox_result, dsn),
	IPC_OPTIONAL(IPC_VIEW, mailbox_result, reason),
};

IPC_MESSAGE(mailbox_job_message, "mailbox/1.job", mailbox_job, job_fields);
IPC_MESSAGE(mailbox_result_message, "mailbox/1.result", mailbox_result, result_fields);
