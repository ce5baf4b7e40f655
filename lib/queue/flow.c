/* SPDX-License-Identifier: Apache-2.0 */
/* A lock can be tested without being taken, and nobody has to clean up after its owner. */
#include "queue/flow.h"

#include <fcntl.h>
#include <unistd.h>

#define FLOW_NAME "pid/qmgr.flow"

int
flow_open(void)
{
	return open(FLOW_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

void
flow_slow_down(int fd, bool slow)
{
	struct flock lock = {
		.l_type = slow ? F_WRLCK : F_UNLCK,
		.l_whence = SEEK_SET,
		.l_len = 1,
	};

	/* When it fails nobody slows down: the queue grows, and nothing is lost. */
	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

bool
flow_is_slow(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
