/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard form of envelope addresses. Only the domain is completed: a local part with '%'
 * or
 * '!' in it is a name like any other, so swap_bangpath and allow_percent_hack have no effect.
 */
#include "mail/address.h"
#include "route/route.h"

void
route_standard_form(const struct conf_values *v, struct view address, struct buf *out)
{
	struct view local, domain;

	address_split(address, &local, &domain);
	if (address.n == 0 || address.p[address.n - 1] == '@') {
		buf_append_view(out, address);
		return;
	}
	buf_append_view(out, local);
	if (domain.n == 0) {
		if (!v->append_at_myorigin)
			return;
		domain = view_of(v->myorigin);
	}
	/* One dot means "complete name"; two are a malformed domain and stay one. */
	if (domain.n > 1 && domain.p[domain.n - 1] == '.' && domain.p[domain.n - 2] != '.')
		domain.n--;
	buf_append_char(out, '@');
	buf_append_view(out, domain);
	if (v->append_dot_mydomain && domain.p[0] != '[' &&
	    view_find(domain, '.') == domain.n && !view_eq_nocase(domain, VIEW("localhost"))) {
		buf_append_char(out, '.');
		buf_append_str(out, v->mydomain);
	}
}

bool
route_has_sender_routing(struct view address)
{
	struct view local, domain;

	address_split(address, &local, &domain);
	return view_find(local, '@') < local.n || view_find(local, '%') < local.n ||
	    view_find(local, '!') < local.n;
}
