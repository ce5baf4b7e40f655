/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch by itself, without loop or libevent, for processors that the machine at hand only
 * emulates: two contexts hand values to and fro, and each finds its integer and floating-point
 * registers and its stack as it left them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/context.h"

#define STACK  65536
#define ROUNDS 100000

struct side {
	struct context context;
	struct side *other;
	uint64_t seed;
	unsigned rounds;
	int finished;
};

static struct context origin;
static uint64_t shared;

static void
check(int fine, const char *what)
{
	if (!fine) {
		printf("switch_check: %s\n", what);
		exit(1);
	}
}

/*
 * More live values than there are registers that a call may destroy: ten integers and ten
 * doubles stay in the registers that the switch must keep.
 */
static void
play(void *argument)
{
	struct side *s = argument;
	uint64_t a = s->seed, b = a * 3, c = a * 5, d = a * 7, e = a * 11;
	uint64_t f = a * 13, g = a * 17, h = a * 19, i = a * 23, j = a * 29;
	double k = (double)a, l = k * 2, m = k * 3, n = k * 4, o = k * 5;
	double p = k * 6, q = k * 7, r = k * 8;
	volatile char frame[512];

	check(((uintptr_t)__builtin_frame_address(0) & 15) == 0, "the stack is not aligned");
	memset((char *)(uintptr_t)frame, (int)a, sizeof(frame));
	for (s->rounds = 0; s->rounds < ROUNDS; s->rounds++) {
		shared += a;
		context_switch(&s->context, &s->other->context);
		a += 1, b += 3, c += 5, d += 7, e += 11, f += 13, g += 17, h += 19, i += 23;
		j += 29, k += 1, l += 2, m += 3, n += 4, o += 5, p += 6, q += 7, r += 8;
	}
	check(b == a * 3 && c == a * 5 && d == a * 7 && e == a * 11 && f == a * 13 &&
		g == a * 17 && h == a * 19 && i == a * 23 && j == a * 29 &&
		a == s->seed + ROUNDS,
	    "an integer register was lost");
	check(k == (double)a && l == k * 2 && m == k * 3 && n == k * 4 && o == k * 5 &&
		p == k * 6 && q == k * 7 && r == k * 8,
	    "a floating-point register was lost");
	for (size_t at = 0; at < sizeof(frame); at++)
		check(frame[at] == (char)s->seed, "the stack was damaged");
	s->finished = 1;
	if (!s->other->finished)
		context_switch(&s->context, &s->other->context);
	context_switch(&s->context, &origin);
	check(0, "an ended context was entered");
}

int
main(void)
{
	static struct side left = { .seed = 1000 }, right = { .seed = 77 };
	uint64_t sum =
	    (uint64_t)ROUNDS * (left.seed + right.seed) + (uint64_t)ROUNDS * (ROUNDS - 1);
	char *stacks = malloc(2 * STACK);

	check(stacks != NULL, "no memory");
	left.other = &right;
	right.other = &left;
	context_init(&left.context, stacks, STACK, play, &left);
	context_init(&right.context, stacks + STACK, STACK - 40, play, &right);
	context_switch(&origin, &left.context);
	check(left.finished && right.finished, "a side did not finish");
	check(shared == sum, "the turns were not taken");
	free(stacks);
	printf("switch_check: ok\n");
	return 0;
}
