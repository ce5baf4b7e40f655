/* SPDX-License-Identifier: Apache-2.0 */
/* What the next hop of error, retry and discard says about every recipient. Pure. */
#ifndef ERROR_VERDICT_H
#define ERROR_VERDICT_H

#include "base/view.h"
#include "mail/dsn.h"
#include "proto/deliver.h"

enum verdict_service { VERDICT_ERROR, VERDICT_RETRY, VERDICT_DISCARD };

struct verdict {
	enum deliver_result result;
	char dsn[DSN_SIZE];
	struct view text; /* of the next hop, or a constant */
};

/* The program discard discards, a service named retry defers, any other one bounces. */
enum verdict_service verdict_service_of(struct view program, struct view service_name);

/*
 * nexthop is "text" or "D.S.N text". For error a code of class 4 means deferred, any other
 * bounced; the code's class always becomes that of the result.
 */
struct verdict verdict_of(enum verdict_service service, struct view nexthop);

#endif
