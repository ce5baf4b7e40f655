/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection. QUIT is said when nothing is under way, and by a task of its own
 * when the server's answer is waited for: no delivery waits for a good-bye.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "smtp/client.h"

struct client client;

void
endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE])
{
	const struct sockaddr_un *un = (const void *)&e->address;
	const struct sockaddr_in *v4 = (const void *)&e->address;
	const struct sockaddr_in6 *v6 = (const void *)&e->address;

	out[0] = '\0';
	if (e->address.ss_family == AF_UNIX)
		snprintf(
		    out, ENDPOINT_TEXT_SIZE, "%.*s", (int)sizeof(un->sun_path), un->sun_path);
	else if (e->address.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, ENDPOINT_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, out, ENDPOINT_TEXT_SIZE);
}

unsigned
endpoint_port(const struct endpoint *e)
{
	const struct sockaddr_in *v4 = (const void *)&e->address;
	const struct sockaddr_in6 *v6 = (const void *)&e->address;

	if (e->address.ss_family == AF_INET)
		return ntohs(v4->sin_port);
	return e->address.ss_family == AF_INET6 ? ntohs(v6->sin6_port) : 0;
}

struct session *
session_new(const struct endpoint *e, int fd)
{
	struct session *s = NEW(struct session);
	char address[ENDPOINT_TEXT_SIZE];

	list_init(&s->link);
	list_init(&s->age);
	s->endpoint = *e;
	s->stream = stream_new_nonblocking(fd);
	server_reply_init(&s->reply);
	endpoint_text(e, address);
	s->host = mem_strdup(e->host);
	s->endpoint.host = s->host;
	s->namaddr = mem_printf("%s[%s]", e->host, address);
	s->relay = e->address.ss_family == AF_UNIX
	    ? mem_strdup(s->namaddr)
	    : mem_printf("%s:%u", s->namaddr, endpoint_port(e));
	s->born = clock_now();
	return s;
}

void
session_free(struct session **s)
{
	if (!*s)
		return;
	list_remove(&(*s)->link);
	stream_free(&(*s)->stream);
	server_reply_done(&(*s)->reply);
	mem_free((*s)->host);
	mem_free((*s)->namaddr);
	mem_free((*s)->relay);
	mem_free(*s);
	*s = NULL;
}

static void
quit_run(void *argument)
{
	struct session *s = argument;

	if (client.options.skip_quit_response || service_is_finishing())
		(void)chat_write(s, VIEW("QUIT\r\n"), client.options.quit_timeout);
	else
		(void)chat_ask(s, VIEW("QUIT"), client.options.quit_timeout);
	session_free(&s);
}

void
session_quit(struct session **s)
{
	bool may_wait = task_current() != NULL;

	if ((*s)->is_broken)
		session_free(s);
	else if (may_wait && client.options.skip_quit_response)
		quit_run(*s);
	else if (!task_spawn("quit", quit_run, *s))
		session_free(s);
	*s = NULL;
}
