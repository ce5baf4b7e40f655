/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands messages to cleanup without smtpd: for tests.
 *
 *   inject [-n COUNT] [-N NOTIFY] [-H] QUEUE_DIRECTORY SENDER RECIPIENT... < message
 *
 * SENDER may be empty. With -n the message is submitted so many times, and "%" in a recipient
 * is the number of each. Prints the queue id of each message that was stored; ends with 1 at
 * the first that was not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/number.h"
#include "mail/dsn.h"
#include "proto/submit.h"
#include "queue/queue.h"

#define PATIENCE    (60 * SECOND)
#define MESSAGE_MAX (64 * 1024 * 1024)

static unsigned notify;
static bool hold;

static struct view
input_read(struct buf *b)
{
	char chunk[2048];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		buf_append(b, chunk, (size_t)n);
	return buf_view(b);
}

static bool
recipient_send(struct ipc *c, const char *text, unsigned long number, nanoseconds deadline)
{
	const char *percent = strchr(text, '%');
	struct buf address = BUF_INIT(2000);
	struct submit_recipient r = { .notify = notify };
	bool ok;

	if (percent) {
		buf_append(&address, text, (size_t)(percent - text));
		buf_printf(&address, "%lu%s", number, percent + 1);
	} else {
		buf_append_str(&address, text);
	}
	r.address = buf_view(&address);
	ok = ipc_send(c, &submit_recipient_message, &r, deadline) == IPC_OK;
	buf_done(&address);
	return ok;
}

static bool
content_send(struct ipc *c, struct view rest, nanoseconds deadline)
{
	while (rest.n) {
		struct view part = view_sub(rest, 0, IPC_DATA_MAX);

		if (ipc_send_data(c, part, deadline) != IPC_OK)
			return false;
		rest = view_sub(rest, part.n, rest.n);
	}
	return true;
}

static bool
submit(struct ipc *c, unsigned long number, char **arguments, struct view message)
{
	nanoseconds deadline = clock_deadline(PATIENCE);
	char id[QUEUE_ID_SIZE];
	struct submit_begin begin = {
		.source = SUBMIT_LOCAL,
		.sender = view_of(arguments[0]),
	};
	struct submit_end end = { hold };
	struct submit_status status;
	bool ok;

	queue_id_new(clock_wall(), id);
	begin.queue_id = view_of(id);
	ok = ipc_send(c, &submit_begin_message, &begin, deadline) == IPC_OK;
	for (char **r = arguments + 1; ok && *r; r++)
		ok = recipient_send(c, *r, number, deadline);
	ok = ok && content_send(c, message, deadline) &&
	    ipc_send(c, &submit_end_message, &end, deadline) == IPC_OK &&
	    ipc_expect(c, &submit_status_message, &status, deadline) == IPC_OK;
	if (!ok) {
		fprintf(stderr, "inject: conversation failed: %s\n", ipc_why(c));
		return false;
	}
	if (status.result != SUBMIT_OK) {
		fprintf(stderr, "inject: refused: %.*s\n", VIEW_ARG(status.text));
		return false;
	}
	printf("%s\n", id);
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	struct buf message = BUF_INIT(MESSAGE_MAX);
	unsigned long count = 1, done = 0;
	uint64_t number;
	struct ipc *c;
	int letter;

	while ((letter = getopt(argc, argv, "+n:N:H")) != -1) {
		if (letter == 'n' && number_parse(view_of(optarg), 100000000, &number))
			count = (unsigned long)number;
		else if (letter == 'N')
			notify = dsn_notify_parse(view_of(optarg));
		else if (letter == 'H')
			hold = true;
		else
			return 64;
	}
	if (argc - optind < 3 || chdir(argv[optind]) < 0)
		return 64;
	c = ipc_connect("public/cleanup", clock_deadline(PATIENCE));
	if (!c) {
		perror("inject: public/cleanup");
		return 1;
	}
	input_read(&message);
	while (done < count && submit(c, done, argv + optind + 1, buf_view(&message)))
		done++;
	ipc_free(&c);
	buf_done(&message);
	return done == count ? 0 : 1;
}
