/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may ask about the process it runs in. */
#include <stdio.h>
#include <string.h>

#include "ipc/ipc_pool.h"
#include "service/service_private.h"

const struct conf *
service_conf(void)
{
	return service_process.conf;
}

const struct conf_values *
service_values(void)
{
	return service_process.values;
}

const char *
service_name(void)
{
	return service_process.name;
}

const char *
service_transport(void)
{
	const char *slash = strrchr(service_process.name, '/');

	return slash ? slash + 1 : service_process.name;
}

const char *
service_program(void)
{
	return service_process.program;
}

char **
service_arguments(void)
{
	return service_process.arguments;
}

bool
service_is_stand_alone(void)
{
	return service_process.stand_alone;
}

bool
service_is_finishing(void)
{
	return service_process.finishing;
}

bool
service_runs_as_root(void)
{
	return service_process.as_root;
}

static bool
peer_uid(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof(peer))
		return false;
	*uid = peer.uid;
	return true;
}

bool
service_peer_is_ours(int fd, uid_t *uid)
{
	uid_t peer = (uid_t)-1;
	bool known = peer_uid(fd, &peer);

	if (known && uid)
		*uid = peer;
	return known && sandbox_uid_is_ours(service_process.conf, peer);
}

bool
service_peer_is_owner(int fd, uid_t *uid)
{
	uid_t peer = (uid_t)-1;
	bool known = peer_uid(fd, &peer);

	if (known && uid)
		*uid = peer;
	if (!known)
		return false;
	return sandbox_uid_is_owner(service_process.conf, peer) ||
	    (!service_process.as_root && sandbox_uid_is_ours(service_process.conf, peer));
}

void
service_path(char *out, size_t size, const char *class_name, const char *name)
{
	snprintf(out, size, "%s/%s", class_name, name);
}

struct ipc_pool *
service_pool(const char *class_name, const char *name, size_t max_idle)
{
	char path[256];

	service_path(path, sizeof(path), class_name, name);
	return ipc_pool_new(path, max_idle, SERVICE_POOL_IDLE);
}
