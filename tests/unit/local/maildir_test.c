/* SPDX-License-Identifier: Apache-2.0 */
/* Maildir delivery: names, content, what is made, what is refused, directories that move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <regex.h>
#include <sys/syscall.h>

#include "tests/unit/local/mailbox_fixture.h"

/* The calls that order a delivery on disk, as letters, and the one that fails with EIO. */
static char calls[32];
static char failing;

static int
called(char letter, long number, long a, long b, long c, long d, long e)
{
	size_t n = strlen(calls);

	if (n < sizeof(calls) - 1)
		calls[n] = letter;
	if (letter == failing) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(number, a, b, c, d, e);
}

int
sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
	return called('w', SYS_sync_file_range, fd, from, n, flags, 0);
}

int
renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
	return called('r', SYS_renameat2, from, (long)name, to, (long)new_name, flags);
}

int
fsync(int fd)
{
	struct stat st;

	return called(
	    fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? 'd' : 'f', SYS_fsync, fd, 0, 0, 0, 0);
}

#define BODY "From here\r\nlone \r and \n\r\nno end"

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
tree_remove(const struct fixture *f, const char *name)
{
	char *path = mem_printf("%s/%s", f->directory, name);

	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	mem_free(path);
}

/* The number of files in a directory; *name (may be NULL) is the last one's, to be freed. */
static int
count(const struct fixture *f, const char *directory, char **name)
{
	char *path = mem_printf("%s/%s", f->directory, directory);
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	mem_free(path);
	if (!d)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (name) {
			mem_free(*name);
			*name = mem_printf("%s/%s", directory, e->d_name);
		}
		n++;
	}
	closedir(d);
	return n;
}

static void
delivers(void **state)
{
	struct fixture f;
	char *name = NULL, *text;
	regex_t form;
	struct stat st;

	(void)state;
	fixture_open(&f, "Mail/in/", "");
	fixture_message(&f, VIEW(BODY));
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	assert_string_equal(buf_str(&f.d.reason), "delivered to maildir");
	assert_int_equal(count(&f, "Mail/in/new", &name), 1);
	assert_int_equal(count(&f, "Mail/in/tmp", NULL), 0);
	assert_int_equal(count(&f, "Mail/in/cur", NULL), 0);
	assert_int_equal(
	    regcomp(&form, "^Mail/in/new/[0-9]{10}\\.V[0-9a-f]+I[0-9a-f]+M[0-9]+\\.[^/:]+$",
		REG_EXTENDED | REG_NOSUB),
	    0);
	assert_int_equal(regexec(&form, name, 0, NULL, 0), 0);
	regfree(&form);
	text = fixture_read(&f, name);
	assert_string_equal(text, PREFIX "Subject: x\n\nFrom here\nlone \r and \n\nno end\n");
	mem_free(text);
	text = mem_printf("%s/%s", f.directory, name);
	assert_int_equal(stat(text, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	mem_free(text);
	mem_free(name);
	tree_remove(&f, "Mail");
	fixture_close(&f);
}

/* More than one read and one write, with line ends across the pieces. */
static void
large_message(void **state)
{
	struct buf body = BUF_INIT(4 * 1024 * 1024), expected = BUF_INIT(4 * 1024 * 1024);
	struct fixture f;
	char *name = NULL, *text;

	(void)state;
	buf_append_str(&expected, PREFIX "Subject: x\n\n");
	for (int i = 0; i < 20000; i++) {
		buf_printf(&body, "line %d of a message\r\n", i * i);
		buf_printf(&expected, "line %d of a message\n", i * i);
	}
	fixture_open(&f, "m/", "");
	fixture_message(&f, buf_view(&body));
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	assert_int_equal(count(&f, "m/new", &name), 1);
	text = fixture_read(&f, name);
	assert_true(strcmp(text, buf_str(&expected)) == 0);
	mem_free(text);
	mem_free(name);
	buf_done(&body);
	buf_done(&expected);
	tree_remove(&f, "m");
	fixture_close(&f);
}

/* A journal that keeps the order needs one sync, others two; no failure leaves a file. */
static void
order_on_disk(void **state)
{
	static const struct {
		bool keeps_order;
		const char *calls;
	} cases[] = { { false, "frd" }, { true, "wrf" } };
	struct fixture f;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fixture_open(&f, "m/", "");
		assert_int_equal(stat(f.directory, &st), 0);
		f.mailbox.dirs.keeps_order = cases[i].keeps_order ? st.st_dev : 0;
		fixture_message(&f, VIEW(BODY));
		assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
		memset(calls, 0, sizeof(calls));
		assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
		assert_string_equal(calls, cases[i].calls);
		for (const char *c = cases[i].calls; *c; c++) {
			failing = *c;
			assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
			failing = 0;
			assert_int_equal(count(&f, "m/new", NULL), 2);
			assert_int_equal(count(&f, "m/tmp", NULL), 0);
		}
		tree_remove(&f, "m");
		fixture_close(&f);
	}
}

/* The reader may take parts of the Maildir away, or put another one there, at any time. */
static void
directories_that_move(void **state)
{
	static const char *const gone[] = { "m", "m/new", "m/tmp", "m/cur" };
	struct fixture f;
	char *from, *to;

	(void)state;
	fixture_open(&f, "m/", "");
	fixture_message(&f, VIEW(BODY));
	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
		tree_remove(&f, gone[i]);
		assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
		assert_true(count(&f, "m/new", NULL) >= 1);
	}
	from = mem_printf("%s/m", f.directory);
	to = mem_printf("%s/old", f.directory);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	assert_int_equal(count(&f, "m/new", NULL), 1);
	mem_free(from);
	mem_free(to);
	tree_remove(&f, "m");
	tree_remove(&f, "old");
	fixture_close(&f);
}

enum trap { TRAP_LINK, TRAP_FILE, TRAP_FIFO, TRAP_WRITABLE, TRAP_FOREIGN, TRAPS };

static void
trap_set(const char *path, const char *other, enum trap trap)
{
	switch (trap) {
	case TRAP_LINK:
		assert_int_equal(symlink(other, path), 0);
		break;
	case TRAP_FILE:
		close(open(path, O_CREAT | O_WRONLY, 0600));
		break;
	case TRAP_FIFO:
		assert_int_equal(mkfifo(path, 0600), 0);
		break;
	case TRAP_WRITABLE:
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(chmod(path, 0777), 0);
		break;
	default:
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(chown(path, 1, 1), 0);
		break;
	}
}

/* Each part in turn is a trap, before the first delivery and after one. */
static void
refuses(void **state)
{
	static const char *const parts[] = { "m", "m/tmp", "m/new" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts) * TRAPS * 2; i++) {
		const char *part = parts[i % ARRAY_LEN(parts)];
		enum trap trap = (enum trap)(i / ARRAY_LEN(parts) % TRAPS);
		struct fixture f;
		char *path, *other;

		if (trap == TRAP_FOREIGN && geteuid() != 0)
			continue;
		fixture_open(&f, "m/", "");
		fixture_message(&f, VIEW(BODY));
		if (i / ARRAY_LEN(parts) / TRAPS)
			assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
		tree_remove(&f, part);
		path = mem_printf("%s/m", f.directory);
		mkdir(path, 0700);
		mem_free(path);
		other = mem_printf("%s/other", f.directory);
		assert_int_equal(mkdir(other, 0700), 0);
		path = mem_printf("%s/%s", f.directory, part);
		rmdir(path);
		trap_set(path, other, trap);
		/* tmp alone is looked at again only when something is missing. */
		if (strcmp(part, "m/tmp") != 0 || i / ARRAY_LEN(parts) / TRAPS == 0) {
			assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
			assert_true(view_has_prefix(
			    buf_view(&f.d.reason), VIEW("maildir delivery failed: ")));
		} else {
			fixture_deliver(&f);
		}
		assert_int_equal(count(&f, "other", NULL), 0);
		assert_true(count(&f, "other/new", NULL) == -1);
		mem_free(path);
		mem_free(other);
		tree_remove(&f, "m");
		tree_remove(&f, "other");
		fixture_close(&f);
	}
}

static void
damaged_or_too_large(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "m/", "message_size_limit = 1\nmailbox_size_limit = 60\n");
	fixture_message(&f, VIEW(BODY));
	assert_int_equal(fixture_deliver(&f), DELIVER_BOUNCED);
	assert_string_equal(f.d.dsn, "5.2.2");
	f.mailbox.place.size_limit = 0;
	f.job.body_crc ^= 1;
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	assert_int_equal(count(&f, "m/new", NULL), 0);
	assert_int_equal(count(&f, "m/tmp", NULL), 0);
	f.job.body_crc ^= 1;
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	tree_remove(&f, "m");
	fixture_close(&f);
}

static void
forward_files_are_respected(void **state)
{
	struct fixture f;
	char *paths;

	(void)state;
	fixture_open(&f, "m/", "");
	fixture_message(&f, VIEW(BODY));
	paths = mem_printf("%s/.forward+x\n%s/queue-file/x\n%s/.forward\n", f.directory,
	    f.directory, f.directory);
	f.job.forwards = view_of(paths);
	fixture_write(&f, "queue-file", "not a directory");
	assert_int_equal(fixture_deliver(&f), DELIVER_SENT);
	fixture_write(&f, ".forward", "someone@example.net\n");
	assert_int_equal(fixture_deliver(&f), DELIVER_DEFERRED);
	assert_string_equal(f.d.dsn, "4.3.5");
	assert_non_null(strstr(buf_str(&f.d.reason), "/.forward exists"));
	assert_int_equal(count(&f, "m/new", NULL), 1);
	mem_free(paths);
	tree_remove(&f, "m");
	fixture_close(&f);
}

static void
places(void **state)
{
	static const struct {
		const char *settings, *home;
		bool is_root;
		const char *name; /* NULL: a fault */
		bool is_maildir;
	} rows[] = {
		{ "home_mailbox = Maildir/\n", "/home/u", false, "/home/u/Maildir", true },
		{ "home_mailbox = Mail/in\n", "/home/u/", false, "/home/u/Mail/in", false },
		{ "", "/home/u", false, "/var/mail/u", false },
		{ "mail_spool_directory = /spool/\n", "/home/u", false, "/spool/u", true },
		{ "home_mailbox = Maildir/\n", "/root", true, "/var/mail/u", false },
		{ "home_mailbox = /etc/passwd\n", "/home/u", false, NULL, false },
		{ "home_mailbox = Maildir/\n", "", false, NULL, true },
		{ "home_mailbox = Maildir/\n", "relative", false, NULL, true },
		{ "mail_spool_directory =\n", "/home/u", false, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *conf = conf_of(rows[i].settings);
		const struct conf_values *v = conf_values_of(conf);
		struct place p;

		place_init(&p, v, place_kind(v, rows[i].is_root), "u", rows[i].home);
		assert_int_equal(p.is_maildir, rows[i].is_maildir);
		assert_int_equal(p.fault == NULL, rows[i].name != NULL);
		if (rows[i].name)
			assert_string_equal(p.name, rows[i].name);
		place_done(&p);
		conf_free(&conf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers),
		cmocka_unit_test(order_on_disk),
		cmocka_unit_test(large_message),
		cmocka_unit_test(directories_that_move),
		cmocka_unit_test(refuses),
		cmocka_unit_test(damaged_or_too_large),
		cmocka_unit_test(forward_files_are_respected),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
