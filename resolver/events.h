/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop that libunbound is given: the service's own. */
#ifndef RESOLVER_EVENTS_H
#define RESOLVER_EVENTS_H

struct ub_event_base;

struct ub_event_base *events_base(void);

#endif
