/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Switch by ucontext(3), for processors without an assembly file. It is slower by a system call
 * each way, because swapcontext keeps the signal mask too; nothing else differs.
 */
#include "task/context.h"

#ifdef TASK_SWITCH_UCONTEXT

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

/* makecontext passes ints only: a pointer travels in two halves. */
static void
start(unsigned high, unsigned low)
{
	struct context *c = (struct context *)(((uintptr_t)high << 16 << 16) | low);

	c->entry(c->argument);
	abort();
}

void
context_init(
    struct context *c, void *stack, size_t size, void (*entry)(void *argument), void *argument)
{
	uintptr_t self = (uintptr_t)c;
	int rc = getcontext(&c->machine);

	assert(rc == 0);
	c->entry = entry;
	c->argument = argument;
	c->machine.uc_stack.ss_sp = stack;
	c->machine.uc_stack.ss_size = size;
	c->machine.uc_link = NULL;
	makecontext(&c->machine, (void (*)(void))start, 2, (unsigned)(self >> 16 >> 16),
	    (unsigned)self);
}

void
context_switch(struct context *from, struct context *to)
{
	int rc = swapcontext(&from->machine, &to->machine);

	assert(rc == 0);
}

#endif
