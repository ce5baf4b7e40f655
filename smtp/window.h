/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far commands may run ahead of their replies (RFC 2920). What is on its way without a
 * reply is so little that it fits into the buffers of the connection: our write never waits for
 * a server that itself waits until we read. Pure.
 */
#ifndef SMTP_WINDOW_H
#define SMTP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_BYTES    8192
#define WINDOW_COMMANDS 250

struct window {
	bool pipelining;
	size_t count; /* commands on their way */
	size_t bytes; /* of them */
	size_t first; /* place of the oldest in sizes */
	uint16_t sizes[WINDOW_COMMANDS];
};

void window_init(struct window *w, bool pipelining);

/* Whether a command of so many bytes may be sent now. One that is too long goes alone. */
bool window_has_room(const struct window *w, size_t size);
void window_sent(struct window *w, size_t size);
void window_replied(struct window *w); /* to the oldest */

/*
 * Whether it is time to send again: not after each reply, or every command would be a packet of
 * its own once the window is full.
 */
bool window_wants_more(const struct window *w);

#endif
