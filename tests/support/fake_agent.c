/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery agent, and a bounce service, that do what a file of rules says. For tests of qmgr.
 *
 *   arguments in master.cf: RULES LOG (each may be "-": none)
 *
 * RULES is read for every request. A line is "PART ACTION [TEXT]": the first line whose PART is
 * in the recipient's address (or "*") counts. Without a rule: sent.
 *
 *   sent | deferred | bounced    that outcome, with the text ("5.1.1 no such user")
 *   relayed | passed | expanded  sent, and for NOTIFY=SUCCESS what deliver/1 says of that
 *   down                         deferred, and the destination is at fault
 *   wait MS                      sent, after a pause; a notice is answered after it
 *   close                        the connection ends without an outcome
 *   die                          the process is killed
 *   hang                         no answer at all
 *   garbage                      something that is no outcome
 *   refuse                       not now; for notices, whose addresses begin with "notice:"
 *
 * LOG gets a line for each outcome, before it is told: "sent QID ADDRESS NEXTHOP PID COUNT
 * TIME", where COUNT is the number of recipients of the request, TIME in seconds; notices are
 * "notice-KIND QID ADDRESS DSN REASON".
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "mail/dsn.h"
#include "proto/deliver.h"
#include "proto/notice.h"
#include "service/service.h"
#include "task/task.h"

#define RULES_MAX 65536
#define TEXT_MAX  300
#define MANY      100000

struct rule {
	char action[32];
	char text[TEXT_MAX];
};

struct wanted {
	uint64_t index;
	char address[1024];
};

static void
rule_find(struct view address, struct rule *out)
{
	struct buf text = BUF_INIT(RULES_MAX);
	struct view rest, line, part, action;

	*out = (struct rule){ .action = "sent" };
	if (strcmp(service_arguments()[0], "-") != 0 &&
	    file_read_at(AT_FDCWD, service_arguments()[0], &text)) {
		rest = buf_view(&text);
		while (view_next_word(&rest, "\n", &line)) {
			char *copy;
			bool found;

			if (!view_next_word(&line, " ", &part) ||
			    !view_next_word(&line, " ", &action))
				continue;
			copy = mem_dup(part.p, part.n);
			found = view_eq(part, VIEW("*")) ||
			    memmem(address.p, address.n, part.p, part.n) != NULL;
			mem_free(copy);
			if (!found)
				continue;
			line = view_trim(line);
			snprintf(out->action, sizeof(out->action), "%.*s", VIEW_ARG(action));
			snprintf(out->text, sizeof(out->text), "%.*s", VIEW_ARG(line));
			break;
		}
	}
	buf_done(&text);
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *format, ...)
{
	struct buf line = BUF_INIT(4096);
	va_list ap;
	int fd;

	if (strcmp(service_arguments()[1], "-") == 0)
		return;
	fd = open(service_arguments()[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	va_start(ap, format);
	buf_vprintf(&line, format, ap);
	va_end(ap);
	buf_append_char(&line, '\n');
	if (fd < 0 || !file_write_all(fd, buf_str(&line), line.len))
		log_warn("%s: %m", service_arguments()[1]);
	if (fd >= 0)
		close(fd);
	buf_done(&line);
}

/* False: the conversation ends here. */
static bool
outcome_tell(
    struct ipc *c, const struct deliver_request *q, const struct wanted *w, size_t count)
{
	struct deliver_outcome o = { .index = w->index, .result = DELIVER_SENT };
	struct view code, text;
	uint64_t pause = 0;
	struct rule rule;

	rule_find(view_of(w->address), &rule);
	if (strcmp(rule.action, "hang") == 0)
		return task_sleep(3600 * SECOND) != TASK_OK && false;
	if (strcmp(rule.action, "die") == 0)
		raise(SIGKILL);
	if (strcmp(rule.action, "close") == 0)
		return false;
	if (strcmp(rule.action, "garbage") == 0)
		o.index = MANY;
	if (strcmp(rule.action, "wait") == 0 && number_parse(view_of(rule.text), MANY, &pause))
		task_sleep((nanoseconds)pause * MILLISECOND);
	if (strcmp(rule.action, "deferred") == 0 || strcmp(rule.action, "down") == 0)
		o.result = DELIVER_DEFERRED;
	if (strcmp(rule.action, "bounced") == 0)
		o.result = DELIVER_BOUNCED;
	o.destination_failed = strcmp(rule.action, "down") == 0;
	o.relayed = strcmp(rule.action, "relayed") == 0;
	o.dsn_passed_on = strcmp(rule.action, "passed") == 0;
	o.expanded = strcmp(rule.action, "expanded") == 0;
	if (memmem(rule.text, strlen(rule.text), " said: ", 7))
		o.remote_host = VIEW("host mx.example.test[192.0.2.1]");
	o.dsn = o.result == DELIVER_SENT ? VIEW("2.0.0") : VIEW("4.4.1");
	if (dsn_split(view_of(rule.text), &code, &text))
		o.dsn = code;
	o.reason = text.n ? text : VIEW("as told");
	note("%s %.*s %s %.*s %ld %zu %.3f",
	    o.result == DELIVER_SENT          ? "sent"
		: o.result == DELIVER_BOUNCED ? "bounced"
					      : "deferred",
	    VIEW_ARG(q->queue_id), w->address, VIEW_ARG(q->nexthop), (long)getpid(), count,
	    (double)clock_now() / SECOND);
	return ipc_send(c, &deliver_outcome_message, &o, clock_deadline(10 * SECOND)) ==
	    IPC_OK &&
	    ipc_flush(c, clock_deadline(10 * SECOND)) == IPC_OK;
}

static bool
delivery(struct ipc *c, const struct deliver_request *request)
{
	struct wanted *list = NULL;
	struct deliver_done done = { 0 };
	struct ipc_frame frame;
	struct deliver_recipient r;
	size_t count = 0;
	bool ok = true;

	while (ok && ipc_receive(c, &frame, clock_deadline(10 * SECOND)) == IPC_OK &&
	    ipc_frame_is(&frame, &deliver_recipient_message)) {
		ok = ipc_frame_decode(c, &frame, &deliver_recipient_message, &r);
		list = mem_resize(list, count + 1, sizeof(*list));
		list[count].index = r.index;
		snprintf(list[count].address, sizeof(list[count].address), "%.*s",
		    VIEW_ARG(r.address));
		count++;
	}
	ok = ok && ipc_frame_is(&frame, &deliver_go_message);
	for (size_t i = 0; ok && i < count; i++)
		ok = outcome_tell(c, request, &list[i], count);
	mem_free(list);
	return ok &&
	    ipc_send(c, &deliver_done_message, &done, clock_deadline(10 * SECOND)) == IPC_OK;
}

static bool
notice(struct ipc *c, const struct notice_request *request)
{
	struct notice_status status = { .ok = true, .notice_id = VIEW("fakenoticeid00") };
	struct notice_recipient r;
	struct ipc_frame frame;
	char address[1024];
	uint64_t pause = 0;
	struct rule rule;

	while (ipc_receive(c, &frame, clock_deadline(10 * SECOND)) == IPC_OK &&
	    ipc_frame_is(&frame, &notice_recipient_message)) {
		if (!ipc_frame_decode(c, &frame, &notice_recipient_message, &r))
			return false;
		snprintf(address, sizeof(address), "notice:%.*s", VIEW_ARG(r.address));
		rule_find(view_of(address), &rule);
		if (strcmp(rule.action, "wait") == 0 &&
		    number_parse(view_of(rule.text), MANY, &pause))
			task_sleep((nanoseconds)pause * MILLISECOND);
		if (strcmp(rule.action, "refuse") == 0) {
			status.ok = false;
			status.why = VIEW("as told");
		} else {
			note("notice-%llu %.*s %.*s %.*s %.*s",
			    (unsigned long long)request->kind, VIEW_ARG(request->queue_id),
			    VIEW_ARG(r.address), VIEW_ARG(r.dsn), VIEW_ARG(r.reason));
		}
	}
	return ipc_frame_is(&frame, &notice_send_message) &&
	    ipc_send(c, &notice_status_message, &status, clock_deadline(10 * SECOND)) == IPC_OK;
}

/* The texts of a request end with the next frame: those that are needed later are kept. */
static bool
request_run(struct ipc *c, struct ipc_frame *frame, struct arena *arena)
{
	struct deliver_request d;
	struct notice_request n;
	bool ok;

	if (ipc_frame_is(frame, &deliver_request_message)) {
		if (!ipc_frame_decode(c, frame, &deliver_request_message, &d))
			return false;
		d.queue_id = arena_view(arena, d.queue_id);
		d.nexthop = arena_view(arena, d.nexthop);
		ok = delivery(c, &d);
		file_close(&d.message);
		return ok;
	}
	if (!ipc_frame_is(frame, &notice_request_message) ||
	    !ipc_frame_decode(c, frame, &notice_request_message, &n))
		return false;
	n.queue_id = arena_view(arena, n.queue_id);
	ok = notice(c, &n);
	file_close(&n.message);
	return ok;
}

static void
session(const struct service_connection *connection)
{
	struct ipc *c = ipc_new(connection->fd);
	struct arena arena = ARENA_INIT;
	struct ipc_frame frame;
	bool ok = true;

	ipc_take_descriptors(c);
	while (ok && !service_is_finishing()) {
		service_session_idle(connection, true);
		if (ipc_receive(c, &frame, DEADLINE_NEVER) != IPC_OK)
			break;
		service_session_idle(connection, false);
		ok = request_run(c, &frame, &arena);
		arena_reset(&arena);
	}
	ipc_free(&c);
}

int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "fake_agent",
		.peers = SERVICE_PEERS_OURS,
		.sandbox = { .off = true },
		.session = session,
	};

	return service_main(argc, argv, &service);
}
