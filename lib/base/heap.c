/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binary heap under timers and retry queues. Each node knows its own position, so that
 * taking out one in the middle (a cancelled timer) costs as little as taking the first.
 */
#include "base/heap.h"

#include <assert.h>

#include "base/mem.h"

static void
heap_place(struct heap *h, size_t at, struct heap_node *node)
{
	h->nodes[at] = node;
	node->index = at + 1;
}

/* Moves the hole at `at` to where a node with this key belongs, and puts the node there. */
static void
heap_rise(struct heap *h, size_t at, struct heap_node *node)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (h->nodes[parent]->key <= node->key)
			break;
		heap_place(h, at, h->nodes[parent]);
		at = parent;
	}
	heap_place(h, at, node);
}

static void
heap_sink(struct heap *h, size_t at, struct heap_node *node)
{
	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (h->nodes[child]->key >= node->key)
			break;
		heap_place(h, at, h->nodes[child]);
		at = child;
	}
	heap_place(h, at, node);
}

void
heap_done(struct heap *h)
{
	mem_free(h->nodes);
	*h = (struct heap){ 0 };
}

void
heap_add(struct heap *h, struct heap_node *node, int64_t key)
{
	assert(!heap_has(node));
	if (h->count == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->nodes = mem_resize(h->nodes, h->cap, sizeof(h->nodes[0]));
	}
	node->key = key;
	heap_rise(h, h->count++, node);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;
	size_t at = node->index;

	if (at-- == 0)
		return;
	assert(at < h->count && h->nodes[at] == node);
	node->index = 0;
	last = h->nodes[--h->count];
	if (last == node)
		return;
	if (at > 0 && h->nodes[(at - 1) / 2]->key > last->key)
		heap_rise(h, at, last);
	else
		heap_sink(h, at, last);
}

struct heap_node *
heap_first(const struct heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}

bool
heap_has(const struct heap_node *node)
{
	return node->index != 0;
}
