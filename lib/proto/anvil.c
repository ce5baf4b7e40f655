/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of anvil/1: one row a field. */
#include "proto/anvil.h"

static const struct ipc_field client_fields[] = {
	IPC_REQUIRED(IPC_VIEW, anvil_client, service),
	IPC_REQUIRED(IPC_VIEW, anvil_client, client),
	IPC_REQUIRED(IPC_U64, anvil_client, open),
};

static const struct ipc_field event_fields[] = {
	IPC_REQUIRED(IPC_VIEW, anvil_event, service),
	IPC_REQUIRED(IPC_VIEW, anvil_event, client),
	IPC_REQUIRED(IPC_U64, anvil_event, kind),
};

static const struct ipc_field counts_fields[] = {
	IPC_REQUIRED(IPC_U64, anvil_counts, connections),
	IPC_REQUIRED(IPC_U64, anvil_counts, rate),
};

IPC_MESSAGE(anvil_connect_message, "anvil/1.connect", anvil_client, client_fields);
IPC_MESSAGE(anvil_state_message, "anvil/1.state", anvil_client, client_fields);
IPC_MESSAGE(anvil_event_message, "anvil/1.event", anvil_event, event_fields);
IPC_MESSAGE(anvil_counts_message, "anvil/1.counts", anvil_counts, counts_fields);
