/* SPDX-License-Identifier: Apache-2.0 */
/* A binary min-heap of pointers to structs that embed a struct heap_node. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;  /* smallest first; ties in no order */
	size_t index; /* position + 1; 0 when in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t cap;
};

void heap_done(struct heap *h);
void heap_add(struct heap *h, struct heap_node *node, int64_t key);
void heap_remove(struct heap *h, struct heap_node *node); /* harmless when in no heap */
struct heap_node *heap_first(const struct heap *h);       /* NULL when empty */
bool heap_has(const struct heap_node *node);

#endif
