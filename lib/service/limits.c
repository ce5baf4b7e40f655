/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource limits. No core files, which would hold mail and passwords; descriptors as declared,
 * hard limit included, so that a captured process cannot raise it again.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "service/sandbox.h"

void
sandbox_limits(const struct sandbox *s)
{
	struct rlimit limit = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		log_warn("setrlimit RLIMIT_CORE: %s", strerror(errno));
	if (s->max_descriptors == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max > s->max_descriptors)
		limit.rlim_max = s->max_descriptors;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("setrlimit RLIMIT_NOFILE: %s", strerror(errno));
}
