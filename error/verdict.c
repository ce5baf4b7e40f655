/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The administrator writes "error:5.1.6 user has moved" in a transport table, and qmgr sends
 * here what it cannot route: text and status are in the next hop.
 */
#include "error/verdict.h"

enum verdict_service
verdict_service_of(struct view program, struct view service_name)
{
	if (view_eq(program, VIEW("discard")))
		return VERDICT_DISCARD;
	return view_eq(service_name, VIEW("retry")) ? VERDICT_RETRY : VERDICT_ERROR;
}

static enum deliver_result
result_of(enum verdict_service service, struct view code)
{
	switch (service) {
	case VERDICT_DISCARD:
		return DELIVER_SENT;
	case VERDICT_RETRY:
		return DELIVER_DEFERRED;
	default:
		return code.n && code.p[0] == '4' ? DELIVER_DEFERRED : DELIVER_BOUNCED;
	}
}

struct verdict
verdict_of(enum verdict_service service, struct view nexthop)
{
	static const struct {
		char class_digit;
		struct view text;
	} of_result[] = {
		[DELIVER_SENT] = { '2', { "discarded", 9 } },
		[DELIVER_DEFERRED] = { '4', { "delivery temporarily suspended", 30 } },
		[DELIVER_BOUNCED] = { '5', { "undeliverable", 13 } },
	};
	struct view code = VIEW_NONE, rest;
	struct verdict v;

	dsn_split(view_trim(nexthop), &code, &rest);
	v.result = result_of(service, code);
	v.text = rest.n ? rest : of_result[v.result].text;
	dsn_with_class(code.n ? code : VIEW("x.0.0"), of_result[v.result].class_digit, v.dsn);
	return v;
}
