/* SPDX-License-Identifier: Apache-2.0 */
/* The two forms in which postqueue prints a listing. */
#ifndef TOOLS_POSTQUEUE_H
#define TOOLS_POSTQUEUE_H

#include <stdbool.h>

#include "proto/showq.h"

/* Everything goes to standard output; begin and end frame the listing. */
struct postqueue_printer {
	void (*message)(const struct showq_message *m);
	void (*recipient)(const struct showq_recipient *r);
	void (*end)(void);
};

/* postqueue_print.c: the listing of mailq, and JSON lines. */
extern const struct postqueue_printer postqueue_text, postqueue_json;

#endif
