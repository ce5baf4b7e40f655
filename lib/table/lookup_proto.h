/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation "lookup/1" between a process that needs a table and the `tables` service:
 * any number of find messages on one connection, each followed by its answer.
 */
#ifndef TABLE_LOOKUP_PROTO_H
#define TABLE_LOOKUP_PROTO_H

#include <stdint.h>

#include "base/view.h"
#include "ipc/ipc.h"

struct lookup_find {
	struct view table; /* "unix:passwd.byname" */
	struct view key;   /* folded by the asking side where keys are fixed */
};

struct lookup_answer {
	uint64_t result;   /* enum table_result */
	struct view value; /* of TABLE_FOUND */
	struct view why;   /* of TABLE_CANNOT_TELL */
};

extern const struct ipc_message lookup_find_message;
extern const struct ipc_message lookup_answer_message;

#endif
