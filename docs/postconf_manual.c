/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the manual page postconf(5) to standard output, when the suite is built: every
 * parameter with its default, type, bounds and status, straight from the tables that the
 * programs use. Nothing in it can be older than they are.
 */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "conf/conf.h"

static const char *const head =
    ".Dd November 20, 2026\n"
    ".Dt POSTCONF 5\n"
    ".Os Postern\n"
    ".Sh NAME\n"
    ".Nm postconf\n"
    ".Nd parameters of main.cf\n"
    ".Sh DESCRIPTION\n"
    "The file\n"
    ".Pa main.cf\n"
    "in the configuration directory holds lines\n"
    ".Dq name = value .\n"
    "A line that starts with white space continues the one above.\n"
    "Empty lines and lines whose first character other than white space is\n"
    ".Ql #\n"
    "do not count, and do not end a continued value either.\n"
    "When a name is set twice the later value counts.\n"
    ".Pp\n"
    "In a value,\n"
    ".Ql $name ,\n"
    ".Ql ${name}\n"
    "and\n"
    ".Ql $(name)\n"
    "stand for the value of another parameter,\n"
    ".Ql ${name?text}\n"
    "for text when that value is not empty,\n"
    ".Ql ${name:text}\n"
    "for text when it is,\n"
    ".Ql ${name?{text}:{other}}\n"
    "for one of two texts, and\n"
    ".Ql $$\n"
    "for a dollar sign.\n"
    ".Ql ${{text} == {text} ? {text} : {text}}\n"
    "compares;\n"
    ".Ql != ,\n"
    ".Ql < ,\n"
    ".Ql <= ,\n"
    ".Ql >\n"
    "and\n"
    ".Ql >=\n"
    "do as well.\n"
    ".Pp\n"
    "A time is a number with a unit:\n"
    ".Ql ms ,\n"
    ".Ql s ,\n"
    ".Ql m ,\n"
    ".Ql h ,\n"
    ".Ql d\n"
    "or\n"
    ".Ql w .\n"
    ".Pp\n"
    "Each entry below says whether this version makes use of the parameter:\n"
    ".Bl -tag -width \"without effect\"\n"
    ".It Em works\n"
    "a program reads it.\n"
    ".It Em without effect\n"
    "it is accepted, and the text says why nothing reads it.\n"
    ".It Em old name\n"
    "it is the default of the parameter that has replaced it.\n"
    ".It Em not yet\n"
    "it is known and checked, and what it controls is not complete.\n"
    ".El\n"
    ".Pp\n"
    "Texts that begin with\n"
    ".Dq Postern:\n"
    "are of parameters that Postfix does not have.\n";

static const char *const tail = ".Sh SEE ALSO\n"
				".Xr postconf 1 ,\n"
				".Xr postern 1 ,\n"
				".Xr master 5\n";

/* Text that roff must take as it is, quotes and a leading period included. */
static void
print_text(const char *text)
{
	static const struct {
		char c;
		const char *roff;
	} escapes[] = {
		{ '\\', "\\e" },
		{ '"', "\\(dq" },
		{ '\'', "\\(aq" },
		{ '`', "\\(ga" },
		{ '^', "\\(ha" },
		{ '~', "\\(ti" },
		{ '-', "\\-" },
	};

	for (; *text; text++) {
		const char *roff = NULL;

		for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
			if (escapes[i].c == *text)
				roff = escapes[i].roff;
		if (roff)
			fputs(roff, stdout);
		else
			putchar(*text == '\n' || *text == '\t' ? ' ' : *text);
	}
}

/* \& keeps roff from taking it for a macro or for punctuation. */
static void
print_argument(const char *text)
{
	fputs("\"\\&", stdout);
	print_text(text);
	putchar('"');
}

static const char *
status_text(enum conf_status status)
{
	switch (status) {
	case CONF_WORKS:
		return "works";
	case CONF_IGNORED:
		return "without effect";
	case CONF_OLD_NAME:
		return "old name";
	case CONF_NOT_YET:
		break;
	}
	return "not yet";
}

static void
print_bounds(const struct conf_parameter *p, const char *what, const char *unit)
{
	if (p->max && p->max == p->min)
		printf(", exactly %lld%s%s", p->max, unit, what);
	else if (p->max)
		printf(", %lld%s to %lld%s%s", p->min, unit, p->max, unit, what);
	else if (p->min)
		printf(", at least %lld%s%s", p->min, unit, what);
}

static void
print_type(const struct conf_parameter *p)
{
	switch (p->type) {
	case CONF_BOOL:
		fputs("yes or no", stdout);
		break;
	case CONF_INT:
	case CONF_LONG:
		fputs("whole number", stdout);
		print_bounds(p, "", "");
		break;
	case CONF_TIME:
		printf("time (unit %c)", p->unit);
		print_bounds(p, "", "s");
		break;
	case CONF_STRING:
		fputs("text", stdout);
		/* Only what could surprise: most that may not be empty say 1. */
		if (p->min == 1 && !p->max)
			fputs(", not empty", stdout);
		else
			print_bounds(p, " characters", "");
		break;
	case CONF_RAW:
		fputs("text, expanded when it is used", stdout);
		break;
	}
}

static void
print_row(const struct conf_parameter *p, const char *prefix)
{
	printf(".It Sy \"\\&%s", prefix);
	print_text(p->name);
	printf("\"\n.No ");
	print_argument(p->text);
	printf(" .\n.br\n");
	if (*p->default_text) {
		printf("Default\n.Ql ");
		print_argument(p->default_text);
		printf(" ;\n");
	} else {
		printf("Default empty;\n");
	}
	print_type(p);
	printf(";\n.Em %s .\n", status_text(p->status));
}

int
main(void)
{
	fputs(head, stdout);
	printf(".Sh PARAMETERS\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < conf_parameter_count; i++)
		print_row(&conf_parameters[i], "");
	printf(".El\n"
	       ".Sh PARAMETERS OF ONE SERVICE\n"
	       "The name of the parameter is that of a service in\n"
	       ".Pa master.cf ,\n"
	       "and one of these behind it.\n"
	       ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < conf_service_parameter_count; i++)
		print_row(&conf_service_parameters[i], "_");
	printf(".El\n");
	fputs(tail, stdout);
	return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
