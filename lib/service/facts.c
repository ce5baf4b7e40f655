/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may ask about the process it runs in. */
#include <stdio.h>
#include <string.h>

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

bool
service_peer_is_ours(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof(peer))
		return false;
	if (uid)
		*uid = peer.uid;
	return sandbox_uid_is_ours(service_process.conf, peer.uid);
}

void
service_path(char *out, size_t size, const char *class_name, const char *name)
{
	snprintf(out, size, "%s/%s", class_name, name);
}
