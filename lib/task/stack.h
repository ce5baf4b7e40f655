/* SPDX-License-Identifier: Apache-2.0 */
/* Private to lib/task: memory for the stacks of tasks. */
#ifndef TASK_STACK_H
#define TASK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stack {
	char *low;        /* TASK_STACK_SIZE bytes from here; the guard lies below */
	uint64_t *canary; /* NULL when the kernel guards the low end */
};

/* False: there is no memory (or no address space) for another stack. */
bool stack_take(struct stack *s);

/* Nobody runs on it any more. */
void stack_give(const struct stack *s);

/* Gives the memory below `used` back to the system: a suspended task does not look there. */
void stack_trim(const struct stack *s, const void *used);

/* Aborts when a task has written over the low end of a stack without a guard page. */
void stack_check_canary(const struct stack *s);

/* Unmaps all stacks; none is in use. */
void stack_done(void);

/* For tests: pretend that the kernel refuses guards of this kind, from now on. */
enum stack_guard { STACK_GUARD_MARKER, STACK_GUARD_MPROTECT, STACK_GUARD_CANARY };
void stack_set_guard(enum stack_guard guard);
enum stack_guard stack_guard(void);

#endif
