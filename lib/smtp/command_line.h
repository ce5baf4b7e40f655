/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One SMTP command line (RFC 5321 4.1): verb and argument, ESMTP parameters, BDAT arguments.
 * Pure; views into the line. Any byte may come, NUL included.
 */
#ifndef SMTP_COMMAND_LINE_H
#define SMTP_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/view.h"

enum command_bytes {
	COMMAND_HAS_NUL = 1, /* refuse it: 501 or 500 */
	COMMAND_HAS_CONTROL =
	    2,                /* a C0 control other than NUL and TAB, or DEL: CR and LF too */
	COMMAND_HAS_8BIT = 4, /* bytes above 127, whether UTF-8 or not */
};

struct command_line {
	struct view verb;     /* up to the first blank, as given; empty for an empty line */
	struct view argument; /* behind it, without blanks at its ends */
	unsigned bytes;       /* enum command_bytes of the whole line */
};

/* line has no line end. */
struct command_line command_line_split(struct view line);

/*
 * Takes "FROM:" or "TO:" (any case) off the argument of MAIL or RCPT, and blanks behind the
 * colon unless strict. False: not there.
 */
bool command_take_colon_word(struct cursor *c, struct view word, bool strict);

struct esmtp_param {
	struct view keyword; /* as given: compare without case */
	struct view value;   /* not empty when has_value */
	bool has_value;
};

enum esmtp_result { ESMTP_PARAM, ESMTP_END, ESMTP_MALFORMED };

/*
 * The next "keyword[=value]" behind blanks. The value is printable ASCII or bytes above 127
 * (well-formed UTF-8); '=' may be in it, because XVERP has it: xtext refuses it by itself.
 */
enum esmtp_result esmtp_param_next(struct cursor *c, struct esmtp_param *out);

/*
 * Where keyword stands in names (upper case), or -1. A bit of *seen per index finds duplicates:
 * true the first time. At most 32 names.
 */
int esmtp_keyword_find(struct view keyword, const char *const *names, size_t count);
bool esmtp_mark_first(uint32_t *seen, int index);

/* "SIZE [LAST]" of BDAT (RFC 3030): digits only, at most max. False: malformed. */
bool bdat_parse(struct view argument, uint64_t max, uint64_t *size, bool *last);

#endif
