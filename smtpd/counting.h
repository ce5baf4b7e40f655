/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking anvil. This process's own numbers are the truth about itself and are in
 * server.clients; anvil is told them and answers with those of all processes.
 */
#ifndef SMTPD_COUNTING_H
#define SMTPD_COUNTING_H

#include "smtpd/smtpd.h"

struct client {
	unsigned connections; /* of this process */
	char range[ANVIL_CLIENT_MAX + 1];
};

struct counting *counting_new(const char *path);
void counting_free(struct counting **c);

/*
 * Questions, asked from a task, which waits for the answer, but not for long. False: anvil
 * could not be asked. All of this is harmless for NULL.
 */
bool counting_connect(
    struct counting *c, const struct client *client, struct anvil_counts *answer);
bool counting_event(
    struct counting *c, const char *range, enum anvil_kind kind, struct anvil_counts *answer);

/* client->connections is one less; does not wait. */
void counting_disconnect(struct counting *c, const struct client *client);

#endif
