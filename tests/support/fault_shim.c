/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into one daemon, makes syncs fail when a test says so: a disk that loses data, as
 * no file system can be asked to do. FAULT_PROGRAM names the daemon, FAULT_STATE a file whose
 * first byte is the error number for files and whose second is that for directories (0: none).
 * It is mapped before the jail, so that the test can change its mind while the daemon runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATE_SIZE 4096

static const volatile unsigned char *fault_state;

__attribute__((constructor)) static void
fault_open(void)
{
	const char *program = getenv("FAULT_PROGRAM"), *path = getenv("FAULT_STATE");
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
	fault_state = map;
}

static bool
is_failing(int fd)
{
	struct stat st;

	if (!fault_state || fstat(fd, &st) < 0)
		return false;
	errno = fault_state[S_ISDIR(st.st_mode) ? 1 : 0];
	return errno != 0;
}

int
fsync(int fd)
{
	return is_failing(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return is_failing(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}
