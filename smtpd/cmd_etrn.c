/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETRN (RFC 1985): a host that is not always there asks for its mail. qmgr is told which
 * destination; it knows from its index what waits, and whether the destination is one that may
 * be asked for (fast_flush_domains).
 */
#include "base/log.h"
#include "ipc/ipc_pool.h"
#include "mail/address.h"
#include "proto/queuectl.h"
#include "smtpd/smtpd.h"

static bool
ask_once(struct session *s, struct view domain, uint64_t *outcome, bool *again)
{
	struct queuectl_command command = {
		.verb = QUEUECTL_FLUSH_SITE,
		.destination = domain,
	};
	struct queuectl_result result = { 0 };
	struct ipc *qmgr = ipc_pool_take(server.qmgr, s->deadline, again);

	if (!qmgr) {
		*again = false;
		return false;
	}
	if (ipc_send(qmgr, &queuectl_command_message, &command, s->deadline) != IPC_OK ||
	    ipc_expect(qmgr, &queuectl_result_message, &result, s->deadline) != IPC_OK) {
		ipc_free(&qmgr);
		return false;
	}
	*outcome = result.outcome;
	ipc_pool_give(server.qmgr, &qmgr);
	return true;
}

/* A kept connection may have been closed: then once more. */
static uint64_t
ask(struct session *s, struct view domain)
{
	uint64_t outcome = QUEUECTL_FAILED;
	bool again = false;

	if (!ask_once(s, domain, &outcome, &again) && again)
		(void)ask_once(s, domain, &outcome, &again);
	return outcome;
}

/* "@" asks for subdomains and "#" for a queue, in other servers: here for the domain. */
static bool
etrn_parse(struct session *s, struct view argument, struct view *domain)
{
	if (argument.n == 0 || view_find(argument, ' ') < argument.n) {
		reply(s, "500 5.5.2 Syntax: ETRN domain");
		return false;
	}
	if (argument.p[0] == '@' || argument.p[0] == '#')
		argument = view_sub(argument, 1, argument.n);
	*domain = argument;
	if (argument.n > 0 && domain_is_valid(argument, false))
		return true;
	reply(s, "501 5.5.4 Error: invalid parameter syntax");
	return false;
}

enum outcome
cmd_etrn(struct session *s, struct view argument)
{
	struct view domain = VIEW_NONE;
	const char *refused;

	if (!s->helo) {
		reply(s, "503 5.5.1 Error: send HELO/EHLO first");
		return REFUSED;
	}
	if (!etrn_parse(s, argument, &domain))
		return REFUSED;
	refused = access_etrn(s, domain);
	if (refused) {
		reply_refusal(s, refused);
		return REFUSED;
	}
	switch (server.qmgr ? ask(s, domain) : QUEUECTL_FAILED) {
	case QUEUECTL_DONE:
		reply(s, "250 2.0.0 Queuing started");
		return DONE;
	case QUEUECTL_NOT_ALLOWED:
		reply(s, "459 4.7.1 <%.*s>: service unavailable", VIEW_ARG(domain));
		return REFUSED;
	default:
		log_warn("ETRN %.*s from %s: the queue manager does not take it",
		    VIEW_ARG(domain), s->peer.label);
		reply(s, "458 4.3.0 Unable to queue messages");
		return REFUSED;
	}
}
