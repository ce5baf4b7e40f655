/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the shim: what the wrappers (fault_calls.c) ask before and after each call. */
#ifndef TESTS_FAULT_SHIM_H
#define TESTS_FAULT_SHIM_H

#include <dlfcn.h>

/* In the order of faults.py. */
enum kind {
	KIND_OPEN,
	KIND_CREATE,
	KIND_READ,
	KIND_WRITE,
	KIND_SYNC,
	KIND_ALLOCATE,
	KIND_TRUNCATE,
	KIND_RENAME,
	KIND_LINK,
	KIND_UNLINK,
	KIND_MKDIR,
	KIND_LOCK,
	KIND_STAT,
	KIND_TIMES,
	KIND_READDIR,
	KIND_CLOSE,
	KIND_MEMFD,
	KIND_CHMOD,
};

enum place {
	PLACE_ELSEWHERE, /* never counted */
	PLACE_QUEUE,     /* the directory itself */
	PLACE_INCOMING,
	PLACE_DEFERRED,
	PLACE_HOLD,
	PLACE_CORRUPT,
	PLACE_SLOTS,
	PLACE_MAILDROP,
	PLACE_INDEX,
	PLACE_MAILBOX,
	PLACE_MESSAGE, /* a descriptor that somebody has sent */
	PLACE_MEMORY,  /* a file in memory */
};

enum verdict { GO_ON, FAIL, HALF, DIE_AFTER };

#pragma GCC visibility push(hidden)

/* Where a descriptor or a name relative to one points to. */
enum place known_place(int fd);
enum place place_at(int dir, const char *name);
void remember(int fd, enum place place);

/* What is to become of a call; FAIL: errno is set. fd: -1 where there is none yet. */
enum verdict judge(enum kind kind, enum place place, int fd);
/* After the call: its result, or the end of the process. */
long finish(enum verdict verdict, long result);

#pragma GCC visibility pop

/* The function behind the one of the same name here. */
#define REAL(function)                                                                         \
	static __typeof__(function) *real;                                                     \
	if (!real)                                                                             \
	real = (__typeof__(function) *)dlsym(RTLD_NEXT, #function)

#endif
