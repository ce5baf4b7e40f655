/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a report says about one recipient. A sender elsewhere wrote to an address of ours, and
 * where that leads (aliases, forwarding) is the business of its owner: such a sender hears of
 * the address he wrote to, and a reason in which the other one does not appear.
 */
#include "bounce/report.h"
#include "mail/address.h"

struct view
report_recipient_shown(const struct report *r, const struct notice_recipient *n)
{
	return r->shows_final || n->original.n == 0 ? n->address : n->original;
}

/* The index of the first occurrence of what in v, or v.n. */
static size_t
find_nocase(struct view v, struct view what)
{
	for (size_t i = 0; what.n && i + what.n <= v.n; i++)
		if (view_eq_nocase(view_sub(v, i, what.n), what))
			return i;
	return v.n;
}

static void
replace_all(struct buf *out, struct view text, struct view what, struct view by)
{
	for (;;) {
		size_t at = find_nocase(text, what);

		buf_append_view(out, view_sub(text, 0, at));
		if (at == text.n)
			return;
		buf_append_view(out, by);
		text = view_sub(text, at + what.n, text.n);
	}
}

void
report_reason(struct buf *out, const struct report *r, const struct notice_recipient *n)
{
	struct view shown = report_recipient_shown(r, n);
	struct view reason = view_sub(n->reason, 0, REPORT_REASON);
	struct buf hidden = BUF_INIT(4 * ADDRESS_MAX), by = BUF_INIT(4 * ADDRESS_MAX);
	struct buf text = BUF_INIT(8 * REPORT_REASON);

	if (address_eq_nocase(shown, n->address)) {
		report_text(out, reason, r->utf8, 2 * REPORT_REASON);
	} else {
		address_quote(&hidden, n->address);
		address_quote(&by, shown);
		replace_all(&text, reason, buf_view(&hidden), buf_view(&by));
		report_text(out, buf_view(&text), r->utf8, 2 * REPORT_REASON);
	}
	buf_done(&hidden);
	buf_done(&by);
	buf_done(&text);
}
