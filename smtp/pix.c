/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old firewalls that "fix up" SMTP: their greeting is asterisks, they mangle EHLO, and lose the
 * end of data when it comes in the same packet as the text. The second costs a wait, so it is
 * done only for mail that has been tried for a while.
 */
#include "base/log.h"
#include "smtp/client.h"

static bool
is_masked(struct view line)
{
	size_t asterisks = 0;

	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '*')
			asterisks++;
		else if (line.p[i] != ' ' && line.p[i] != '0' && line.p[i] != '2')
			return false;
	}
	return asterisks > 0;
}

static unsigned
workarounds_parse(struct view list)
{
	struct view word;
	unsigned found = 0;

	while (view_next_word(&list, ", \t\r\n", &word)) {
		if (view_eq_nocase(word, VIEW("disable_esmtp")))
			found |= PIX_DISABLE_ESMTP;
		else if (view_eq_nocase(word, VIEW("delay_dotcrlf")))
			found |= PIX_DELAY_DOTCRLF;
		else
			log_warn("unknown workaround \"%.*s\" for firewalls", VIEW_ARG(word));
	}
	return found;
}

struct problem *
pix_find(struct delivery *d, struct session *s)
{
	struct view rest = buf_view(&s->reply.lines_text), line;
	struct buf listed = BUF_INIT(TABLE_VALUE_MAX);
	const char *list = client.options.pix_workarounds, *why = "";
	char address[ENDPOINT_TEXT_SIZE];
	enum table_result found;
	struct problem *p = NULL;

	s->pix = 0;
	if (!server_reply_next(&rest, &line) || !is_masked(line))
		return NULL;
	endpoint_text(&s->endpoint, address);
	found = table_list_find(client.pix_maps, view_of(address), &listed, &why);
	if (found == TABLE_FOUND)
		list = buf_str(&listed);
	s->pix = workarounds_parse(view_of(list));
	if (found == TABLE_CANNOT_TELL)
		p = problem_new(d, NULL, "4.3.0", "%s_pix_workaround_maps lookup error: %s",
		    client.options.is_lmtp ? "lmtp" : "smtp", why);
	else if (s->pix)
		log_info("%.*s: enabling PIX workarounds: %s for %s",
		    VIEW_ARG(d->job->request.queue_id), list, s->relay);
	buf_done(&listed);
	return p;
}

bool
pix_delays(const struct delivery *d, const struct session *s)
{
	microseconds age = clock_wall() - (microseconds)d->job->request.arrival;

	return (s->pix & PIX_DELAY_DOTCRLF) &&
	    age >= client.options.pix_workaround_threshold_time / (SECOND / 1000000);
}
