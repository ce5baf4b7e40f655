/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One master per queue. The lock is held by this process's open file, so it goes with the
 * process however that ends; the text names the holder for whoever comes second and for the
 * commands. A command asks who has the lock without taking it, lest it stands in the way of a
 * start. The file is unreadable for others, who could otherwise hold the lock themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "service/lock.h"

#define HOST_MAX 256

static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static void
complain_held(int fd)
{
	char text[HOST_MAX + 32] = "";
	struct view rest, pid, host;
	ssize_t n = pread(fd, text, sizeof(text), 0);

	rest = (struct view){ text, n > 0 ? (size_t)n : 0 };
	if (view_next_word(&rest, " \n", &pid) && view_next_word(&rest, " \n", &host))
		log_fatal("the Postern mail system is already running: PID %.*s on host %.*s",
		    VIEW_ARG(pid), VIEW_ARG(host));
	log_fatal("the Postern mail system is already running");
}

void
lock_take(void)
{
	int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char host[HOST_MAX] = "";
	char *text;

	if (fd < 0)
		log_fatal("open %s: %s", LOCK_FILE, strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &whole_file) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			complain_held(fd);
		log_fatal("lock %s: %s", LOCK_FILE, strerror(errno));
	}
	(void)gethostname(host, sizeof(host) - 1);
	text = mem_printf("%ld %s\n", (long)getpid(), host);
	if (ftruncate(fd, 0) < 0 || !file_pwrite_all(fd, text, strlen(text), 0))
		log_fatal("write %s: %s", LOCK_FILE, strerror(errno));
	mem_free(text);
	/* fd stays open as long as this process lives. */
}

enum lock_state
lock_look(const char *queue_directory, long *pid)
{
	char *path = mem_printf("%s/%s", queue_directory, LOCK_FILE);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int open_error = errno;
	char text[32] = "";
	struct view rest = { text, 0 }, word;
	struct flock lock = whole_file;
	uint64_t number = 0;
	ssize_t n;

	mem_free(path);
	if (fd < 0)
		return open_error == ENOENT ? LOCK_FREE : LOCK_UNKNOWN;
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0) {
		open_error = errno;
		close(fd);
		errno = open_error;
		return LOCK_UNKNOWN;
	}
	if (lock.l_type == F_UNLCK) {
		close(fd);
		return LOCK_FREE;
	}
	n = pread(fd, text, sizeof(text), 0);
	close(fd);
	rest.n = n > 0 ? (size_t)n : 0;
	if (!view_next_word(&rest, " \n", &word) || !number_parse(word, INT32_MAX, &number) ||
	    number < 1)
		return LOCK_UNKNOWN;
	*pid = (long)number;
	return LOCK_HELD;
}
