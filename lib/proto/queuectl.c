/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of queuectl/1: one row a field. */
#include "proto/queuectl.h"

static const struct ipc_field arrived_fields[] = {
	IPC_REQUIRED(IPC_VIEW, queuectl_arrived, queue_id),
	IPC_OPTIONAL(IPC_U64, queuectl_arrived, slot),
	IPC_OPTIONAL(IPC_BOOL, queuectl_arrived, held),
};

static const struct ipc_field command_fields[] = {
	IPC_REQUIRED(IPC_U64, queuectl_command, verb),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, queue_id),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, from),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, to),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, destination),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, reason),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, older),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, larger),
};

static const struct ipc_field result_fields[] = {
	IPC_REQUIRED(IPC_U64, queuectl_result, outcome),
	IPC_OPTIONAL(IPC_VIEW, queuectl_result, why),
};

static const struct ipc_field many_fields[] = {
	IPC_REQUIRED(IPC_U64, queuectl_many, verb),
	IPC_REQUIRED(IPC_VIEW, queuectl_many, ids),
};

static const struct ipc_field many_result_fields[] = {
	IPC_REQUIRED(IPC_VIEW, queuectl_many_result, outcomes),
};

IPC_MESSAGE(queuectl_arrived_message, "queuectl/1.arrived", queuectl_arrived, arrived_fields);
IPC_MESSAGE(queuectl_command_message, "queuectl/1.command", queuectl_command, command_fields);
IPC_MESSAGE(queuectl_result_message, "queuectl/1.result", queuectl_result, result_fields);
IPC_MESSAGE(queuectl_many_message, "queuectl/1.many", queuectl_many, many_fields);
IPC_MESSAGE(queuectl_many_result_message, "queuectl/1.many_result", queuectl_many_result,
    many_result_fields);
