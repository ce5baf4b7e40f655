/* SPDX-License-Identifier: Apache-2.0 */
/* LMDB tables: what a reader sees while, and after, a writer replaces the contents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cmocka.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "table/lmdb_table.h"
#include "tests/unit/conf_text.h"

static char directory[32];
static char *path;

static int
setup(void **state)
{
	(void)state;
	test_directory(directory);
	path = mem_printf("%s/t.lmdb", directory);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(path);
	test_directory_remove(directory);
	return 0;
}

static const struct lmdb_writer_options whole = { .map_size = 1 << 20, .empty_first = true };
static const struct lmdb_writer_options whole_nul = {
	.map_size = 1 << 20,
	.empty_first = true,
	.with_nul = true,
};
static const struct lmdb_writer_options added = { .map_size = 1 << 20 };

static void
write_pairs(const struct lmdb_writer_options *o, const char *const *pairs)
{
	const char *why = "";
	struct lmdb_writer *w = lmdb_writer_begin(path, o, &why);

	assert_string_equal(why, "");
	assert_non_null(w);
	for (; pairs[0] != NULL; pairs += 2)
		assert_int_equal(
		    lmdb_writer_put(w, view_of(pairs[0]), view_of(pairs[1]), false, &why),
		    LMDB_PUT_OK);
	assert_true(lmdb_writer_commit(&w, &why));
	assert_null(w);
}

static void
expect(struct lmdb_table *t, const char *key, const char *value)
{
	struct buf out = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = "";
	enum table_result result = lmdb_table_find(t, view_of(key), &out, &why);

	if (value == NULL) {
		assert_int_equal(result, TABLE_NOT_FOUND);
	} else {
		assert_int_equal(result, TABLE_FOUND);
		assert_string_equal(buf_str(&out), value);
	}
	buf_done(&out);
}

static struct lmdb_table *
reader(void)
{
	const char *why = "";
	struct lmdb_table *t = lmdb_table_open(path, &why);

	assert_string_equal(why, "");
	assert_non_null(t);
	return t;
}

static void
reader_sees_later_changes(void **state)
{
	struct lmdb_table *t;
	struct stat before, after;

	(void)state;
	write_pairs(&whole, (const char *const[]){ "a", "1", "b", "2", NULL });
	assert_int_equal(stat(path, &before), 0);
	t = reader();
	expect(t, "a", "1");
	expect(t, "b", "2");
	write_pairs(&whole, (const char *const[]){ "b", "3", "c", "4", NULL });
	expect(t, "a", NULL);
	expect(t, "b", "3");
	expect(t, "c", "4");
	write_pairs(&added, (const char *const[]){ "d", "5", NULL });
	expect(t, "c", "4");
	expect(t, "d", "5");
	write_pairs(&whole, (const char *const[]){ NULL });
	expect(t, "c", NULL);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	lmdb_table_close(&t);
}

static void
both_forms_of_nul(void **state)
{
	struct lmdb_table *t;

	(void)state;
	write_pairs(&whole_nul, (const char *const[]){ "a", "1", NULL });
	t = reader();
	expect(t, "a", "1");
	write_pairs(&added, (const char *const[]){ "b", "2", NULL });
	expect(t, "a", "1");
	expect(t, "b", "2");
	expect(t, "a", "1");
	lmdb_table_close(&t);
}

static void
an_entry_of_the_other_form_counts_as_the_same(void **state)
{
	const char *why = "";
	struct lmdb_table *t;
	struct lmdb_writer *w;
	bool found;

	(void)state;
	write_pairs(&whole_nul, (const char *const[]){ "a", "1", NULL });
	w = lmdb_writer_begin(path, &added, &why);
	assert_int_equal(
	    lmdb_writer_put(w, VIEW("a"), VIEW("2"), false, &why), LMDB_PUT_EXISTS);
	assert_int_equal(lmdb_writer_put(w, VIEW("a"), VIEW("3"), true, &why), LMDB_PUT_OK);
	assert_true(lmdb_writer_commit(&w, &why));
	t = reader();
	expect(t, "a", "3");
	w = lmdb_writer_begin(
	    path, &(struct lmdb_writer_options){ .map_size = 1 << 20, .with_nul = true }, &why);
	assert_true(lmdb_writer_delete(w, VIEW("a"), &found, &why));
	assert_true(found);
	assert_true(lmdb_writer_delete(w, VIEW("a"), &found, &why));
	assert_false(found);
	assert_true(lmdb_writer_commit(&w, &why));
	expect(t, "a", NULL);
	lmdb_table_close(&t);
}

/* attacks.md M8, H7: an odd key is an absent key, never an error. */
static void
key_sizes(void **state)
{
	static char big[70000];
	static const size_t absent[] = { 0, 1, 509, 510, 511, 512, 513, 2000, 70000 };
	struct buf out = BUF_INIT(TABLE_VALUE_MAX);
	const char *why = "";
	struct lmdb_writer *w;
	struct lmdb_table *t;

	(void)state;
	memset(big, 'k', sizeof(big));
	w = lmdb_writer_begin(path, &whole, &why);
	assert_int_equal(
	    lmdb_writer_put(w, (struct view){ big, 511 }, VIEW("v"), false, &why), LMDB_PUT_OK);
	assert_int_equal(lmdb_writer_put(w, (struct view){ big, 512 }, VIEW("v"), false, &why),
	    LMDB_PUT_KEY_SIZE);
	assert_int_equal(
	    lmdb_writer_put(w, VIEW_NONE, VIEW("v"), false, &why), LMDB_PUT_KEY_SIZE);
	assert_true(lmdb_writer_commit(&w, &why));
	t = reader();
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		assert_int_equal(
		    lmdb_table_find(t, (struct view){ big, absent[i] }, &out, &why),
		    absent[i] == 511 ? TABLE_FOUND : TABLE_NOT_FOUND);
	lmdb_table_close(&t);
	buf_done(&out);
}

static void
aborted_writes_are_not_seen(void **state)
{
	const char *why = "";
	struct lmdb_writer *w;
	struct lmdb_table *t;

	(void)state;
	write_pairs(&whole, (const char *const[]){ "a", "1", NULL });
	t = reader();
	w = lmdb_writer_begin(path, &whole, &why);
	assert_int_equal(lmdb_writer_put(w, VIEW("a"), VIEW("2"), false, &why), LMDB_PUT_OK);
	expect(t, "a", "1");
	lmdb_writer_abort(&w);
	expect(t, "a", "1");
	lmdb_table_close(&t);
}

static void
new_file_appears_at_commit(void **state)
{
	const struct lmdb_writer_options o = {
		.map_size = 1 << 20, .empty_first = true, .mode = 0600
	};
	const char *why = "";
	struct lmdb_writer *w;
	struct stat st;

	(void)state;
	w = lmdb_writer_begin(path, &o, &why);
	assert_non_null(w);
	assert_int_equal(stat(path, &st), -1);
	assert_true(lmdb_writer_commit(&w, &why));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	w = lmdb_writer_begin(path, &whole, &why);
	assert_non_null(w);
	lmdb_writer_abort(&w);
	assert_int_equal(unlink(path), 0);
	w = lmdb_writer_begin(path, &o, &why);
	lmdb_writer_abort(&w);
	assert_int_equal(rmdir(directory), 0); /* nothing was left behind */
	assert_int_equal(mkdir(directory, 0700), 0);
}

static void
map_full_then_larger(void **state)
{
	struct lmdb_writer_options o = { .map_size = 1 << 18, .empty_first = true };
	static char value[1000];
	enum lmdb_put result = LMDB_PUT_OK;
	const char *why = "";
	struct lmdb_writer *w;
	struct lmdb_table *t;
	char key[20];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	write_pairs(&o, (const char *const[]){ "old", "1", NULL });
	t = reader();
	w = lmdb_writer_begin(path, &o, &why);
	for (int i = 0; i < 4000 && result == LMDB_PUT_OK; i++) {
		snprintf(key, sizeof(key), "%d", i);
		result = lmdb_writer_put(w, view_of(key), view_of(value), false, &why);
	}
	assert_int_equal(result, LMDB_PUT_FULL);
	lmdb_writer_abort(&w);
	expect(t, "old", "1");
	o.map_size = 1 << 25;
	w = lmdb_writer_begin(path, &o, &why);
	for (int i = 0; i < 4000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(
		    lmdb_writer_put(w, view_of(key), view_of(value), false, &why), LMDB_PUT_OK);
	}
	assert_true(lmdb_writer_commit(&w, &why));
	expect(t, "old", NULL); /* the reader's map grew with the file */
	expect(t, "0", value);
	expect(t, "3999", value);
	lmdb_table_close(&t);
}

static void
expect_no_table(const char *reason)
{
	const char *why = "";

	assert_null(lmdb_table_open(path, &why));
	if (reason != NULL)
		assert_string_equal(why, reason);
	else
		assert_string_not_equal(why, "");
}

static void
damaged_files(void **state)
{
	struct buf out = BUF_INIT(TABLE_VALUE_MAX);
	static char big[60000];
	const char *why = "";
	struct lmdb_table *t;
	struct stat st;
	char *other;

	(void)state;
	expect_no_table("No such file or directory");
	other = test_file(directory, "t.lmdb", "");
	expect_no_table("no table in this file");
	mem_free(other);
	other = test_file(directory, "t.lmdb", "key value\n");
	expect_no_table(NULL);
	mem_free(other);
	memset(big, 'b', sizeof(big) - 1);
	write_pairs(
	    &whole, (const char *const[]){ "a", big, NULL }); /* replaces what is none */
	t = reader();
	expect(t, "a", big);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2), 0);
	assert_int_equal(lmdb_table_find(t, VIEW("a"), &out, &why), TABLE_CANNOT_TELL);
	assert_string_equal(why, "the file was truncated");
	lmdb_table_close(&t);
	expect_no_table("the file is shorter than its contents: build it again");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_no_table("not a regular file");
	assert_null(lmdb_writer_begin(path, &whole, &why));
	assert_int_equal(rmdir(path), 0);
	buf_done(&out);
}

static void
links_are_not_followed(void **state)
{
	char *victim = test_file(directory, "victim", "precious");
	const char *why = "";
	char bytes[20] = "";
	int fd;

	(void)state;
	assert_int_equal(symlink(victim, path), 0);
	assert_null(lmdb_writer_begin(path, &whole, &why));
	assert_null(lmdb_writer_begin(path, &added, &why));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_null(lmdb_writer_begin(path, &whole, &why));
	fd = open(victim, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 8);
	close(fd);
	assert_string_equal(bytes, "precious");
	mem_free(victim);
}

/* Each version of the table holds its number under all keys; no reader may see two numbers in
 * one version, nor an older one after a newer one. */
#define KEYS     200
#define VERSIONS 60

static void
write_version(int version)
{
	static char filler[400];
	const char *why = "";
	struct lmdb_writer *w = lmdb_writer_begin(path, &whole, &why);
	char key[20], value[500];

	memset(filler, 'f', sizeof(filler) - 1);
	assert_non_null(w);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		snprintf(value, sizeof(value), "%d %s %d", version, filler, version);
		assert_int_equal(
		    lmdb_writer_put(w, view_of(key), view_of(value), false, &why), LMDB_PUT_OK);
	}
	assert_true(lmdb_writer_commit(&w, &why));
}

struct snapshot {
	int first, entries;
	bool mixed;
};

static bool
snapshot_entry(struct view key, struct view value, void *context)
{
	struct snapshot *s = context;
	char text[500];
	int version;

	(void)key;
	if (value.n >= sizeof(text))
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	version = (int)strtol(text, NULL, 10);
	if (s->entries++ == 0)
		s->first = version;
	if (version != s->first || (int)strtol(strrchr(text, ' '), NULL, 10) != version)
		s->mixed = true;
	return true;
}

/* Runs until it saw the last version. 0: all was well. */
static int
watch(int ready)
{
	const char *why = "";
	struct lmdb_table *t = lmdb_table_open(path, &why);
	struct buf out = BUF_INIT(TABLE_VALUE_MAX);
	int newest = 0, version = 0;

	if (t == NULL || write(ready, "r", 1) != 1)
		return 1;
	while (version < VERSIONS) {
		struct snapshot s = { 0 };

		buf_clear(&out);
		if (lmdb_table_find(t, VIEW("key7"), &out, &why) != TABLE_FOUND)
			return 2;
		version = (int)strtol(buf_str(&out), NULL, 10);
		if (version < newest ||
		    (int)strtol(strrchr(buf_str(&out), ' '), NULL, 10) != version)
			return 3;
		newest = version;
		if (lmdb_table_each(t, snapshot_entry, &s, &why) &&
		    (s.mixed || s.entries != KEYS || s.first < newest))
			return 4;
	}
	lmdb_table_close(&t);
	buf_done(&out);
	return 0;
}

static void
readers_under_a_writer(void **state)
{
	pid_t children[3];
	int ready[2], status;
	char byte;

	(void)state;
	write_version(1);
	assert_int_equal(pipe(ready), 0);
	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			alarm(60);
			_exit(watch(ready[1]));
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(children); i++)
		assert_int_equal(read(ready[0], &byte, 1), 1);
	for (int version = 2; version <= VERSIONS; version++)
		write_version(version);
	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	close(ready[0]);
	close(ready[1]);
}

/* Several postmap -i at once: none may lose what another one wrote. */
static void
writers_wait_for_each_other(void **state)
{
	struct lmdb_table *t;
	pid_t children[4];
	int status;
	char key[20];

	(void)state;
	write_pairs(&whole, (const char *const[]){ NULL });
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		for (int n = 0; n < 20; n++) {
			const char *why;
			struct lmdb_writer *w = lmdb_writer_begin(path, &added, &why);

			snprintf(key, sizeof(key), "%d.%d", i, n);
			if (w == NULL ||
			    lmdb_writer_put(w, view_of(key), VIEW("v"), false, &why) !=
				LMDB_PUT_OK ||
			    !lmdb_writer_commit(&w, &why))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	t = reader();
	for (int i = 0; i < 80; i++) {
		snprintf(key, sizeof(key), "%d.%d", i / 20, i % 20);
		expect(t, key, "v");
	}
	lmdb_table_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reader_sees_later_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(both_forms_of_nul, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_entry_of_the_other_form_counts_as_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(key_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(aborted_writes_are_not_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(new_file_appears_at_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(map_full_then_larger, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_files, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_under_a_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(writers_wait_for_each_other, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
