/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs that a Postfix master.cf may name, and what becomes of each here; and the
 * services that no Postfix master.cf names, because Postfix has no such program.
 */
#include <string.h>

#include "base/mem.h"
#include "master/master.h"

static const struct program programs[] = {
	/* name             runs       note                                        one process
	 */
	{ "qmgr", NULL, NULL, true },
	{ "oqmgr", "qmgr", NULL, true },
	{ "pickup", NULL, NULL, true },
	{ "resolver", NULL, NULL, true },
	{ "anvil", NULL, NULL, true },
	{ "verify", NULL, NULL, true },
	{ "flush", NULL, "the queue manager does its work, from the index", true },
	{ "postscreen", NULL, NULL, true },
	{ "postlogd", NULL, NULL, true },
	{ "lmtp", "smtp", NULL, false },
	{ "relay", "smtp", NULL, false },
	{ "discard", "error", NULL, false },
	{ "retry", "error", NULL, false },
	{ "defer", "bounce", NULL, false },
	{ "trace", "bounce", NULL, false },
	{ "tlsmgr", NULL, "TLS sessions are kept by the services themselves", true },
	{ "scache", NULL, "connections are kept by the smtp client itself", true },
	{ "trivial-rewrite", NULL, "addresses are resolved inside cleanup and qmgr", false },
	{ "proxymap", NULL, "the built-in service tables does its work", false },
	{ "dnsblog", NULL, "the built-in service resolver does its work", false },
	{ "tlsproxy", NULL, "TLS is part of smtpd and smtp", false },
	{ "nbdb_reindexd", NULL, "hash: and btree: tables are LMDB here", false },
};

const struct program *
program_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	}
	return NULL;
}

static bool
always(const struct conf_values *v)
{
	(void)v;
	return true;
}

static bool
logs_to_file(const struct conf_values *v)
{
	return v->maillog_file[0] != '\0';
}

const struct builtin builtins[] = {
	{ "tables", MASTER_UNIX, true, "tables", always },
	{ "anvil", MASTER_UNIX, true, "anvil", always },
	{ "resolver", MASTER_UNIX, true, "resolver", always },
	{ "auth", MASTER_UNIX, true, "auth", always },
	{ "postlog", MASTER_UNIX_DGRAM, false, "postlogd", logs_to_file },
};
const size_t builtin_count = ARRAY_LEN(builtins);
