/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets. They outlive the processes that accept on them: while a service restarts
 * or master reloads, connections wait in the kernel's backlog and none is lost.
 */
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "service/interfaces.h"

#define BACKLOG    1024 /* the kernel cuts it to net.core.somaxconn */
#define BIND_TRIES 100
#define BIND_PAUSE (50 * 1000 * 1000) /* nanoseconds */

static struct listener *
listener_new(struct master_service *s, char *key)
{
	struct listener *l = NEW(struct listener);

	l->key = key;
	l->fd = -1;
	l->service = s;
	l->socket_type = SOCK_STREAM;
	list_append(&s->listeners, &l->link);
	return l;
}

bool
listener_add_inet(const struct conf_values *v, struct master_service *s,
    const struct master_entry *e, char **why)
{
	struct interface_addresses found = { 0 };
	bool good = interfaces_find(v, e->host, e->port, &found, why);

	for (size_t i = 0; good && i < found.count; i++) {
		const struct interface_address *a = &found.all[i];
		char name[INET6_ADDRSTRLEN + IF_NAMESIZE] = "", number[8] = "";
		struct listener *l;

		(void)getnameinfo((const struct sockaddr *)&a->address, a->length, name,
		    sizeof(name), number, sizeof(number), NI_NUMERICHOST | NI_NUMERICSERV);
		l = listener_new(s, mem_printf("inet [%s]:%s", name, number));
		l->address = a->address;
		l->address_length = a->length;
	}
	mem_free(found.all);
	return good;
}

void
listener_add_unix(struct master_service *s, bool is_private)
{
	const char *class_name = is_private ? "private" : "public";
	bool datagrams = s->type == MASTER_UNIX_DGRAM;
	struct listener *l =
	    listener_new(s, mem_printf("%s %s/%s", s->type_name, class_name, s->name));
	struct sockaddr_un *sun = (struct sockaddr_un *)&l->address;

	l->path = mem_printf("%s/%s", class_name, s->name);
	l->mode = is_private ? 0660 : 0666;
	l->socket_type = datagrams ? SOCK_DGRAM : SOCK_STREAM;
	sun->sun_family = AF_UNIX;
	snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", l->path);
	l->address_length = (socklen_t)sizeof(*sun);
}

static gid_t
directory_group(const char *path)
{
	struct stat st;
	struct view v = view_of(path);
	char *directory = mem_dup(v.p, view_find_last(v, '/'));
	gid_t gid = stat(directory, &st) == 0 ? st.st_gid : (gid_t)-1;

	mem_free(directory);
	return gid;
}

/* The directory is root's, so nobody can exchange the socket between these calls. */
static bool
bind_unix(struct listener *l)
{
	if (unlink(l->path) < 0 && errno != ENOENT)
		return false;
	if (bind(l->fd, (struct sockaddr *)&l->address, l->address_length) < 0)
		return false;
	if (master.is_root && chown(l->path, 0, directory_group(l->path)) < 0)
		return false;
	return chmod(l->path, l->mode) == 0;
}

/* A predecessor that was killed leaves processes that need a moment to see it and end. */
static bool
bind_inet(struct listener *l)
{
	struct timespec pause = { 0, BIND_PAUSE };
	int one = 1;

	(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l->address.ss_family == AF_INET6)
		(void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	for (int tries = 0; tries < BIND_TRIES; tries++) {
		if (bind(l->fd, (struct sockaddr *)&l->address, l->address_length) == 0)
			return true;
		if (errno != EADDRINUSE || master.state != MASTER_STARTING)
			break;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void
on_readable(void *context)
{
	struct listener *l = context;
	struct master_service *s = l->service;

	/* The watch is on only while another process may be started. */
	for (struct list *i = s->listeners.next; i != &s->listeners; i = i->next)
		listener_watch(LIST_ITEM(i, struct listener, link), false);
	master_service_spawn(s);
}

static void
start_watch(struct listener *l)
{
	l->watch = task_watch_new(l->fd, TASK_READ, on_readable, l);
	task_watch_enable(l->watch, false);
}

bool
listener_open(struct listener *l, char **why)
{
	int one = 1;
	bool bound;

	l->fd = socket(l->address.ss_family, l->socket_type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		*why = mem_printf("socket for %s: %s", l->key, strerror(errno));
		return false;
	}
	/* Here, for what is sent before the service runs is to say whose it is, too. */
	if (l->socket_type == SOCK_DGRAM)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	bound = l->path ? bind_unix(l) : bind_inet(l);
	if (!bound || (l->socket_type == SOCK_STREAM && listen(l->fd, BACKLOG) < 0)) {
		*why = mem_printf("bind %s: %s", l->key, strerror(errno));
		file_close(&l->fd);
		return false;
	}
	start_watch(l);
	return true;
}

void
listener_adopt(struct master_service *s, struct listener *from, struct listener *to)
{
	to->fd = from->fd;
	to->service = s;
	from->fd = -1;
	task_watch_free(&from->watch);
	start_watch(to);
}

/* Processes that are still finishing hold the socket too: shutdown ends it for all of them. */
void
listener_close(struct listener **l)
{
	task_watch_free(&(*l)->watch);
	if ((*l)->fd >= 0)
		(void)shutdown((*l)->fd, SHUT_RDWR);
	if ((*l)->fd >= 0 && (*l)->path)
		(void)unlink((*l)->path);
	file_close(&(*l)->fd);
	list_remove(&(*l)->link);
	mem_free((*l)->key);
	mem_free((*l)->path);
	mem_free(*l);
	*l = NULL;
}

void
listener_watch(struct listener *l, bool on)
{
	if (l->watch)
		task_watch_enable(l->watch, on);
}
