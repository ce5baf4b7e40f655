/* SPDX-License-Identifier: Apache-2.0 */
/* Directories: making and opening them, moves, scans, finding. */
#include "queue_fixture.h"

static void
test_open_fails_clearly(void **state)
{
	const char *why = NULL;
	char path[128];

	(void)state;
	assert_null(queue_open("/nonexistent/queue", true, &why));
	assert_string_equal(why, "/nonexistent/queue: No such file or directory");
	assert_false(queue_create("/nonexistent/queue", &why));
	snprintf(path, sizeof(path), "%s/half", fixture_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(queue_open(path, true, &why));
	assert_string_equal(why, "incoming: No such file or directory");
	assert_true(queue_create(path, &why));
	assert_true(queue_create(path, &why)); /* again: no harm */
}

static void
test_names(void **state)
{
	static const struct {
		enum queue_place place;
		const char *name;
	} cases[] = {
		{ QUEUE_INCOMING, "incoming" },
		{ QUEUE_DEFERRED, "deferred" },
		{ QUEUE_HOLD, "hold" },
		{ QUEUE_CORRUPT, "corrupt" },
	};
	enum queue_place place;
	char path[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(queue_place_name(cases[i].place), cases[i].name);
		assert_true(queue_place_parse(view_of(cases[i].name), &place));
		assert_int_equal(place, cases[i].place);
	}
	assert_false(queue_place_parse(VIEW("active"), &place));
	assert_false(queue_place_parse(VIEW(""), &place));
	queue_path(QUEUE_HOLD, "4bXzTq1234z00000000000", path, sizeof(path));
	assert_string_equal(path, "hold/4bXzTq1234z00000000000");
	queue_path(QUEUE_DEFERRED, "4bXzTq1234z00000000000", path, sizeof(path));
	assert_memory_equal(path, "deferred/", 9);
	assert_non_null(strchr("0123456789abcdef", path[9]));
	assert_string_equal(path + 10, "/4bXzTq1234z00000000000");
}

static void
test_moves(void **state)
{
	static const enum queue_place way[] = { QUEUE_INCOMING, QUEUE_DEFERRED, QUEUE_HOLD,
		QUEUE_INCOMING, QUEUE_HOLD, QUEUE_DEFERRED, QUEUE_INCOMING, QUEUE_CORRUPT };
	struct queue_message m;
	char id[QUEUE_ID_SIZE];
	enum queue_place place;
	const char *why = NULL;

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, id);
	for (size_t i = 1; i < ARRAY_LEN(way); i++) {
		assert_int_equal(queue_move(queue, id, way[i - 1], way[i], &why), QUEUE_OK);
		assert_int_equal(count_all_files(), 1);
		assert_true(queue_find(queue, id, &place));
		assert_int_equal(place, way[i]);
		assert_int_equal(access(message_path(place, id), F_OK), 0);
		assert_int_equal(
		    queue_message_open(queue, place, id, false, &m, &why), QUEUE_OK);
		queue_message_done(&m);
		assert_int_equal(queue_move(queue, id, way[i - 1], way[i], &why), QUEUE_GONE);
	}
	assert_int_equal(queue_remove(queue, id, QUEUE_HOLD, &why), QUEUE_GONE);
	assert_int_equal(queue_remove(queue, id, QUEUE_CORRUPT, &why), QUEUE_OK);
	assert_false(queue_find(queue, id, &place));
	assert_false(queue_find(queue, "../incoming/x", &place));
	assert_int_equal(
	    queue_move(queue, "../x", QUEUE_HOLD, QUEUE_INCOMING, &why), QUEUE_GONE);
}

static void
test_move_never_replaces(void **state)
{
	char id[QUEUE_ID_SIZE];
	const char *why = NULL;
	struct stat before, after;
	int fd;

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, id);
	fd = open(message_path(QUEUE_HOLD, id), O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_int_equal(write(fd, "x", 1), 1); /* what is empty is nobody's */
	assert_int_equal(fstat(fd, &before), 0);
	close(fd);
	assert_int_equal(queue_move(queue, id, QUEUE_INCOMING, QUEUE_HOLD, &why), QUEUE_ERROR);
	assert_string_equal(why, "File exists");
	assert_int_equal(stat(message_path(QUEUE_HOLD, id), &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(queue_remove(queue, id, QUEUE_INCOMING, &why), QUEUE_OK);
	assert_int_equal(queue_remove(queue, id, QUEUE_HOLD, &why), QUEUE_OK);
}

/* Handed in again under its id, or left with two names: one is enough. */
static void
test_move_onto_the_same_message(void **state)
{
	char id[QUEUE_ID_SIZE], from[256];
	struct queue_message m;
	const char *why = NULL;

	(void)state;
	put_message(QUEUE_INCOMING, 100, 1, id);
	snprintf(from, sizeof(from), "%s", message_path(QUEUE_INCOMING, id));
	assert_int_equal(link(from, message_path(QUEUE_DEFERRED, id)), 0);
	assert_int_equal(queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_OK);
	assert_int_equal(access(from, F_OK), -1);
	assert_int_equal(
	    queue_message_open(queue, QUEUE_DEFERRED, id, false, &m, &why), QUEUE_OK);
	queue_message_done(&m);
	assert_int_equal(queue_remove(queue, id, QUEUE_DEFERRED, &why), QUEUE_OK);
}

static void
test_due(void **state)
{
	struct queue_scan *s;
	char id[QUEUE_ID_SIZE], seen[QUEUE_ID_SIZE];
	const char *why = NULL;
	microseconds due;

	(void)state;
	put_message(QUEUE_HOLD, 100, 1, id);
	assert_int_equal(queue_set_due(queue, id, 1, &why), QUEUE_GONE);
	assert_int_equal(queue_move(queue, id, QUEUE_HOLD, QUEUE_DEFERRED, &why), QUEUE_OK);
	assert_int_equal(queue_set_due(queue, id, INT64_C(1999999999654321), &why), QUEUE_OK);
	s = queue_scan_new(queue, QUEUE_DEFERRED);
	assert_true(queue_scan_next(s, seen, &due, &why));
	assert_string_equal(seen, id);
	assert_int_equal(due, INT64_C(1999999999654321));
	assert_false(queue_scan_next(s, seen, &due, &why));
	queue_scan_free(&s);
	assert_int_equal(queue_remove(queue, id, QUEUE_DEFERRED, &why), QUEUE_OK);
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Each message once, from all directories of the place, and nothing else. */
static void
test_scan(void **state)
{
	enum { COUNT = 200 };
	static char put[COUNT][QUEUE_ID_SIZE], seen[COUNT][QUEUE_ID_SIZE];
	const char *foreign[] = { "deferred/0/README", "deferred/3/.hidden", "deferred/x" };
	struct queue_scan *s;
	char path[128], id[QUEUE_ID_SIZE];
	const char *why = NULL;
	microseconds due;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		put_message(QUEUE_INCOMING, 10, 1, put[i]);
		assert_int_equal(
		    queue_move(queue, put[i], QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		snprintf(path, sizeof(path), "%s/%s", fixture_dir, foreign[i]);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	queue_id_new(5, id);
	assert_int_equal(mkdir(message_path(QUEUE_DEFERRED, id), 0700), 0);
	s = queue_scan_new(queue, QUEUE_DEFERRED);
	while (queue_scan_next(s, id, &due, &why)) {
		assert_true(n < COUNT);
		strcpy(seen[n++], id);
	}
	assert_null(why);
	queue_scan_free(&s);
	assert_int_equal(n, COUNT);
	qsort(put, COUNT, QUEUE_ID_SIZE, compare_ids);
	qsort(seen, COUNT, QUEUE_ID_SIZE, compare_ids);
	for (size_t i = 0; i < COUNT; i++) {
		assert_string_equal(put[i], seen[i]);
		assert_int_equal(queue_remove(queue, put[i], QUEUE_DEFERRED, &why), QUEUE_OK);
	}
	assert_int_equal(count_files(QUEUE_DEFERRED), 0);
}

/* All of it works when the path can no longer be reached. */
static void
test_without_paths(void **state)
{
	char id[QUEUE_ID_SIZE], moved[80];
	const char *why = NULL;

	(void)state;
	snprintf(moved, sizeof(moved), "%s.away", fixture_dir);
	assert_int_equal(rename(fixture_dir, moved), 0);
	put_message(QUEUE_INCOMING, 100000, 1, id);
	assert_int_equal(queue_move(queue, id, QUEUE_INCOMING, QUEUE_DEFERRED, &why), QUEUE_OK);
	assert_int_equal(count_files(QUEUE_DEFERRED), 1);
	assert_int_equal(queue_remove(queue, id, QUEUE_DEFERRED, &why), QUEUE_OK);
	assert_int_equal(rename(moved, fixture_dir), 0);
}

static void
test_free_space(void **state)
{
	unsigned long long bytes = 0;

	(void)state;
	assert_true(queue_free_space(queue, &bytes));
	assert_true(bytes > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_fails_clearly),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_move_never_replaces),
		cmocka_unit_test(test_move_onto_the_same_message),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_without_paths),
		cmocka_unit_test(test_free_space),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
