/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anvil/1: counting clients over all processes of a service.
 *
 *   client: connect   server: counts        a session was opened
 *   client: event     server: counts        something else whose rate is limited
 *   client: state     server: nothing       sessions were closed
 *
 * Answers come in the order of the questions, which may be sent without waiting. `connect` and
 * `state` say how many sessions with that client the asking process has open now, so saying it
 * twice counts once, and a process that lost its connection says all of it again. What was said
 * over a connection ends with it.
 */
#ifndef PROTO_ANVIL_H
#define PROTO_ANVIL_H

#include "ipc/ipc.h"

#define ANVIL_SERVICE_MAX 255     /* bytes of a service name */
#define ANVIL_CLIENT_MAX  63      /* bytes of a client: "192.0.2.1", "2001:db8::/84" */
#define ANVIL_OPEN_MAX    1000000 /* sessions of one process with one client */

enum anvil_kind {
	ANVIL_CONNECTION, /* what connect counts; not the kind of an event */
	ANVIL_MESSAGE,
	ANVIL_RECIPIENT,
	ANVIL_NEW_TLS,
	ANVIL_AUTH,
	ANVIL_KIND_COUNT
};

struct anvil_client {
	struct view service; /* first column of master.cf */
	struct view client;  /* an address or network, as text */
	uint64_t open;
};

struct anvil_event {
	struct view service;
	struct view client;
	uint64_t kind; /* enum anvil_kind */
};

struct anvil_counts {
	uint64_t connections; /* of that client with that service, in all processes */
	uint64_t rate;        /* of what was asked, in the current time unit */
};

extern const struct ipc_message anvil_connect_message; /* struct anvil_client */
extern const struct ipc_message anvil_state_message;   /* struct anvil_client */
extern const struct ipc_message anvil_event_message;
extern const struct ipc_message anvil_counts_message;

#endif
