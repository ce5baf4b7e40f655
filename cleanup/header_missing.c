/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields RFC 5322 3.6 asks for. Mail from our own users gets what it lacks; mail from
 * strangers keeps its gaps unless always_add_missing_headers says otherwise: a signature over
 * the header would break.
 */
#include <string.h>

#include "base/log.h"
#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/trace.h"
#include "route/route.h"

static void
add_message_id(struct message *m, bool resent)
{
	struct buf id = BUF_INIT(1000);

	message_id_print(&id, queue_writer_arrival(m->writer),
	    view_of(queue_writer_id(m->writer)), view_of(cleanup.conf->myhostname));
	header_build(&m->out, resent ? "Resent-Message-Id" : "Message-Id", buf_view(&id));
	*(resent ? &m->resent_message_id : &m->message_id) =
	    arena_view(&m->arena, buf_view(&id));
	buf_done(&id);
}

static void
add_date(struct message *m, const char *name)
{
	char date[DATE_SIZE];

	date_print(queue_writer_arrival(m->writer), date);
	header_build(&m->out, name, view_of(date));
}

static void
add_from(struct message *m, const char *name)
{
	const struct conf_values *v = cleanup.conf;
	struct buf value = BUF_INIT(16000), address = BUF_INIT(2 * ADDRESS_MAX);
	struct view full_name = view_trim(m->facts.full_name);
	bool is_comment = strcmp(v->header_from_format, "obsolete") == 0;

	if (m->facts.sender.n)
		route_standard_form(v, m->facts.sender, &address);
	else
		buf_printf(&address, "MAILER-DAEMON@%s", v->myorigin);
	if (full_name.n && !is_comment) {
		full_name_print(&value, full_name, v->full_name_encoding_charset, false);
		buf_append_str(&value, " <");
	}
	address_quote(&value, buf_view(&address));
	if (full_name.n && is_comment) {
		buf_append_char(&value, ' ');
		full_name_print(&value, full_name, v->full_name_encoding_charset, true);
	} else if (full_name.n) {
		buf_append_char(&value, '>');
	}
	header_build(&m->out, name, buf_view(&value));
	buf_done(&address);
	buf_done(&value);
}

/* Text of main.cf, "Name: value": taken only when it is one field. */
static void
add_undisclosed(struct message *m)
{
	const char *text = cleanup.conf->undisclosed_recipients_header;
	struct view name;

	if (!*text)
		return;
	if (!header_line_is_field(view_of(text), &name)) {
		log_warn("bad undisclosed_recipients_header header text \"%s\" -- need "
			 "\"headername: headervalue\"",
		    text);
		return;
	}
	buf_append_str(&m->out, text);
	buf_append_str(&m->out, "\r\n");
}

void
header_add_missing(struct message *m)
{
	const struct header_seen *seen = &m->seen;
	bool resent = seen->is_resent;

	if (m->facts.keep_missing_headers && !cleanup.conf->always_add_missing_headers)
		return;
	if (resent ? !seen->resent_message_id : !seen->message_id)
		add_message_id(m, resent);
	if (resent ? !seen->resent_date : !seen->date)
		add_date(m, resent ? "Resent-Date" : "Date");
	if (resent ? !seen->resent_from : !seen->from)
		add_from(m, resent ? "Resent-From" : "From");
	if (!seen->destination)
		add_undisclosed(m);
}
