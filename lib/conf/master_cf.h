/* SPDX-License-Identifier: Apache-2.0 */
/* master.cf: one service per logical line, eight columns. */
#ifndef CONF_MASTER_CF_H
#define CONF_MASTER_CF_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

enum master_type {
	MASTER_INET, /* [host:]port */
	MASTER_UNIX, /* stream socket in private/ or public/ */
	MASTER_UNIX_DGRAM,
	MASTER_FIFO, /* accepted; served as MASTER_UNIX */
	MASTER_PASS, /* stream socket over which descriptors come */
};

struct master_option {
	char *name;
	char *value;
};

struct master_entry {
	char *name; /* first column as written */
	enum master_type type;
	bool is_private;
	bool is_unprivileged;
	bool is_chroot;
	int wakeup;          /* seconds; 0: never */
	bool wakeup_if_used; /* "60?" */
	int max_processes;   /* maxproc column; -1: "-" (the default), 0: no limit */
	bool is_private_default, is_unprivileged_default; /* column is "-" */
	bool is_chroot_default, is_wakeup_default;
	char *program;    /* "smtpd" */
	char **arguments; /* program arguments without -o, -v, -D; NULL-terminated */
	size_t argument_count;
	struct master_option *options; /* -o, in order */
	size_t option_count;
	char **words; /* all that follows the program, braces removed: for postconf */
	size_t word_count;
	int verbose; /* number of -v */
	bool debug;  /* -D */
	char *host;  /* inet: "" when absent; IPv6 without brackets */
	char *port;  /* inet: number or service name */
	unsigned line;
};

struct master_cf {
	struct master_entry *entries;
	size_t count;
	char **warnings; /* also logged unless quiet */
	size_t warning_count;
};

/*
 * Reads DIR/master.cf. Column defaults follow compatibility_level as in Postfix. The last of
 * two entries with one name and type wins, with a warning. NULL: *why (heap) names file and
 * line.
 */
struct master_cf *master_cf_open(const char *dir, const struct conf *c, bool quiet, char **why);
struct master_cf *master_cf_parse(
    const char *file_name, struct view text, const struct conf *c, bool quiet, char **why);
void master_cf_free(struct master_cf **m);
const struct master_entry *master_cf_find(
    const struct master_cf *m, const char *name, enum master_type type);

/* "inet", "unix" and so on. */
const char *master_type_name(enum master_type type);

#endif
