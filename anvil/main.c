/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anvil: counts the sessions and events of clients for all smtpd processes together. It knows
 * nothing but those numbers, opens no file and speaks to nobody but the suite's services.
 */
#include "anvil/anvil.h"
#include "service/service.h"
#include "task/task.h"

static struct task_timer *report_timer;

static void
report(void *context)
{
	(void)context;
	statistics_log(service_values()->anvil_rate_time_unit);
	task_timer_set(
	    report_timer, clock_deadline(service_values()->anvil_status_update_time));
}

static void
start(void)
{
	server_open(service_values()->anvil_rate_time_unit);
	report_timer = task_timer_new(report, NULL);
	task_timer_set(
	    report_timer, clock_deadline(service_values()->anvil_status_update_time));
}

static void
finish(void)
{
	statistics_log(service_values()->anvil_rate_time_unit);
	task_timer_free(&report_timer);
}

static void
say_idle(void *context, bool idle)
{
	const struct service_connection **c = context;

	service_session_idle(*c, idle);
}

static void
session(const struct service_connection *c)
{
	struct ipc *peer = ipc_new(c->fd);

	server_serve(peer, say_idle, &c);
	ipc_free(&peer);
}

int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "anvil",
		.user = service_network_user,
		.peers = SERVICE_PEERS_OURS,
		.one_process = true,
		.sandbox = {
			.calls = SANDBOX_ACCEPT,
			.max_descriptors = 4096,
		},
		.start = start,
		.session = session,
		.finish = finish,
	};

	return service_main(argc, argv, &service);
}
