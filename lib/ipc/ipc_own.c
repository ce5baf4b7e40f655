/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the message's table of fields: whatever is a view gets bytes of its own. */
#include "ipc/ipc_own.h"

void
ipc_own(const struct ipc_message *m, void *value, struct arena *arena)
{
	for (size_t i = 0; i < m->field_count; i++) {
		struct view *v = (struct view *)((char *)value + m->fields[i].offset);

		if (m->fields[i].type == IPC_VIEW)
			*v = arena_view(arena, *v);
	}
}
