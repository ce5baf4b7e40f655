/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks are cut from slabs: one mmap holds many, so that 100,000 tasks stay far below the
 * kernel's limit on mappings. Below each stack lies one guard page. A guard marker
 * (MADV_GUARD_INSTALL, Linux 6.13) needs no mapping of its own; an older kernel gets mprotect,
 * which splits the slab, and when that meets the limit on mappings, new stacks have a canary
 * word that is checked at each switch.
 *
 * With its guard a stack is not a power of two long (65 pages on x86-64): otherwise all
 * stacks would compete for the same sets of the caches.
 *
 * Free stacks are reused last in, first out. The warm ones keep their memory, so that a steady
 * coming and going of tasks makes no system call; only every sixteenth is cut to its top, which
 * undoes the marks of a deep excursion in time. What exceeds the warm ones gives all memory
 * back.
 */
#include "task/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "task/sanitizer.h"
#include "task/task.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SLAB_STACKS 64
#define WARM_MAX    64
#define WARM_DEPTH  (16 * 1024) /* what a warm stack keeps when it is cut */
#define CUT_EVERY   16
#define CANARY      UINT64_C(0x9c5e1fa37d20b864)

static struct {
	size_t page; /* 0 before the first use */
	char **slabs;
	size_t slab_count;
	size_t slab_used; /* stacks cut from the last slab */

	struct stack warm[WARM_MAX];
	size_t warm_count;
	unsigned warm_gives;

	struct stack *cold; /* room for every stack there is */
	size_t cold_count;

	enum stack_guard guard;
} pool;

/* A stack and the guard page below it. */
static size_t
slot_size(void)
{
	return pool.page + TASK_STACK_SIZE;
}

static bool
slab_add(void)
{
	size_t size = SLAB_STACKS * slot_size();
	char *slab = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (slab == MAP_FAILED)
		return false;
	/* A huge page would make the first byte of a stack cost 2 MB. */
	(void)madvise(slab, size, MADV_NOHUGEPAGE);
	pool.slabs = mem_resize(pool.slabs, pool.slab_count + 1, sizeof(*pool.slabs));
	pool.slabs[pool.slab_count++] = slab;
	pool.cold = mem_resize(pool.cold, pool.slab_count * SLAB_STACKS, sizeof(*pool.cold));
	pool.slab_used = 0;
	return true;
}

/* Sees to it that the page at `page` cannot be touched; false: only a canary is left. */
static bool
guard_install(char *page)
{
	if (pool.guard == STACK_GUARD_MARKER) {
		if (madvise(page, pool.page, MADV_GUARD_INSTALL) == 0)
			return true;
		pool.guard = STACK_GUARD_MPROTECT;
	}
	if (pool.guard == STACK_GUARD_MPROTECT) {
		if (mprotect(page, pool.page, PROT_NONE) == 0)
			return true;
		pool.guard = STACK_GUARD_CANARY;
	}
	return false;
}

static bool
stack_cut(struct stack *s)
{
	char *slot;

	if (pool.page == 0)
		pool.page = (size_t)sysconf(_SC_PAGESIZE);
	if (pool.slab_count == 0 || pool.slab_used == SLAB_STACKS) {
		if (!slab_add())
			return false;
	}
	slot = pool.slabs[pool.slab_count - 1] + pool.slab_used * slot_size();
	pool.slab_used++;
	s->low = slot + pool.page;
	s->canary = guard_install(slot) ? NULL : (uint64_t *)s->low;
	sanitizer_stack_register(s->low, TASK_STACK_SIZE);
	return true;
}

bool
stack_take(struct stack *s)
{
	if (pool.warm_count > 0)
		*s = pool.warm[--pool.warm_count];
	else if (pool.cold_count > 0)
		*s = pool.cold[--pool.cold_count];
	else if (!stack_cut(s))
		return false;
	if (s->canary != NULL)
		*s->canary = CANARY;
	return true;
}

void
stack_give(const struct stack *s)
{
	char *top = s->low + TASK_STACK_SIZE;

	stack_check_canary(s);
	sanitizer_stack_clear(top);
	if (pool.warm_count < WARM_MAX) {
		if (++pool.warm_gives % CUT_EVERY == 0)
			stack_trim(s, top - WARM_DEPTH);
		pool.warm[pool.warm_count++] = *s;
	} else {
		stack_trim(s, top);
		pool.cold[pool.cold_count++] = *s;
	}
}

void
stack_trim(const struct stack *s, const void *used)
{
	char *low = s->low;
	/* The ABI of x86-64 gives leaf functions 128 bytes below the stack pointer. */
	uintptr_t end = ((uintptr_t)used - (used == low + TASK_STACK_SIZE ? 0 : 128)) &
	    ~((uintptr_t)pool.page - 1);

	if (s->canary != NULL)
		low += pool.page;
	if (end > (uintptr_t)low)
		(void)madvise(low, end - (uintptr_t)low, MADV_DONTNEED);
}

void
stack_check_canary(const struct stack *s)
{
	if (s->canary != NULL && *s->canary != CANARY) {
		fputs("panic: a task has overflowed its stack\n", stderr);
		abort();
	}
}

void
stack_done(void)
{
	for (size_t i = 0; i < pool.slab_count; i++)
		(void)munmap(pool.slabs[i], SLAB_STACKS * slot_size());
	mem_free(pool.slabs);
	mem_free(pool.cold);
	pool.slabs = NULL;
	pool.cold = NULL;
	pool.slab_count = pool.slab_used = pool.warm_count = pool.cold_count = 0;
}

void
stack_set_guard(enum stack_guard guard)
{
	pool.guard = guard;
}

enum stack_guard
stack_guard(void)
{
	return pool.guard;
}
