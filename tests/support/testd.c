/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon for tests of master and lib/service: it does, line by line, what its client asks.
 *
 *   pid             the process id
 *   name            the service name and program name
 *   echo TEXT       TEXT
 *   exit N          ends the process with status N
 *   crash           ends it with SIGABRT
 *   uid             real user and group id, and the number of supplementary groups
 *   env NAME        the value of an environment variable, or "-"
 *   fds             the number of open descriptors
 *   param NAME      the text of a parameter
 *   idle            marks this session as idle between two pieces of work
 *   finish          the process takes no more connections
 *   try WHAT        "done" or the name of the error; WHAT is one of the attempts below
 *
 *   leak            loses some memory
 *   hold, release   takes all descriptors that can be had; gives them back
 *
 * "wakeups" tells how often the wakeup hook ran. With -o testd_fail=yes it ends before it is
 * ready. Under the name testd-ours it talks to nobody but the suite's own users, as testd-owner
 * to mail_owner; as testd-net it runs as the network user.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "service/service.h"
#include "task/stream.h"
#include "task/task.h"

#define IDLE_TIME (600 * SECOND)

static unsigned wakeups;
static void *volatile lost;

static int
try_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int
try_shadow(void)
{
	return try_open("/etc/shadow");
}

static int
try_passwd(void)
{
	return try_open("/etc/passwd");
}

static int
try_queue(void)
{
	return try_open("incoming");
}

static int
try_exec(void)
{
	char *argv[] = { NULL }, *environment[] = { NULL };

	return execve("/bin/true", argv, environment);
}

static int
try_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
try_setuid(void)
{
	return setuid(0);
}

static int
try_inet(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int
try_kill(void)
{
	return kill(getppid(), 0);
}

static int
try_exec_memory(void)
{
	void *p = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int
try_core(void)
{
	return fcntl(STDERR_FILENO, F_GETFD); /* something that is always allowed */
}

static const struct attempt {
	const char *name;
	int (*run)(void);
} attempts[] = {
	{ "shadow", try_shadow },
	{ "passwd", try_passwd },
	{ "queue", try_queue },
	{ "exec", try_exec },
	{ "ptrace", try_ptrace },
	{ "setuid", try_setuid },
	{ "inet", try_inet },
	{ "kill", try_kill },
	{ "exec-memory", try_exec_memory },
	{ "allowed", try_core },
};

static const char *
attempt(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		if (!view_eq(name, view_of(attempts[i].name)))
			continue;
		errno = 0;
		return attempts[i].run() >= 0 ? "done" : strerrorname_np(errno);
	}
	return "unknown";
}

static int held[1024];
static unsigned held_count;

static unsigned
hold(void)
{
	int fd;

	while (held_count < ARRAY_LEN(held) && (fd = dup(STDIN_FILENO)) >= 0)
		held[held_count++] = fd;
	return held_count;
}

static unsigned
release(void)
{
	while (held_count > 0)
		close(held[--held_count]);
	return held_count;
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
answer(struct stream *s, const char *verb, struct view rest)
{
	nanoseconds soon = clock_deadline(10 * SECOND);
	char *text = mem_dup(rest.p, rest.n);

	if (strcmp(verb, "pid") == 0)
		stream_printf(s, soon, "%ld\n", (long)getpid());
	else if (strcmp(verb, "name") == 0)
		stream_printf(s, soon, "%s %s\n", service_name(), service_program());
	else if (strcmp(verb, "echo") == 0)
		stream_printf(s, soon, "%s\n", text);
	else if (strcmp(verb, "uid") == 0)
		stream_printf(s, soon, "%ld %ld %d\n", (long)getuid(), (long)getgid(),
		    getgroups(0, NULL));
	else if (strcmp(verb, "env") == 0)
		stream_printf(s, soon, "%s\n", getenv(text) ? getenv(text) : "-");
	else if (strcmp(verb, "fds") == 0)
		stream_printf(s, soon, "%u\n", open_descriptors());
	else if (strcmp(verb, "param") == 0)
		stream_printf(s, soon, "%s\n", conf_text(service_conf(), text, NULL));
	else if (strcmp(verb, "wakeups") == 0)
		stream_printf(s, soon, "%u\n", wakeups);
	else if (strcmp(verb, "hold") == 0)
		stream_printf(s, soon, "%u\n", hold());
	else if (strcmp(verb, "release") == 0)
		stream_printf(s, soon, "%u\n", release());
	else if (strcmp(verb, "try") == 0)
		stream_printf(s, soon, "%s\n", attempt(rest));
	else
		stream_printf(s, soon, "?\n");
	mem_free(text);
}

static void
act(const struct service_connection *c, const char *verb, struct view rest)
{
	uint64_t status = 1;

	if (strcmp(verb, "exit") == 0 && number_parse(rest, 255, &status))
		_exit((int)status);
	else if (strcmp(verb, "crash") == 0)
		abort();
	else if (strcmp(verb, "idle") == 0)
		service_session_idle(c, true);
	else if (strcmp(verb, "finish") == 0)
		service_finish();
	else if (strcmp(verb, "leak") == 0)
		lost = mem_alloc(1000);
	lost = NULL;
}

static void
session(const struct service_connection *c)
{
	struct stream *s = stream_new(c->fd);
	struct view line, verb;

	while (stream_read_line(s, 1000, &line, NULL, clock_deadline(IDLE_TIME)) == STREAM_OK) {
		char name[16];

		if (!view_next_word(&line, " ", &verb))
			continue;
		snprintf(name, sizeof(name), "%.*s", VIEW_ARG(verb));
		line = view_trim(line);
		act(c, name, line);
		answer(s, name, line);
	}
	stream_free(&s);
}

static void
pre_jail(void)
{
	if (conf_text(service_conf(), "testd_fail", NULL))
		log_fatal("asked to fail");
}

static void
wakeup(void)
{
	wakeups++;
	log_info("wakeup %u", wakeups);
}

/* What a test wants to see is chosen by the name that the program is called by. */
static enum service_peers
peers_by_name(const char *name)
{
	if (strstr(name, "owner"))
		return SERVICE_PEERS_OWNER;
	return strstr(name, "ours") ? SERVICE_PEERS_OURS : SERVICE_PEERS_ANY;
}

int
main(int argc, char **argv)
{
	struct service testd = {
		.name = "testd",
		.peers = peers_by_name(argv[0]),
		.user = strstr(argv[0], "net") ? service_network_user : NULL,
		.pre_jail = pre_jail,
		.session = session,
		.wakeup = wakeup,
	};

	return service_main(argc, argv, &testd);
}
