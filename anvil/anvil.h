/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of anvil: the table of clients, and the conversation with those who ask. */
#ifndef ANVIL_ANVIL_H
#define ANVIL_ANVIL_H

#include "base/clock.h"
#include "ipc/ipc.h"
#include "proto/anvil.h"

/* ---- counters.c ---- */

/*
 * Clients, named "service:client", with their sessions and rates. A rate counts within a window
 * of one time unit that starts with the first event after the previous window. At most `max`
 * clients are remembered: the one without sessions that was seen least recently goes first;
 * when all have sessions, a new one is not counted. Time is an argument everywhere.
 */
struct counters;

/* What one asking process has open; gives it back when it is freed. */
struct holder;

struct counters *counters_new(size_t max, nanoseconds time_unit);
void counters_free(struct counters **c); /* after all holders */
size_t counters_count(const struct counters *c);

/* At most max clients of one holder have sessions; those of more are not counted. */
struct holder *holder_new(struct counters *c, size_t max);
void holder_free(struct holder **h, nanoseconds now);

/* The holder has `open` sessions with that client. False: not counted. */
bool holder_set(struct holder *h, struct view ident, uint64_t open, nanoseconds now);

/* Counts one event and answers. A client that cannot be counted is alone: { 1, 1 }. */
struct anvil_counts counters_event(
    struct counters *c, struct view ident, enum anvil_kind kind, nanoseconds now);

/* ---- statistics.c ---- */

/* Remembers the largest values; statistics_log writes those since its last call. */
void statistics_note_rate(enum anvil_kind kind, uint64_t rate, struct view ident);
void statistics_note_connections(uint64_t connections, struct view ident);
void statistics_note_size(size_t clients);
void statistics_log(nanoseconds time_unit);

/* ---- server.c ---- */

void server_open(nanoseconds time_unit);
void server_close(void);

/* idle(context, true) is said before each wait for a question, idle(context, false) after it.
 */
typedef void server_idle_fn(void *context, bool idle);

/* Answers until the other side closes or breaks the rules. In a task. */
void server_serve(struct ipc *connection, server_idle_fn *idle, void *context);

#endif
