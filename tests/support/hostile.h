/* SPDX-License-Identifier: Apache-2.0 */
/* What a captured daemon tries: tables of acts, ended by a row without a name. */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "service/service.h"

struct act {
	const char *name;
	int (*run)(const char *argument); /* below zero: refused, errno says how */
};

extern const struct act hostile_file_acts[];    /* hostile_files.c */
extern const struct act hostile_socket_acts[];  /* hostile_sockets.c */
extern const struct act hostile_process_acts[]; /* hostile_process.c */

/* Makes a connection of its own out of an accepted one; what came of it goes to the log. */
void hostile_reconnect(int fd, const char *port, bool with_fast_open);

#endif
