/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into daemons and tools, makes system calls on the queue and on mailboxes fail when
 * a test says so: a disk that is full, broken or slow to answer, and a process that dies at
 * the call. faults.py is the other half.
 *
 * FAULT_STATE names a file that is mapped before the jail, so that the test can change its mind
 * while the daemon runs. It says which calls count (program, kind, place), which of them is the
 * first to fail and how, and takes down what was called, so that a test can go through all the
 * calls of an operation one by one.
 *
 * Where a descriptor points to is known from how it was opened: a name below the queue or the
 * mailboxes, or relative to a descriptor that is known. A process that has the queue as its
 * working directory opens by relative names.
 */
#include "fault_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS       4096
#define TRACE_MAX 16384
#define NAME_MAX_ 16
#define PATH_ROOM 256

static const struct {
	const char *name;
	enum place place;
} directories[] = {
	{ "incoming", PLACE_INCOMING },
	{ "deferred", PLACE_DEFERRED },
	{ "hold", PLACE_HOLD },
	{ "corrupt", PLACE_CORRUPT },
	{ "slots", PLACE_SLOTS },
	{ "maildrop", PLACE_MAILDROP },
	{ "index", PLACE_INDEX },
};

enum action {
	ACTION_ERROR,
	ACTION_SHORT,       /* half of what was asked for; only reads and writes */
	ACTION_KILL_BEFORE, /* the call is not made */
	ACTION_KILL_AFTER,
};

struct called {
	char program[NAME_MAX_ - 3];
	unsigned char kind, place;
	unsigned char is_directory;
};

struct state {
	_Atomic uint32_t armed;
	char program[NAME_MAX_]; /* empty: any */
	uint32_t kinds, places;  /* a bit for each */
	uint32_t files_only, directories_only;
	uint32_t nth;   /* of those that match, from 1; 0: none */
	uint32_t lasts; /* 0: that one only; 1: all from there on */
	uint32_t action;
	int32_t error;
	uint32_t traces;
	_Atomic uint32_t matched, fired, called;
	char queue[PATH_ROOM], mailboxes[PATH_ROOM]; /* absolute, without a final slash */
	struct called trace[TRACE_MAX];
};

static struct state *state;
static _Atomic unsigned char place_of_fd[FDS];

__attribute__((constructor)) static void
fault_open(void)
{
	const char *path = getenv("FAULT_STATE");
	void *map = MAP_FAILED;
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		map = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* A command of an ordinary user: nothing that a test would want to fail. */
	if (fd < 0 && errno == EACCES)
		return;
	if (fd < 0 || map == MAP_FAILED)
		abort();
	close(fd);
	state = map;
}

/* ---- places ---- */

enum place
known_place(int fd)
{
	return fd >= 0 && fd < FDS ? (enum place)place_of_fd[fd] : PLACE_ELSEWHERE;
}

void
remember(int fd, enum place place)
{
	if (fd >= 0 && fd < FDS)
		place_of_fd[fd] = (unsigned char)place;
}

/* What follows the directory in the path; NULL: it is not below it. */
static const char *
below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (!n || strncmp(path, directory, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	while (path[n] == '/')
		n++;
	return path + n;
}

/* Of a name relative to the queue. */
static enum place
queue_place(const char *name)
{
	size_t n = strcspn(name, "/");

	if (!n || strcmp(name, ".") == 0)
		return PLACE_QUEUE;
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		if (strncmp(directories[i].name, name, n) == 0 && !directories[i].name[n])
			return directories[i].place;
	}
	return PLACE_ELSEWHERE;
}

enum place
place_at(int dir, const char *name)
{
	const char *rest;

	if (!state)
		return PLACE_ELSEWHERE;
	if (name[0] == '/') {
		if (below(name, state->mailboxes))
			return PLACE_MAILBOX;
		rest = below(name, state->queue);
		return rest ? queue_place(rest) : PLACE_ELSEWHERE;
	}
	if (dir == AT_FDCWD || known_place(dir) == PLACE_QUEUE)
		return queue_place(name);
	return known_place(dir);
}

/* ---- what is to become of a call ---- */

static bool
is_directory(int fd)
{
	struct stat st;
	REAL(fstat);

	return fd >= 0 && real(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static void
take_down(enum kind kind, enum place place, int fd)
{
	uint32_t n = atomic_fetch_add(&state->called, 1);
	struct called *c = &state->trace[n % TRACE_MAX];

	strncpy(c->program, program_invocation_short_name, sizeof(c->program) - 1);
	c->kind = (unsigned char)kind;
	c->place = (unsigned char)place;
	c->is_directory = is_directory(fd);
}

/* Nothing that runs afterwards: as if the machine had stopped here. */
static void
die(void)
{
	kill(getpid(), SIGKILL);
	_exit(137); /* where a jail forbids that */
}

static bool
matches(enum kind kind, enum place place, int fd)
{
	if (!(state->kinds & 1U << kind) || !(state->places & 1U << place))
		return false;
	if (state->program[0] &&
	    strncmp(state->program, program_invocation_short_name, NAME_MAX_ - 1) != 0)
		return false;
	if (state->files_only && is_directory(fd))
		return false;
	return !state->directories_only || is_directory(fd);
}

enum verdict
judge(enum kind kind, enum place place, int fd)
{
	int saved = errno;
	uint32_t n;

	if (!state || place == PLACE_ELSEWHERE || !state->armed)
		return GO_ON;
	if (state->traces)
		take_down(kind, place, fd);
	errno = saved;
	if (!state->nth || !matches(kind, place, fd))
		return GO_ON;
	n = atomic_fetch_add(&state->matched, 1) + 1;
	if (state->lasts ? n < state->nth : n != state->nth)
		return GO_ON;
	atomic_fetch_add(&state->fired, 1);
	switch ((enum action)state->action) {
	case ACTION_SHORT:
		/* The disk is full from here on. */
		if (state->lasts && n > state->nth)
			break;
		return HALF;
	case ACTION_KILL_BEFORE:
		die();
		break;
	case ACTION_KILL_AFTER:
		return DIE_AFTER;
	case ACTION_ERROR:
		break;
	}
	errno = state->error;
	return FAIL;
}

long
finish(enum verdict verdict, long result)
{
	if (verdict == DIE_AFTER)
		die();
	return result;
}
