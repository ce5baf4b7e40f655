/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon that an attacker has taken over: the real program, with the jail that its own main.c
 * declares, and one more conversation. Linked into it, this file stands between main and
 * service_main (ld --wrap). A client that says HOSTILE first of all, before the daemon says
 * anything, gets this conversation; everybody else gets the daemon.
 *
 *   client: an act of the tables below and its argument, a line each
 *   answer: "done" when the kernel let it happen, else the name of the error
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "task/stream.h"
#include "task/task.h"

#define MAGIC      "HOSTILE\n"
#define MAGIC_TIME (300 * MILLISECOND)
#define IDLE_TIME  (600 * SECOND)

int __real_service_main(int argc, char **argv, const struct service *s);
int __wrap_service_main(int argc, char **argv, const struct service *s);

static void (*real_session)(const struct service_connection *c);

static const struct act *
act_find(const struct act *acts, struct view name)
{
	for (const struct act *a = acts; a->name; a++)
		if (view_eq(name, view_of(a->name)))
			return a;
	return NULL;
}

static void
act_run(struct stream *s, struct view line)
{
	static const struct act *const tables[] = { hostile_file_acts, hostile_socket_acts,
		hostile_process_acts };
	const struct act *a = NULL;
	const char *answer = "unknown";
	struct view name;
	char *argument;
	int result;

	if (!view_next_word(&line, " ", &name))
		return;
	line = view_trim(line);
	argument = mem_dup(line.p, line.n);
	for (size_t i = 0; i < ARRAY_LEN(tables) && !a; i++)
		a = act_find(tables[i], name);
	if (a) {
		errno = 0;
		result = a->run(argument);
		answer = result >= 0 ? "done" : strerrorname_np(errno);
	}
	stream_printf(s, clock_deadline(IDLE_TIME), "%s\n", answer ? answer : "?");
	mem_free(argument);
}

/* The connection itself is the tool: its answer goes to the log. */
static void
act_on_connection(const struct service_connection *c, struct view line)
{
	struct view name;
	char *argument;

	if (!view_next_word(&line, " ", &name))
		return;
	line = view_trim(line);
	argument = mem_dup(line.p, line.n);
	if (view_eq(name, VIEW("reconnect")))
		hostile_reconnect(c->fd, argument, false);
	else if (view_eq(name, VIEW("fastopen")))
		hostile_reconnect(c->fd, argument, true);
	mem_free(argument);
}

static void
hostile_session(const struct service_connection *c)
{
	struct stream *s = stream_new(c->fd);
	struct view line;

	while (stream_read_line(s, 1000, &line, NULL, clock_deadline(IDLE_TIME)) == STREAM_OK) {
		act_on_connection(c, line);
		act_run(s, line);
	}
	stream_free(&s);
}

static bool
says_hostile(int fd)
{
	char text[sizeof(MAGIC)];

	return task_wait_fd(fd, TASK_READ, clock_deadline(MAGIC_TIME)) == TASK_OK &&
	    recv(fd, text, sizeof(text), MSG_PEEK) >= (ssize_t)strlen(MAGIC) &&
	    memcmp(text, MAGIC, strlen(MAGIC)) == 0;
}

static void
session(const struct service_connection *c)
{
	if (says_hostile(c->fd))
		hostile_session(c);
	else
		real_session(c);
}

int
__wrap_service_main(int argc, char **argv, const struct service *s)
{
	static struct service captured;

	captured = *s;
	real_session = s->session;
	captured.session = session;
	return __real_service_main(argc, argv, &captured);
}
