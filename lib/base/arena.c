/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas. Pieces are cut from blocks that grow with use: a command that needs a few hundred
 * bytes costs one small allocation, a message with ten thousand recipients a few dozen. A piece
 * too large to share gets a block of its own behind the current one, whose room stays in use.
 * Built with POSTERN_ARENA_MALLOC, a block is only a note of one heap object, of exactly the
 * size asked for, so that the sanitizers see each overrun and each use after reset.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"

#ifdef POSTERN_ARENA_MALLOC

struct arena_block {
	struct arena_block *next;
	void *piece;
};

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *block = NEW(struct arena_block);

	block->piece = mem_zero(1, n);
	block->next = a->blocks;
	a->blocks = block;
	a->used += n;
	return block->piece;
}

static void
block_free(struct arena_block *block)
{
	mem_free(block->piece);
	mem_free(block);
}

#else

#define BLOCK_FIRST ((size_t)2048)
#define BLOCK_LAST  ((size_t)65536)

struct arena_block {
	struct arena_block *next;
	size_t room; /* bytes in data */
	size_t used;
	_Alignas(max_align_t) char data[];
};

/* A new block of at least n bytes; as the current one, or behind it when it is for one piece.
 */
static struct arena_block *
block_add(struct arena *a, size_t n)
{
	struct arena_block *current = a->blocks;
	size_t size = BLOCK_FIRST;
	struct arena_block *block;

	if (current) {
		size = (current->room + sizeof(*block)) * 2;
		if (size > BLOCK_LAST)
			size = BLOCK_LAST;
	}
	size -= sizeof(*block);
	if (n > size / 4)
		size = n;
	block = mem_alloc(sizeof(*block) + size);
	block->room = size;
	block->used = 0;
	if (current && size == n) {
		block->next = current->next;
		current->next = block;
	} else {
		block->next = current;
		a->blocks = block;
	}
	return block;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *block = a->blocks;
	size_t size;
	void *piece;

	if (n > SIZE_MAX / 4)
		return mem_alloc(SIZE_MAX / 2); /* cannot be had: ends the process */
	size = n ? (n + align - 1) & ~(align - 1) : align;
	if (!block || block->room - block->used < size)
		block = block_add(a, size);
	piece = block->data + block->used;
	block->used += size;
	a->used += n;
	return memset(piece, 0, size);
}

static void
block_free(struct arena_block *block)
{
	mem_free(block);
}

#endif

char *
arena_dup(struct arena *a, struct view v)
{
	char *copy = arena_alloc(a, v.n + 1);

	if (v.n)
		memcpy(copy, v.p, v.n);
	return copy;
}

struct view
arena_view(struct arena *a, struct view v)
{
	return (struct view){ arena_dup(a, v), v.n };
}

char *
arena_printf(struct arena *a, const char *format, ...)
{
	char first[256];
	va_list again;
	va_list ap;
	char *text;
	int n;

	va_start(ap, format);
	va_copy(again, ap);
	n = vsnprintf(first, sizeof(first), format, ap);
	if (n < 0)
		n = 0;
	text = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof(first))
		memcpy(text, first, (size_t)n);
	else
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	va_end(ap);
	return text;
}

void
arena_reset(struct arena *a)
{
	struct arena_block *block = a->blocks;

	while (block) {
		struct arena_block *next = block->next;

		block_free(block);
		block = next;
	}
	*a = (struct arena)ARENA_INIT;
}
