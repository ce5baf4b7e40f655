/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the listening sockets to sessions. Each connection becomes a task of its own, up to the
 * limit of this process; beyond that connections stay in the kernel's backlog, where another
 * process or a later moment picks them up. A kept connection that is idle takes no place away
 * from one that waits: it is closed, and its client asks again. When descriptors or memory run
 * out, accepting pauses for a second instead of spinning on a socket that stays readable.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/service_private.h"
#include "task/task.h"

#define ACCEPT_BATCH          16 /* connections taken per turn of the loop, at most */
#define SESSIONS_A_CONNECTION 8  /* so many sessions make a turn worth one more */
#define PAUSE                 SECOND
#define COMPLAIN_EVERY        (60 * SECOND)
#define DESCRIPTORS_RESERVED  64 /* for everything that is not a session */
#define DESCRIPTORS_A_SESSION 3  /* the client, and what is opened on its behalf */

struct listener {
	int fd;
	int index;
	sa_family_t family;
	struct task_watch *watch;
};

/* Somebody whose sessions are counted. */
struct user {
	uid_t uid;
	size_t sessions;
};

struct session {
	struct list link;
	struct task *task;
	struct user *user; /* NULL: not counted */
	bool idle;
	struct service_connection connection;
};

static struct accepting {
	struct listener *listeners;
	struct list sessions;
	struct hash *users; /* by uid */
	size_t session_count;
	size_t limit;
	bool stopped;
	bool full;
	bool paused;
	struct task_timer *pause_timer;
	nanoseconds complain_again;
} accepting;

/* Watches the sockets exactly when a connection could be served. */
static void
watch_listeners(void)
{
	bool on = !accepting.stopped && !accepting.full && !accepting.paused;

	for (size_t i = 0; i < service_process.listener_count; i++) {
		if (accepting.listeners[i].watch)
			task_watch_enable(accepting.listeners[i].watch, on);
	}
}

static bool
may_complain(void)
{
	if (clock_now() < accepting.complain_again)
		return false;
	accepting.complain_again = clock_deadline(COMPLAIN_EVERY);
	return true;
}

static void
pause_accepting(const char *what)
{
	if (may_complain())
		log_warn("%s: accepting connections pauses", what);
	accepting.paused = true;
	task_timer_set(accepting.pause_timer, clock_deadline(PAUSE));
	watch_listeners();
}

static void
resume_accepting(void *context)
{
	(void)context;
	accepting.paused = false;
	watch_listeners();
}

static struct view
user_key(const uid_t *uid)
{
	return (struct view){ (const char *)uid, sizeof(*uid) };
}

/* False when the client's user has as many sessions as one may have. */
static bool
user_enter(const struct service_connection *c, struct user **out)
{
	size_t limit = service_process.service->sessions_per_user;
	uid_t uid = (uid_t)-1;
	struct user *u;

	*out = NULL;
	if (limit == 0 || c->peer.ss_family != AF_UNIX || service_peer_is_owner(c->fd, &uid))
		return true;
	if (!accepting.users)
		accepting.users = hash_new();
	u = hash_find(accepting.users, user_key(&uid));
	if (!u) {
		u = NEW(struct user);
		u->uid = uid;
		hash_put(accepting.users, user_key(&uid), u);
	}
	if (u->sessions == limit) {
		if (may_complain())
			log_warn("user id %ld has %zu connections: one more refused", (long)uid,
			    limit);
		return false;
	}
	u->sessions++;
	*out = u;
	return true;
}

static void
user_leave(struct user *u)
{
	if (!u || --u->sessions > 0)
		return;
	hash_remove(accepting.users, user_key(&u->uid));
	mem_free(u);
}

static void
session_end(struct session *s)
{
	struct task *task = s->task;

	list_remove(&s->link);
	user_leave(s->user);
	mem_free(s);
	accepting.session_count--;
	if (accepting.full && !accepting.stopped) {
		accepting.full = false;
		watch_listeners();
	}
	process_session_ended(accepting.session_count);
	task_release(task);
}

static void
session_run(void *argument)
{
	struct session *s = argument;

	service_process.service->session(&s->connection);
	session_end(s);
}

/* Looks again whether somebody waits: an idle session can make way. */
static void
not_full(void)
{
	accepting.full = false;
	watch_listeners();
	process_load(accepting.session_count);
}

static bool
is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

void
service_session_idle(const struct service_connection *c, bool idle)
{
	struct session *s = CONTAINER_OF(c, struct session, connection);

	if (service_process.stand_alone)
		return;
	s->idle = idle;
	if (!idle)
		return;
	if (accepting.stopped)
		task_cancel(s->task);
	else if (accepting.full)
		not_full();
}

/* False when all sessions are at work. */
static bool
make_way(void)
{
	list_for_each (link, &accepting.sessions) {
		struct session *s = LIST_ITEM(link, struct session, link);

		if (s->idle && !is_readable(s->connection.fd)) {
			task_cancel(s->task);
			return true;
		}
	}
	return false;
}

static bool
uid_allowed(int fd, uid_t *uid)
{
	switch (service_process.service->peers) {
	case SERVICE_PEERS_ANY:
		return true;
	case SERVICE_PEERS_OURS:
		return service_peer_is_ours(fd, uid);
	case SERVICE_PEERS_OWNER:
		return service_peer_is_owner(fd, uid);
	}
	return false;
}

static bool
peer_allowed(const struct service_connection *c)
{
	uid_t uid = (uid_t)-1;

	if (c->peer.ss_family != AF_UNIX || uid_allowed(c->fd, &uid))
		return true;
	if (may_complain())
		log_warn("connection from user id %ld refused", (long)uid);
	return false;
}

static void
session_start(struct listener *l, int fd, const struct sockaddr_storage *peer, socklen_t length)
{
	struct session *s = NEW(struct session);
	struct service_connection *c = &s->connection;

	c->fd = fd;
	c->listener = l->index;
	c->peer = *peer;
	c->peer_length = length;
	if (c->peer_length <= offsetof(struct sockaddr, sa_data))
		c->peer.ss_family = l->family;
	if (!peer_allowed(c) || !user_enter(c, &s->user)) {
		close(fd);
		mem_free(s);
		return;
	}
	s->task = task_start("session", session_run, s);
	if (!s->task) {
		close(fd);
		user_leave(s->user);
		mem_free(s);
		pause_accepting("no memory for another session");
		return;
	}
	list_append(&accepting.sessions, &s->link);
	accepting.session_count++;
	process_session_started();
}

/* False when there is nothing to take now. */
static bool
take_connection(struct listener *l)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t length = sizeof(peer);
	int fd =
	    accept4(l->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		session_start(l, fd, &peer, length);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EPERM:
		pause_accepting(strerror(errno));
		return false;
	case EINVAL: /* master has shut the socket down */
		task_watch_free(&l->watch);
		return false;
	default: /* the client has gone meanwhile, or its network has */
		return true;
	}
}

/*
 * Connections to take in this turn of the loop. The call that finds none left is for nothing:
 * with few sessions the next turn comes soon enough, with many at work it comes late.
 */
static size_t
batch_size(void)
{
	size_t n = 1 + accepting.session_count / SESSIONS_A_CONNECTION;

	return n < ACCEPT_BATCH ? n : ACCEPT_BATCH;
}

static void
on_readable(void *context)
{
	struct listener *l = context;

	for (size_t left = batch_size(); left > 0; left--) {
		if (accepting.stopped || accepting.paused)
			return;
		if (accepting.session_count >= accepting.limit) {
			accepting.full = true;
			watch_listeners();
			if (!make_way())
				process_full(accepting.session_count);
			return;
		}
		if (!take_connection(l))
			return;
	}
}

static size_t
limit_by_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 1000000)
		return 1000000 / DESCRIPTORS_A_SESSION;
	if (limit.rlim_cur <= DESCRIPTORS_RESERVED + DESCRIPTORS_A_SESSION)
		return 1;
	return (limit.rlim_cur - DESCRIPTORS_RESERVED) / DESCRIPTORS_A_SESSION;
}

static void
listener_prepare(struct listener *l, int index)
{
	struct sockaddr_storage local = { 0 };
	socklen_t length = sizeof(local);
	int one = 1;

	l->fd = SERVICE_LISTEN_FD_FIRST + index;
	l->index = index;
	fd_set_cloexec(l->fd, true);
	fd_set_nonblocking(l->fd);
	(void)getsockname(l->fd, (struct sockaddr *)&local, &length);
	l->family = local.ss_family;
	/* On Linux connections have it from the socket they came through. */
	if (l->family != AF_UNIX)
		(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (service_process.service->session)
		l->watch = task_watch_new(l->fd, TASK_READ, on_readable, l);
}

void
accept_start(void)
{
	size_t count = service_process.listener_count;

	list_init(&accepting.sessions);
	accepting.limit = limit_by_descriptors();
	if (service_process.session_limit > 0 &&
	    service_process.session_limit < accepting.limit)
		accepting.limit = service_process.session_limit;
	accepting.pause_timer = task_timer_new(resume_accepting, NULL);
	accepting.listeners = mem_zero(count, sizeof(*accepting.listeners));
	for (size_t i = 0; i < count; i++)
		listener_prepare(&accepting.listeners[i], (int)i);
	watch_listeners();
}

void
accept_stop(void)
{
	if (accepting.stopped)
		return;
	accepting.stopped = true;
	for (size_t i = 0; i < service_process.listener_count; i++) {
		task_watch_free(&accepting.listeners[i].watch);
		if (service_process.service->session)
			file_close(&accepting.listeners[i].fd);
	}
	list_for_each (link, &accepting.sessions) {
		struct session *s = LIST_ITEM(link, struct session, link);

		if (s->idle)
			task_cancel(s->task);
	}
}

void
accept_done(void)
{
	task_timer_free(&accepting.pause_timer);
	for (size_t i = 0; accepting.listeners && i < service_process.listener_count; i++)
		task_watch_free(&accepting.listeners[i].watch);
	mem_free(accepting.listeners);
	accepting.listeners = NULL;
	hash_free(&accepting.users, mem_free);
}

size_t
accept_sessions(void)
{
	return accepting.session_count;
}

size_t
service_listener_count(void)
{
	return service_process.listener_count;
}

int
service_listener_fd(size_t index)
{
	return index < service_process.listener_count ? accepting.listeners[index].fd : -1;
}
