/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/conf share about struct conf. */
#ifndef CONF_CONF_PRIVATE_H
#define CONF_CONF_PRIVATE_H

#include "base/arena.h"
#include "base/hash.h"
#include "conf/conf.h"

struct conf_setting {
	char *name;
	char *value;
	unsigned line; /* in main.cf; 0: from an option */
};

/* Defaults that depend on the machine; each is made when first asked for. */
struct conf_computed {
	char *myhostname;
	char *mydomain;
	char *mynetworks;
	char *process_id;
	bool busy; /* a default is being made: asking again yields "" and not a loop */
};

struct conf {
	char *directory;
	char *file_name;
	struct hash *by_name;           /* to struct conf_setting */
	struct conf_setting **settings; /* in file order, then options */
	size_t count;
	char **warnings;
	size_t warning_count;
	bool quiet;
	struct conf_computed *computed;
	struct arena strings; /* of values */
	struct conf_values values;
};

/* The computed default of a row, or NULL when its default is the text in the row. */
const char *conf_computed(const struct conf *c, const struct conf_parameter *p);
void conf_computed_forget(struct conf_computed *computed);

/* Adds to the warnings, and logs unless quiet. */
void conf_warn(struct conf *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
