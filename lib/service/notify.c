/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few lines of systemd's sd_notify(3) protocol that a supervisor needs: one datagram per
 * change of state to the socket named by NOTIFY_SOCKET. Without that variable nothing is sent.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/notify.h"

static void
notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0'; /* the abstract name space */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn("cannot notify %s", path);
	close(fd);
}

void
notify_ready(void)
{
	char *text = mem_printf("READY=1\nSTATUS=running\nMAINPID=%ld", (long)getpid());

	notify(text);
	mem_free(text);
}

void
notify_reloading(void)
{
	char *text =
	    mem_printf("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_now() / 1000));

	notify(text);
	mem_free(text);
}

void
notify_stopping(void)
{
	notify("STOPPING=1");
}
