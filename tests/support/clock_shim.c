/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into one daemon, sets its wall clock wrong: CLOCK_PROGRAM names the daemon,
 * CLOCK_STATE a file that begins with the seconds to be added (a signed 64-bit number of this
 * machine). It is mapped before the jail, so that the clock can jump while the daemon runs. The
 * monotonic clock stays right, as it does when somebody sets the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STATE_SIZE 4096

static const volatile int64_t *clock_offset;

__attribute__((constructor)) static void
clock_open(void)
{
	const char *program = getenv("CLOCK_PROGRAM"), *path = getenv("CLOCK_STATE");
	void *map = MAP_FAILED;
	int fd;

	if (!program || !path || strcmp(program, program_invocation_short_name) != 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		map = mmap(NULL, STATE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || map == MAP_FAILED)
		abort();
	close(fd);
	clock_offset = map;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
	int result = (int)syscall(SYS_clock_gettime, id, out);

	if (result == 0 && id == CLOCK_REALTIME && clock_offset)
		out->tv_sec += *clock_offset;
	return result;
}
