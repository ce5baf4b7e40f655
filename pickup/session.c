/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of a local user, message after message. Anybody may connect, so everything has
 * an end: a connection that says nothing, a message that takes for ever, and the number of
 * connections of one user; mail of a user who has too many waits in maildrop/ instead.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "pickup/pickup.h"

#define IDLE_MAX      (100 * SECOND)
#define ANSWER_TIME   (60 * SECOND)
#define USER_SESSIONS 100

/* Sessions of each user, by uid. */
struct user {
	size_t sessions;
	uid_t uid;
};

static struct hash *users;

static struct view
user_key(const uid_t *uid)
{
	return (struct view){ (const char *)uid, sizeof(*uid) };
}

static bool
user_enter(uid_t uid)
{
	struct user *u;

	if (!users)
		users = hash_new();
	u = hash_find(users, user_key(&uid));
	if (u && u->sessions >= USER_SESSIONS && !sandbox_uid_is_ours(pickup.conf, uid)) {
		log_warn(
		    "uid=%ld: more than %d connections at one time", (long)uid, USER_SESSIONS);
		return false;
	}
	if (!u) {
		u = NEW(struct user);
		u->uid = uid;
		hash_put(users, user_key(&uid), u);
	}
	u->sessions++;
	return true;
}

static void
user_leave(uid_t uid)
{
	struct user *u = hash_find(users, user_key(&uid));

	if (--u->sessions > 0)
		return;
	hash_remove(users, user_key(&uid));
	mem_free(u);
	if (hash_count(users) == 0)
		hash_free(&users, NULL);
}

static bool
answer(struct ipc *client, struct submission *s)
{
	struct submit_status status;
	nanoseconds deadline;

	submission_end(s, &status);
	deadline = clock_deadline(ANSWER_TIME);
	return ipc_send(client, &submit_status_message, &status, deadline) == IPC_OK &&
	    ipc_flush(client, deadline) == IPC_OK;
}

/* True when the connection can serve another message. */
static bool
message_run(struct ipc *client, struct submission *s, struct ipc_frame *frame)
{
	for (;;) {
		switch (submission_frame(s, frame)) {
		case SUBMISSION_ANSWER:
			return answer(client, s);
		case SUBMISSION_ABORTED:
			return true;
		case SUBMISSION_WRONG:
			log_warn("uid=%ld: bad submission", (long)s->uid);
			return false;
		case SUBMISSION_MORE:
			break;
		}
		if (ipc_receive(client, frame, s->deadline) != IPC_OK) {
			log_warn("%s: uid=%ld: lost connection: %s", s->id, (long)s->uid,
			    ipc_why(client));
			return false;
		}
	}
}

static bool
message_next(const struct service_connection *c, struct ipc *client, uid_t uid)
{
	struct submission s;
	struct ipc_frame frame;
	bool again;

	service_session_idle(c, true);
	again = ipc_receive(client, &frame, clock_deadline(IDLE_MAX)) == IPC_OK;
	service_session_idle(c, false);
	if (!again)
		return false;
	submission_init(&s, uid);
	again = message_run(client, &s, &frame) && !service_is_finishing();
	submission_done(&s);
	return again;
}

void
session_run(const struct service_connection *c)
{
	struct ipc *client = ipc_new(c->fd);
	uid_t uid;
	pid_t pid;

	if (ipc_peer(client, &uid, &pid) && user_enter(uid)) {
		while (message_next(c, client, uid))
			;
		user_leave(uid);
	}
	ipc_free(&client);
}
