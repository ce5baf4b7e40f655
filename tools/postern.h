/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the postern command. Each returns the exit code. */
#ifndef TOOLS_POSTERN_H
#define TOOLS_POSTERN_H

#include "conf/conf.h"

struct postern {
	const char *directory; /* of main.cf */
	struct conf *conf;
	const struct conf_values *values;
	int verbose;
};

/* postern_start.c */
int postern_start(const struct postern *p);
int postern_start_fg(const struct postern *p);
int postern_check(const struct postern *p);

/* postern_control.c */
int postern_stop(const struct postern *p);
int postern_abort(const struct postern *p);
int postern_reload(const struct postern *p);
int postern_status(const struct postern *p);
int postern_flush(const struct postern *p);

/* postern_logrotate.c */
int postern_logrotate(const struct postern *p);

#endif
