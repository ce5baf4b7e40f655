/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to lib/task: what the processor needs to leave one stack and go on on another. Three
 * implementations: switch_x86_64.S, switch_aarch64.S and, elsewhere or with
 * -DTASK_SWITCH_UCONTEXT, switch_ucontext.c.
 */
#ifndef TASK_CONTEXT_H
#define TASK_CONTEXT_H

#include <stddef.h>

#if !(defined(__x86_64__) && defined(__LP64__)) && !(defined(__aarch64__) && defined(__LP64__))
#ifndef TASK_SWITCH_UCONTEXT
#define TASK_SWITCH_UCONTEXT
#endif
#endif

#ifdef TASK_SWITCH_UCONTEXT
#include <ucontext.h>
#endif

struct context {
#ifdef TASK_SWITCH_UCONTEXT
	ucontext_t machine;
	void (*entry)(void *argument);
	void *argument;
#else
	void *sp; /* the assembly knows that this is the first and only member */
#endif
};

/* Prepares c so that the first switch to it calls entry(argument), which must never return. */
void context_init(
    struct context *c, void *stack, size_t size, void (*entry)(void *argument), void *argument);

/* Saves where we are in from and goes on where `to` was left. */
void context_switch(struct context *from, struct context *to);

#endif
