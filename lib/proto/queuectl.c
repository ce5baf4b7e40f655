/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of queuectl/1: one row a field. */
#include "proto/queuectl.h"

static const struct ipc_field arrived_fields[] = {
	IPC_REQUIRED(IPC_VIEW, queuectl_arrived, queue_id),
	IPC_OPTIONAL(IPC_U64, queuectl_arrived, slot),
};

static const struct ipc_field command_fields[] = {
	IPC_REQUIRED(IPC_U64, queuectl_command, verb),
	IPC_OPTIONAL(IPC_VIEW, queuectl_command, queue_id),
};

static const struct ipc_field result_fields[] = {
	IPC_REQUIRED(IPC_U64, queuectl_result, outcome),
	IPC_OPTIONAL(IPC_VIEW, queuectl_result, why),
};

IPC_MESSAGE(queuectl_arrived_message, "queuectl/1.arrived", queuectl_arrived, arrived_fields);
IPC_MESSAGE(queuectl_command_message, "queuectl/1.command", queuectl_command, command_fields);
IPC_MESSAGE(queuectl_result_message, "queuectl/1.result", queuectl_result, result_fields);
