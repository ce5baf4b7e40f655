/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of notices: bounce_template_file in the syntax of Postfix's bounce(5), and what is
 * built in.
 *
 *   failure_template = <<EOF
 *   Charset: us-ascii
 *   Subject: Undelivered Mail Returned to Sender
 *
 *   This is the mail system at host $myhostname.
 *   EOF
 *
 * A template that is malformed leaves the built-in one in force, with a warning that names file
 * and line.
 */
#ifndef CONF_BOUNCE_TEMPLATE_H
#define CONF_BOUNCE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/view.h"
#include "conf/conf.h"

#define BOUNCE_TEMPLATE_FILE_MAX (1024 * 1024)

enum bounce_template_kind {
	BOUNCE_TEMPLATE_FAILURE,
	BOUNCE_TEMPLATE_DELAY,
	BOUNCE_TEMPLATE_SUCCESS,
	BOUNCE_TEMPLATE_VERIFY,
	BOUNCE_TEMPLATE_KINDS,
};

/* Header values on one line, of printable ASCII characters; the text has LF line ends. */
struct bounce_template {
	const char *name; /* "failure" */
	struct view charset;
	struct view from;
	struct view subject;
	struct view postmaster_subject; /* empty: no such copy */
	struct view text;               /* before $name is expanded */
	bool is_8bit;                   /* the text has bytes above 127 */
};

struct bounce_templates {
	struct arena arena; /* owns what was read */
	struct bounce_template of[BOUNCE_TEMPLATE_KINDS];
};

const struct bounce_template *bounce_template_builtin(enum bounce_template_kind kind);

/*
 * The built-in templates, and in their place those of the file; path may be NULL or empty. Each
 * warning is one line without an end.
 */
typedef void bounce_template_warn_fn(const char *warning, void *context);
void bounce_templates_open(
    struct bounce_templates *t, const char *path, bounce_template_warn_fn *warn, void *context);
/* The same from memory. */
void bounce_templates_parse(struct bounce_templates *t, const char *file_name,
    struct view contents, bounce_template_warn_fn *warn, void *context);
void bounce_templates_done(struct bounce_templates *t);

/*
 * Appends the text with $name expanded: parameters of main.cf, and those of the type time also
 * with _seconds, _minutes, _hours, _days or _weeks behind their name, as whole numbers. False:
 * *why (heap).
 */
bool bounce_template_expand(
    const struct conf *c, const struct bounce_template *t, struct buf *out, char **why);

#endif
