/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares the index of a queue with the files it is about, for tests.
 *
 *   index_check QUEUE_DIRECTORY
 *
 * Prints each difference and at last "N entries, M due", and ends with 1 when there was one.
 * Whoever wants them to be equal stops qmgr, or asks it with "queuectl index" before and keeps
 * the queue still.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "queue/index.h"

static struct queue *queue;
static struct queue_index *idx;
static unsigned long entries, due, differences;

static void
differs(const char *id, const char *what)
{
	printf("%s: %s\n", id, what);
	differences++;
}

static void
fail(const char *why)
{
	printf("cannot compare: %s\n", why);
	exit(2);
}

/* What the index should have, from the file; the due time is the file's time. */
static void
check_file(enum queue_place place, const char *id, microseconds file_time)
{
	struct buf expected = BUF_INIT(INDEX_VALUE_MAX), value = BUF_INIT(INDEX_VALUE_MAX);
	struct queue_message m;
	const char *why;
	bool found;

	if (queue_message_open(queue, place, id, false, &m, &why) != QUEUE_OK)
		return;
	index_entry_encode(&m, place, place == QUEUE_HOLD ? 0 : file_time, &expected);
	queue_message_done(&m);
	if (!queue_index_find(idx, id, &value, &found, &why))
		fail(why);
	if (!found)
		differs(id, "a file without an entry");
	else if (!view_eq(buf_view(&value), buf_view(&expected)))
		differs(id, "the entry does not say what the file says");
	entries++;
	due += place == QUEUE_DEFERRED;
	buf_done(&expected);
	buf_done(&value);
}

static void
check_place(enum queue_place place)
{
	struct queue_scan *scan = queue_scan_new(queue, place);
	char id[QUEUE_ID_SIZE];
	microseconds file_time;
	const char *why;

	while (queue_scan_next(scan, id, &file_time, &why))
		check_file(place, id, file_time);
	if (why)
		fail(why);
	queue_scan_free(&scan);
}

static void
check_due(void)
{
	struct index_due list[64], after = { 0 };
	unsigned long n = 0;
	microseconds next;
	const char *why;
	size_t count;

	do {
		if (!queue_index_due(
			idx, &after, INT64_MAX, list, ARRAY_LEN(list), &count, &next, &why))
			fail(why);
		n += count;
		if (count > 0)
			after = list[count - 1];
	} while (count > 0);
	if (n != due)
		differs("due", "not as many as there are deferred messages");
}

int
main(int argc, char **argv)
{
	uint64_t count = 0;
	const char *why;

	if (argc != 2)
		return 64;
	queue = queue_open(argv[1], false, &why);
	if (!queue)
		fail(why);
	idx = queue_index_open_reader(argv[1], &why);
	if (!idx)
		fail(why);
	check_place(QUEUE_DEFERRED);
	check_place(QUEUE_HOLD);
	check_due();
	if (!queue_index_count(idx, &count, &why))
		fail(why);
	if (count != entries)
		differs("entries", "not as many as there are files");
	printf("%lu entries, %lu due\n", entries, due);
	queue_index_close(&idx);
	queue_close(&queue);
	return differences > 0;
}
