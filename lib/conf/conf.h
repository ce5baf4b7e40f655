/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.cf: the raw settings as read, their expansion, and the typed values of all parameters.
 *
 * The list of parameters is lib/conf/parameters.def: one row each. From it come the fields of
 * struct conf_values (named as the parameter; a name that starts with a digit has "p" in
 * front), the defaults, bounds and units, postconf's output and the manual page.
 *
 * Order of use: conf_open reads main.cf, conf_set applies the -o options of master.cf,
 * conf_evaluate expands and converts everything. After that a struct conf never changes.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"

#define CONF_DEFAULT_DIRECTORY_NAME "postern"     /* below the system configuration directory */
#define CONF_LINE_MAX               (1024 * 1024) /* bytes of one logical line */
#define CONF_VALUE_MAX              (1024 * 1024) /* bytes of one expanded value */
#define CONF_RECURSION_MAX          20            /* $name inside the value of $name ... */

struct conf;

enum conf_type {
	CONF_BOOL,   /* yes or no */
	CONF_INT,    /* int */
	CONF_LONG,   /* long long */
	CONF_TIME,   /* nanoseconds; units ms s m h d w, a default unit per parameter */
	CONF_STRING, /* expanded text, never NULL */
	CONF_RAW,    /* text whose $name is expanded later, by its user; never NULL */
};

enum conf_status {
	CONF_WORKS,    /* a program reads it and a test shows its effect */
	CONF_IGNORED,  /* accepted, deliberately without effect; the text says why */
	CONF_NOT_YET,  /* known, read by nobody so far */
	CONF_OLD_NAME, /* works through the default of the parameter that replaced it */
};

/* One row of parameters.def. */
struct conf_parameter {
	const char *name;
	enum conf_type type;
	const char *default_text; /* as postconf -d shows it; $name is expanded */
	long long min, max; /* int, long: value; time: seconds; string: length; max 0: none */
	char unit;          /* time: the default unit s m h d w, otherwise 0 */
	enum conf_status status;
	const char *text; /* one line for the manual */
	size_t offset;    /* of the field in struct conf_values */
};

struct conf_values {
#define CONF_FIELD_BOOL(field)   bool field;
#define CONF_FIELD_INT(field)    int field;
#define CONF_FIELD_LONG(field)   long long field;
#define CONF_FIELD_TIME(field)   nanoseconds field;
#define CONF_FIELD_STRING(field) const char *field;
#define CONF_FIELD_RAW(field)    const char *field;
#define PARAMETER(field, name, type, default_text, min, max, unit, status, text)               \
	CONF_FIELD_##type(field)
#include "conf/parameters.def"
#undef PARAMETER
};

extern const struct conf_parameter conf_parameters[];
extern const size_t conf_parameter_count;

/*
 * Parameters of one transport or service, TRANSPORT_suffix (services.def); offset is unused and
 * name is the suffix.
 */
extern const struct conf_parameter conf_service_parameters[];
extern const size_t conf_service_parameter_count;

/* Why a name that Postfix has removed is not known any more (removed.def), or NULL. */
const char *conf_removed_find(const char *name);

/* The directory for conf_open: MAIL_CONFIG when it is an absolute path, else where we install.
 */
const char *conf_default_directory(void);

/*
 * Reads DIR/main.cf. NULL when it cannot be read or parsed: *why (heap, caller frees) names
 * file, line and what to do. Oddities that Postfix accepts with a warning (a name set twice)
 * are logged as warnings unless quiet.
 */
struct conf *conf_open(const char *dir, bool quiet, char **why);

/* For tests and for commands that run without a file. */
struct conf *conf_open_text(const char *file_name, struct view text, bool quiet, char **why);
void conf_free(struct conf **c);

/* The directory given to conf_open ("" for conf_open_text). */
const char *conf_directory(const struct conf *c);

/* Sets name as an -o option does; replaces what main.cf said. */
void conf_set(struct conf *c, const char *name, const char *value);

/*
 * Expands and converts all parameters. False: *why (heap) names the parameter, its text and
 * what would be right. The strings in *conf_values_of live as long as the struct conf.
 */
bool conf_evaluate(struct conf *c, char **why);
const struct conf_values *conf_values_of(const struct conf *c);

/*
 * The text behind any name: main.cf or -o, else the default of a known parameter, else NULL.
 * Not expanded. *is_default may be NULL.
 */
const char *conf_text(const struct conf *c, const char *name, bool *is_default);

/* The row of a parameter, or NULL; per-service names (smtp_destination_...) have no row. */
const struct conf_parameter *conf_parameter_find(const char *name);

/*
 * Appends text with every $name form of main.cf(5) replaced: $name ${name} $(name) ${name?a}
 * ${name:b} ${name?{a}:{b}} ${{a} op {b} ? {x} : {y}} $$. An unknown name is empty. False: *why
 * (heap) says what is malformed or too deep or too long.
 */
bool conf_expand(const struct conf *c, struct view text, struct buf *out, char **why);

/* The same with names looked up by the caller first; lookup returns NULL to pass. */
typedef const char *conf_lookup_fn(const char *name, void *context);
bool conf_expand_with(const struct conf *c, conf_lookup_fn *lookup, void *context,
    struct view text, struct buf *out, char **why);

/*
 * Per-service parameters: TRANSPORT_suffix when set, else the default that belongs to the
 * suffix
 * ($default_suffix). False with *why when the text is malformed or out of bounds.
 */
bool conf_transport_int(
    const struct conf *c, const char *transport, const char *suffix, int *out, char **why);
bool conf_transport_time(const struct conf *c, const char *transport, const char *suffix,
    nanoseconds *out, char **why);
bool conf_transport_text(const struct conf *c, const char *transport, const char *suffix,
    struct buf *out, char **why);

/* Conversions, for per-service names and tests. */
bool conf_parse_bool(struct view text, bool *out);
bool conf_parse_time(struct view text, char default_unit, nanoseconds *out);

/*
 * Where the value of a name comes from, for error messages: "FILE, line N", "-o option" or
 * "default".
 */
void conf_where(const struct conf *c, const char *name, struct buf *out);

/* What conf_open and conf_evaluate had to say short of an error, without "warning: ". */
size_t conf_warning_count(const struct conf *c);
const char *conf_warning(const struct conf *c, size_t index);

/* All names set in main.cf or by -o, in file order: for postconf -n. */
size_t conf_set_count(const struct conf *c);
const char *conf_set_name(const struct conf *c, size_t index);

#endif
