/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to lib/task: what AddressSanitizer and Valgrind must know about stacks. All of it is
 * nothing in an ordinary build; Valgrind's requests are a few no-op instructions outside it.
 */
#ifndef TASK_SANITIZER_H
#define TASK_SANITIZER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define TASK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_ASAN 1
#endif
#endif

#ifdef TASK_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define SANITIZER_CHECKS_LEAKS 1
#else
#define SANITIZER_CHECKS_LEAKS 0
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

static inline void
sanitizer_stack_register(const void *low, size_t size)
{
#ifdef VALGRIND_STACK_REGISTER
	/* The number is for changing or ending the registration; the mappings end with the
	 * loop. */
	(void)VALGRIND_STACK_REGISTER(low, (const char *)low + size);
#else
	(void)low;
	(void)size;
#endif
}

/* The first frames of a task never return, so their marks must go before the stack is reused.
 */
static inline void
sanitizer_stack_clear(const char *top)
{
#ifdef TASK_ASAN
	__asan_unpoison_memory_region(top - 4096, 4096);
#else
	(void)top;
#endif
}

/* Pointers between here count as references. */
static inline void
sanitizer_root(const char *from, const char *to)
{
#ifdef TASK_ASAN
	__lsan_register_root_region(from, (size_t)(to - from));
#else
	(void)from;
	(void)to;
#endif
}

/* Before a switch to the stack at low; *fake keeps the state of the one that is left, and a
 * NULL fake says that it is left for good. */
static inline void
sanitizer_leave(void **fake, const void *low, size_t size)
{
#ifdef TASK_ASAN
	__sanitizer_start_switch_fiber(fake, low, size);
#else
	(void)fake;
	(void)low;
	(void)size;
#endif
}

/* After a switch; from_low and from_size may be NULL. */
static inline void
sanitizer_enter(void *fake, const void **from_low, size_t *from_size)
{
#ifdef TASK_ASAN
	__sanitizer_finish_switch_fiber(fake, from_low, from_size);
#else
	(void)fake;
	(void)from_low;
	(void)from_size;
#endif
}

#endif
