/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that meets a failed allocation. Code that half works without memory is code
 * that nobody tests, so the process ends here, with a line that needs no memory to print.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static __attribute__((noreturn, cold)) void
mem_exhausted(void)
{
	static const char text[] = "fatal: out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	_exit(EX_OSERR);
}

void *
mem_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *
mem_zero(size_t count, size_t size)
{
	void *p = count && size ? calloc(count, size) : calloc(1, 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *
mem_resize(void *p, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		mem_exhausted();
	p = realloc(p, n ? n : 1);
	if (!p)
		mem_exhausted();
	return p;
}

char *
mem_dup(const void *p, size_t n)
{
	char *copy;

	if (n == SIZE_MAX)
		mem_exhausted();
	copy = mem_alloc(n + 1);
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *
mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s));
}

void
mem_free(void *p)
{
	free(p);
}

char *
mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	return text;
}
