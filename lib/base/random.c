/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers. random_below is for spreading retries and picking among equals, many times a
 * second: SipHash in counter mode under a key from the kernel, which nobody outside can predict
 * from what he sees. Each thread has its own state, and a forked child starts a new one.
 */
#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "base/hash.h"

struct generator {
	uint8_t key[16];
	uint64_t counter;
	bool seeded;
};

static _Thread_local struct generator generator;
static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;

/* Runs in the only thread that the child has. */
static void
forget_seed(void)
{
	generator.seeded = false;
}

static void
set_fork_handler(void)
{
	pthread_atfork(NULL, NULL, forget_seed);
}

void
random_bytes(void *p, size_t n)
{
	char *to = p;

	while (n) {
		ssize_t done = getrandom(to, n, 0);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			fprintf(stderr, "fatal: getrandom: %s\n", strerror(errno));
			exit(EX_OSERR);
		}
		to += done;
		n -= (size_t)done;
	}
}

static uint64_t
random_next(void)
{
	struct generator *g = &generator;

	if (!g->seeded) {
		pthread_once(&fork_handler_once, set_fork_handler);
		random_bytes(g->key, sizeof(g->key));
		g->counter = 0;
		g->seeded = true;
	}
	g->counter++;
	return siphash(g->key, &g->counter, sizeof(g->counter));
}

/* Draws below 2^64 mod limit are thrown away: what is left divides evenly. */
uint64_t
random_below(uint64_t limit)
{
	uint64_t reject;
	uint64_t drawn;

	if (limit < 2)
		return 0;
	reject = -limit % limit;
	do {
		drawn = random_next();
	} while (drawn < reject);
	return drawn % limit;
}
