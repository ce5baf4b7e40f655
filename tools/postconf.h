/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the postconf command share. */
#ifndef TOOLS_POSTCONF_H
#define TOOLS_POSTCONF_H

#include "base/buf.h"
#include "base/hash.h"
#include "conf/conf.h"
#include "conf/master_cf.h"

enum name_class {
	CLASS_BUILTIN = 1, /* rows of parameters.def */
	CLASS_SERVICE = 2, /* TRANSPORT_suffix for the services in master.cf */
	CLASS_USER = 4,    /* defined by the administrator and used somewhere */
	CLASS_ALL = CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER,
};

struct postconf {
	const char *directory;
	bool defaults;    /* -d */
	bool only_set;    /* -n */
	bool values_only; /* -h */
	bool names_only;  /* -H */
	bool expand;      /* -x */
	bool fold;        /* -f */
	bool services;    /* -M */
	bool no_warnings; /* -q */
	bool bounce;      /* -b, -t */
	bool bounce_expanded;
	unsigned classes; /* -C */
	char **overrides; /* -o */
	size_t override_count;
	struct conf *conf;
	struct master_cf *master; /* NULL when the file is missing and not needed */
	struct hash *names;       /* to struct name; all that can be shown */
};

struct name {
	char *text;
	enum name_class class;
	const struct conf_parameter *row; /* of its own or of its suffix; NULL for user names */
};

void postconf_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void postconf_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Fills p->names from the rows, master.cf and the names that values refer to. */
void names_collect(struct postconf *p);
void names_free(struct postconf *p);
struct name *names_find(const struct postconf *p, const char *text);

/* Warns of names that nobody reads, and of references to names that nobody set. */
void check_unused(const struct postconf *p);
void check_undefined(const struct postconf *p);

/* "name = value" as -h, -H, -x and -f say; text is NULL for the current value. */
void print_parameter(const struct postconf *p, const struct name *n, const char *text);
void print_words(struct buf *out, const char *text, bool fold);

/* postconf -b and -t: of this file, or of main.cf's when path is NULL. */
void print_bounce_templates(struct postconf *p, const char *path);

/* postconf -M. */
void print_services(const struct postconf *p, char **requests);

#endif
