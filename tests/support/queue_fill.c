/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a queue with deferred messages in the store's own format, for benchmarks and tests. To
 * be run as the owner of the queue, while the system is down.
 *
 *   queue_fill QUEUE_DIRECTORY COUNT [DESTINATIONS [PROCESSES [DUE_FROM [DUE_TO [AGE]]]]]
 *
 * Message i is for user@d<i mod DESTINATIONS>.example (default 1000), has 4 kB, a few attempts
 * behind it and one of a few reasons; it arrived AGE seconds ago (default: some time within the
 * last 20 hours), and its next attempt is due between DUE_FROM and DUE_TO seconds from now
 * (default 3 to 9 hours).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/random.h"
#include "queue/index.h"
#include "queue/queue_file.h"

#define BODY_SIZE    3800
#define ARRIVAL_SPAN ((uint64_t)20 * 3600 * 1000000)

static const char *const reasons[] = {
	"connect to mx.d%lu.example[192.0.2.%lu]:25: Connection timed out",
	"connect to mx.d%lu.example[192.0.2.%lu]:25: Connection refused",
	"host mx.d%lu.example[192.0.2.%lu] said: 450 4.2.1 mailbox is busy (in reply to RCPT "
	"TO "
	"command)",
	"lost connection with mx.d%lu.example[192.0.2.%lu] while receiving the initial server "
	"greeting",
};

struct fill {
	struct queue *queue;
	unsigned long count, destinations, processes;
	microseconds due_from, due_to;
	microseconds age; /* -1: at random */
	char body[BODY_SIZE];
};

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "queue_fill: %s: %s\n", what, why ? why : "failed");
	exit(1);
}

static void
write_one(struct fill *f, unsigned long number, char id[QUEUE_ID_SIZE])
{
	struct queue_writer *w = queue_writer_new(f->queue, QUEUE_HOLD);
	struct queue_recipient r = { 0 };
	const char *why = NULL;
	char text[100];

	queue_id_new(
	    clock_wall() - (f->age < 0 ? (microseconds)random_below(ARRIVAL_SPAN) : f->age),
	    id);
	if (!queue_writer_set_id(w, view_of(id)))
		fail("AGE", "a day at most");
	(void)queue_writer_body(w, (struct view){ f->body, sizeof(f->body) }, &why);
	queue_writer_header(w, VIEW("From: sender@example.org\r\nSubject: waiting\r\n"));
	snprintf(text, sizeof(text), "sender%lu@example.org", number % 5000);
	queue_writer_sender(w, view_of(text));
	snprintf(text, sizeof(text), "user@d%lu.example", number % f->destinations);
	r.address = r.original = view_of(text);
	queue_writer_recipient(w, &r);
	if (queue_writer_commit(w, NULL, &why) != QUEUE_OK)
		fail("commit", why);
	queue_writer_free(&w);
}

static void
defer_one(struct fill *f, unsigned long number, const char *id)
{
	microseconds now = clock_wall();
	microseconds due = now + f->due_from +
	    (microseconds)random_below((uint64_t)(f->due_to - f->due_from) + 1);
	char reason[200];
	struct queue_journal_entry e = { .state = QUEUE_RCPT_PENDING, .when = now };
	const char *why = NULL;
	struct queue_message m;
	enum queue_result r;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(reason, sizeof(reason), reasons[number % ARRAY_LEN(reasons)],
	    number % f->destinations, number % 250);
#pragma GCC diagnostic pop
	e.dsn = VIEW("4.4.1");
	e.reason = view_of(reason);
	r = queue_message_open(f->queue, QUEUE_HOLD, id, true, &m, &why);
	if (r == QUEUE_OK)
		r = queue_journal_append(f->queue, &m, &e, 1, false, &why);
	for (unsigned i = 0; r == QUEUE_OK && i < 3; i++)
		r = queue_journal_attempt(f->queue, &m, due, &why);
	if (r == QUEUE_OK)
		r = queue_rename(f->queue, id, QUEUE_HOLD, QUEUE_DEFERRED, &why);
	if (r != QUEUE_OK)
		fail(id, why);
	queue_message_done(&m);
}

static void
fill_run(struct fill *f, unsigned long part)
{
	char id[QUEUE_ID_SIZE];

	for (unsigned long i = part; i < f->count; i += f->processes) {
		write_one(f, i, id);
		defer_one(f, i, id);
	}
}

static int
wait_all(void)
{
	int status, result = 0;

	while (wait(&status) > 0)
		result |= status != 0;
	return result;
}

static uint64_t
argument(int argc, char **argv, int i, uint64_t otherwise)
{
	uint64_t value = otherwise;

	if (i < argc && !number_parse(view_of(argv[i]), INT64_MAX / 1000000, &value))
		fail(argv[i], "not a number");
	return value;
}

int
main(int argc, char **argv)
{
	static struct fill f;
	const char *why = NULL;

	if (argc < 3)
		fail("usage",
		    "queue_fill DIRECTORY COUNT [DESTINATIONS [PROCESSES [DUE_FROM "
		    "[DUE_TO [AGE]]]]]");
	f.queue = queue_open(argv[1], false, &why);
	if (!f.queue)
		fail(argv[1], why);
	queue_index_forget(argv[1]);
	f.count = argument(argc, argv, 2, 0);
	f.destinations = argument(argc, argv, 3, 1000);
	f.processes = argument(argc, argv, 4, 2);
	f.due_from = (microseconds)argument(argc, argv, 5, 3 * 3600) * 1000000;
	f.due_to = (microseconds)argument(argc, argv, 6, 9 * 3600) * 1000000;
	f.age = argc > 7 ? (microseconds)argument(argc, argv, 7, 0) * 1000000 : -1;
	if (f.destinations == 0 || f.processes == 0 || f.due_to < f.due_from)
		fail("usage", "counts start at 1, and DUE_TO lies behind DUE_FROM");
	for (size_t i = 0; i < sizeof(f.body); i++)
		f.body[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'x';
	for (unsigned long part = 0; part < f.processes; part++) {
		if (fork() == 0) {
			fill_run(&f, part);
			_exit(0);
		}
	}
	queue_close(&f.queue);
	return wait_all();
}
