/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running processes: what they report, what they are told, and how they end. Reports come from
 * processes that may be captured, so a report changes nothing but the state of its own process.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "master/master.h"
#include "service/control.h"

static void
report_read(struct process *p, const char *packet, size_t n)
{
	uint64_t number = 0;

	if (n > 1 && !number_parse((struct view){ packet + 1, n - 1 }, 100000000, &number))
		return;
	switch (packet[0]) {
	case CONTROL_READY:
		p->ready = true;
		break;
	case CONTROL_LOAD:
		p->load = (size_t)number;
		p->full = false;
		break;
	case CONTROL_FULL:
		p->load = (size_t)number;
		p->full = true;
		break;
	case CONTROL_ENDING:
		p->ending = true;
		break;
	default:
		break;
	}
}

static void
on_report(void *context)
{
	struct process *p = context;
	char packet[CONTROL_PACKET_MAX];
	ssize_t n = recv(p->control, packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		task_watch_enable(p->watch, false); /* its end comes with SIGCHLD */
		return;
	}
	report_read(p, packet, (size_t)n);
	master_service_update(p->service);
}

void
process_watch(struct process *p)
{
	p->watch = task_watch_new(p->control, TASK_READ, on_report, p);
}

/* A descriptor other than -1 goes along. */
void
process_tell(struct process *p, char letter, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { &letter, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(p->control, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE)
		log_warn("process %ld does not listen: %s", (long)p->pid, strerror(errno));
}

void
processes_tell_all(char letter, int fd)
{
	list_for_each (link, &master.processes)
		process_tell(LIST_ITEM(link, struct process, all), letter, fd);
}

/* Their groups too: what a delivery agent started must not outlive it. */
void
processes_kill_all(int signal_number)
{
	list_for_each (link, &master.processes) {
		struct process *p = LIST_ITEM(link, struct process, all);

		if (kill(-p->pid, signal_number) < 0)
			(void)kill(p->pid, signal_number);
	}
}

static struct process *
process_find(pid_t pid)
{
	list_for_each (link, &master.processes) {
		struct process *p = LIST_ITEM(link, struct process, all);

		if (p->pid == pid)
			return p;
	}
	return NULL;
}

/* True when the end was one that the service must be slowed down for. */
static bool
report_end(const struct process *p, int status)
{
	const struct master_service *s = p->service;

	if (WIFSIGNALED(status)) {
		if (master.state == MASTER_STOPPING)
			return false;
		log_warn("process %s pid %ld killed by signal %d", s->path, (long)p->pid,
		    WTERMSIG(status));
		return true;
	}
	if (WEXITSTATUS(status) != 0) {
		log_warn("process %s pid %ld exit status %d", s->path, (long)p->pid,
		    WEXITSTATUS(status));
		if (!p->ready)
			log_warn("%s: bad command startup -- throttling", s->path);
		return true;
	}
	return !p->ready && !p->ending;
}

static void
process_free(struct process **p)
{
	list_remove(&(*p)->link);
	list_remove(&(*p)->all);
	task_watch_free(&(*p)->watch);
	file_close(&(*p)->control);
	mem_free(*p);
	*p = NULL;
}

static void
drain_reports(struct process *p)
{
	char packet[CONTROL_PACKET_MAX];
	ssize_t n;

	while ((n = recv(p->control, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		report_read(p, packet, (size_t)n);
}

/* A retired service waits for its last process; one that must be alone may start after it. */
static void
service_lost_process(struct master_service *s)
{
	struct master_service *successor;

	if (!s->retired) {
		master_service_update(s);
		return;
	}
	if (!list_is_empty(&s->processes))
		return;
	successor = master_service_find(&master.services, s->name, s->type);
	master_service_free(&s);
	if (successor)
		master_service_update(successor);
}

static void
process_ended(struct process *p, int status)
{
	struct master_service *s = p->service;
	nanoseconds lived = clock_now() - p->started;
	bool bad;

	drain_reports(p); /* "ready" may have been its last word */
	bad = report_end(p, status);
	process_free(&p);
	if (bad)
		master_service_failed(s, lived);
	service_lost_process(s);
}

/* Also for children that are not ours: as PID 1 of a container, orphans come here. */
void
processes_reap(void *context)
{
	int status;
	pid_t pid;

	(void)context;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = process_find(pid);

		if (p)
			process_ended(p, status);
	}
	master_check_stopped();
}
