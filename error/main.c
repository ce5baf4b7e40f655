/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error, retry and discard: agents that deliver nothing. All recipients of a request get the
 * same answer, which is in the next hop.
 */
#include "error/verdict.h"
#include "service/deliver_server.h"

static void
job_run(struct deliver_job *job)
{
	struct verdict v = verdict_of(
	    verdict_service_of(view_of(service_program()), view_of(service_transport())),
	    job->request.nexthop);
	struct deliver_answer answer = {
		.result = v.result,
		.dsn = view_of(v.dsn),
		.reason = v.text,
	};

	for (size_t i = 0; i < job->count; i++)
		if (!deliver_answer_send(job, &job->recipients[i], &answer))
			break;
}

static void
session_run(const struct service_connection *c)
{
	deliver_serve(c, job_run);
}

static const struct service service = {
	.name = "error",
	.peers = SERVICE_PEERS_OWNER,
	.sandbox = { .calls = SANDBOX_ACCEPT },
	.session = session_run,
};

int
main(int argc, char **argv)
{
	return service_main(argc, argv, &service);
}
