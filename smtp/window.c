/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of the sizes of commands that have no reply yet. */
#include "smtp/window.h"

#include <assert.h>

void
window_init(struct window *w, bool pipelining)
{
	*w = (struct window){ .pipelining = pipelining };
}

bool
window_has_room(const struct window *w, size_t size)
{
	if (w->count == 0)
		return true;
	return w->pipelining && w->count < WINDOW_COMMANDS && w->bytes + size <= WINDOW_BYTES;
}

void
window_sent(struct window *w, size_t size)
{
	assert(w->count < WINDOW_COMMANDS && size <= UINT16_MAX);
	w->sizes[(w->first + w->count) % WINDOW_COMMANDS] = (uint16_t)size;
	w->count++;
	w->bytes += size;
}

void
window_replied(struct window *w)
{
	assert(w->count > 0);
	w->bytes -= w->sizes[w->first];
	w->first = (w->first + 1) % WINDOW_COMMANDS;
	w->count--;
}

bool
window_wants_more(const struct window *w)
{
	return w->bytes <= WINDOW_BYTES / 2 && w->count <= WINDOW_COMMANDS / 2;
}
