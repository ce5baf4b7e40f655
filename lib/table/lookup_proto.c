/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of "lookup/1" as tables of fields. They stand here and not in lib/proto because
 * the asking side is a type of table. */
#include "table/lookup_proto.h"

static const struct ipc_field find_fields[] = {
	IPC_REQUIRED(IPC_VIEW, lookup_find, table),
	IPC_REQUIRED(IPC_VIEW, lookup_find, key),
};
IPC_MESSAGE(lookup_find_message, "lookup/1.find", lookup_find, find_fields);

static const struct ipc_field answer_fields[] = {
	IPC_REQUIRED(IPC_U64, lookup_answer, result),
	IPC_OPTIONAL(IPC_VIEW, lookup_answer, value),
	IPC_OPTIONAL(IPC_VIEW, lookup_answer, why),
};
IPC_MESSAGE(lookup_answer_message, "lookup/1.answer", lookup_answer, answer_fields);
