/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendmail, and mailq: the commands that programs have called for forty years, with Postfix's
 * options and exit codes. It runs with the rights of whoever calls it and no others: nothing
 * here is set-uid or set-gid, so an own configuration (-C, MAIL_CONFIG) or a hostile
 * environment gains nobody anything.
 *
 * -bs, -bp, -bi, -bd and -q are other programs of the suite, which this one becomes.
 */
#include "tools/sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/logging.h"

#define OPTIONS "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx"

enum mode {
	MODE_DELIVER,
	MODE_SMTP,
	MODE_MAILQ,
	MODE_ALIASES,
	MODE_START,
	MODE_FLUSH,
	MODE_NONE
};

/* What the options say beside the message itself. */
struct request {
	enum mode mode;
	const char *notify, *ret, *id, *verp;
	const char *flush_id, *flush_site;
	const char *alias_file;
	int verbose;
};

void
sendmail_fatal(const struct sendmail *s, int code, const char *format, ...)
{
	struct buf text = BUF_INIT(LOG_LINE_MAX);
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	if (s->values)
		log_info("fatal: %s(%ld): %s", s->login, (long)getuid(), buf_str(&text));
	fprintf(
	    stderr, "sendmail: fatal: %s(%ld): %s\n", s->login, (long)getuid(), buf_str(&text));
	exit(code);
}

static void __attribute__((format(printf, 1, 2), noreturn)) usage(const char *format, ...)
{
	va_list ap;

	fputs("sendmail: fatal: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EX_USAGE);
}

/* ---- options ---- */

static void
option_b(struct request *r, const char *value)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {
		{ 'm', MODE_DELIVER },
		{ 's', MODE_SMTP },
		{ 'p', MODE_MAILQ },
		{ 'i', MODE_ALIASES },
		{ 'd', MODE_START },
		{ 'l', MODE_START },
		{ 'h', MODE_NONE },
		{ 'H', MODE_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (value[0] == modes[i].letter) {
			r->mode = modes[i].mode;
			return;
		}
	}
	if (value[0] == 'v')
		usage("-bv: address verification reports are not supported yet");
	usage("unsupported: -b%c", value[0]);
}

static void
option_q(struct request *r, const char *value)
{
	if (char_is_digit(value[0]))
		return; /* an interval: the queue manager has its own */
	r->mode = MODE_FLUSH;
	if (value[0] == 'I')
		r->flush_id = value + 1;
	else if (value[0] == 'R')
		r->flush_site = value + 1;
	else if (value[0] != '\0')
		usage("-q%c is not implemented", value[0]);
}

static void
option_O(struct sendmail *s, const char *value)
{
	if (strcmp(value, "smtputf8=yes") == 0)
		s->begin.smtputf8 = true;
	else if (strcmp(value, "requiretls=yes") == 0)
		usage("-O requiretls=yes is not supported yet");
}

static void
option_B(struct sendmail *s, const char *value)
{
	if (view_eq_nocase(view_of(value), VIEW("8BITMIME")))
		s->begin.is_8bit = true;
	else if (!view_eq_nocase(view_of(value), VIEW("7BIT")))
		usage("bad -B option value: %s", value);
}

static void
option_read(struct sendmail *s, struct request *r, int letter, const char *value)
{
	switch (letter) {
	case 'B':
		option_B(s, value);
		break;
	case 'C':
		s->directory = value;
		break;
	case 'F':
		s->full_name = value;
		break;
	case 'G':
		s->begin.keep_missing_headers = true;
		break;
	case 'I':
		r->mode = MODE_ALIASES;
		break;
	case 'N':
		r->notify = value;
		break;
	case 'O':
		option_O(s, value);
		break;
	case 'R':
		r->ret = value;
		break;
	case 'V':
		r->id = value;
		break;
	case 'X':
		if (value[0] == 'V')
			r->verp = value + 1;
		break;
	case 'b':
		option_b(r, value);
		break;
	case 'f':
	case 'r':
		s->sender = value;
		break;
	case 'i':
		s->keep_dots = true;
		break;
	case 'n':
		usage("-n option not supported");
	case 'o':
		if (value[0] == 'i')
			s->keep_dots = true;
		else if (value[0] == 'A')
			r->alias_file = value + 1;
		break;
	case 'q':
		option_q(r, value);
		break;
	case 't':
		s->extract = true;
		break;
	case 'v':
		r->verbose++;
		break;
	case '?':
		usage("usage: sendmail [options]");
	default: /* A L U c e h m p x: taken for old programs' sake, without effect */
		break;
	}
}

static void
options_read(struct sendmail *s, struct request *r, int argc, char **argv)
{
	int letter;

	opterr = 0;
	for (;;) {
		if (optind < argc && strcmp(argv[optind], "-q") == 0) {
			option_q(r, "");
			optind++;
			continue;
		}
		letter = getopt(argc, argv, OPTIONS);
		if (letter == -1)
			return;
		option_read(s, r, letter, optarg);
	}
}

/* ---- before the message ---- */

/*
 * Standard descriptors that the caller has closed must not become files of ours. Reading the
 * message from one fails, as it should.
 */
static void
descriptors_fill(void)
{
	int fd;

	while ((fd = open("/dev/null", O_WRONLY)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd > STDERR_FILENO)
		close(fd);
}

/* -C names main.cf or its directory. */
static const char *
configuration_directory(struct sendmail *s)
{
	struct view name = view_of(s->directory);

	if (!s->directory)
		return conf_default_directory();
	if (view_has_suffix(name, VIEW("/main.cf")))
		name.n -= strlen("/main.cf");
	s->directory = arena_dup(&s->arena, name);
	/* For the program that this one may become. */
	setenv("MAIL_CONFIG", s->directory, 1);
	return s->directory;
}

static void
configuration_read(struct sendmail *s, int verbose)
{
	char *why = NULL;

	s->conf = conf_open(configuration_directory(s), true, &why);
	if (!s->conf || !conf_evaluate(s->conf, &why))
		sendmail_fatal(s, EX_CONFIG, "%s", why);
	s->values = conf_values_of(s->conf);
	logging_open(s->values, "sendmail", LOGGING_COMMAND);
	logging_quiet(); /* what belongs on standard error is said there in one form */
	log_set_verbose(verbose > 1 ? verbose - 1 : 0);
}

static void __attribute__((noreturn)) become(const struct sendmail *s, const char *directory,
    const char *name, const char *argument, const char *value)
{
	char *path = mem_printf("%s/%s", directory, name);
	const char *argv[] = { name, argument, value, NULL };

	execv(path, (char *const *)argv);
	sendmail_fatal(s, EX_OSERR, "unable to execute %s: %s", path, strerror(errno));
}

static void
become_other(const struct sendmail *s, const struct request *r)
{
	const char *commands = s->values->command_directory;

	switch (r->mode) {
	case MODE_SMTP:
		become(s, s->values->daemon_directory, "smtpd", "-S", NULL);
	case MODE_MAILQ:
		become(s, commands, "postqueue", "-p", NULL);
	case MODE_ALIASES:
		if (r->alias_file)
			become(s, commands, "postalias", r->alias_file, NULL);
		become(s, commands, "newaliases", NULL, NULL);
	case MODE_START:
		become(s, commands, "postern", "start", NULL);
	case MODE_FLUSH:
		if (r->flush_id)
			become(s, commands, "postqueue", "-i", r->flush_id);
		if (r->flush_site)
			become(s, commands, "postqueue", "-s", r->flush_site);
		become(s, commands, "postqueue", "-f", NULL);
	case MODE_NONE:
		exit(EX_OK);
	case MODE_DELIVER:
		break;
	}
}

static void
deliver(struct sendmail *s, const struct request *r, char **arguments)
{
	s->begin.source = SUBMIT_LOCAL;
	s->begin.trace = r->verbose == 1;
	if (r->notify)
		envelope_notify(s, r->notify);
	if (r->ret)
		envelope_return(s, r->ret);
	if (r->id)
		envelope_id(s, r->id);
	envelope_identify(s);
	envelope_sender(s);
	if (r->verp)
		envelope_verp(s, r->verp);
	envelope_recipients(s, arguments);
	content_read(s);
}

int
main(int argc, char **argv)
{
	struct sendmail s = { .login = "unknown" };
	struct request r = { 0 };
	const char *name;
	int code;

	if (argc < 1 || !argv[0])
		return EX_USAGE;
	descriptors_fill();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	log_set_tag("sendmail");
	name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	if (strcmp(name, "mailq") == 0)
		r.mode = MODE_MAILQ;
	else if (strcmp(name, "newaliases") == 0)
		r.mode = MODE_ALIASES;
	options_read(&s, &r, argc, argv);
	configuration_read(&s, r.verbose);
	become_other(&s, &r);
	deliver(&s, &r, argv + optind);
	code = sendmail_submit(&s);
	buf_done(&s.content);
	mem_free(s.recipients);
	arena_reset(&s.arena);
	conf_free(&s.conf);
	return code;
}
