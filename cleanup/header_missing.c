/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields RFC 5322 3.6 asks for. Mail from our own users gets what it lacks; mail from
 * strangers keeps its gaps unless always_add_missing_headers says otherwise: a signature over
 * the header would break.
 */
#include <string.h>

#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/trace.h"
#include "route/route.h"

static void
add_message_id(struct message *m, const char *name)
{
	struct buf id = BUF_INIT(1000);

	message_id_print(&id, queue_writer_arrival(m->writer),
	    view_of(queue_writer_id(m->writer)), view_of(cleanup.conf->myhostname));
	header_build(&m->out, name, buf_view(&id));
	m->message_id = arena_view(&m->arena, buf_view(&id));
	buf_done(&id);
}

static void
add_date(struct message *m, const char *name)
{
	char date[DATE_SIZE];

	date_print(queue_writer_arrival(m->writer), date);
	header_build(&m->out, name, view_of(date));
}

/* A display name is quoted unless all of it is atoms and blanks. */
static void
print_full_name(struct buf *out, struct view name)
{
	bool plain = true;

	for (size_t i = 0; i < name.n; i++)
		plain = plain &&
		    (char_is_alnum(name.p[i]) || name.p[i] == ' ' ||
			(unsigned char)name.p[i] > 127);
	if (plain) {
		buf_append_view(out, name);
		return;
	}
	buf_append_char(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, name.p[i]);
	}
	buf_append_char(out, '"');
}

static void
add_from(struct message *m, const char *name)
{
	const struct conf_values *v = cleanup.conf;
	struct buf value = BUF_INIT(4000), address = BUF_INIT(ADDRESS_MAX);
	struct view full_name = m->facts.full_name;

	if (m->facts.sender.n)
		route_standard_form(v, m->facts.sender, &address);
	else
		buf_printf(&address, "MAILER-DAEMON@%s", v->myorigin);
	if (full_name.n && strcmp(v->header_from_format, "obsolete") == 0) {
		address_quote(&value, buf_view(&address));
		buf_printf(&value, " (%.*s)", VIEW_ARG(full_name));
	} else if (full_name.n) {
		print_full_name(&value, full_name);
		buf_append_str(&value, " <");
		address_quote(&value, buf_view(&address));
		buf_append_char(&value, '>');
	} else {
		address_quote(&value, buf_view(&address));
	}
	header_build(&m->out, name, buf_view(&value));
	buf_done(&address);
	buf_done(&value);
}

/* Unparsed text of main.cf "Name: value": taken only when it is one field. */
static void
add_undisclosed(struct message *m)
{
	struct view text = view_of(cleanup.conf->undisclosed_recipients_header), name;

	if (!text.n || !header_line_is_field(text, &name))
		return;
	buf_append_view(&m->out, text);
	buf_append_str(&m->out, "\r\n");
}

void
header_add_missing(struct message *m, const struct header_seen *seen)
{
	bool resent = seen->is_resent;

	if (!m->facts.keep_missing_headers || cleanup.conf->always_add_missing_headers) {
		if (resent ? !seen->resent_message_id : !seen->message_id)
			add_message_id(m, resent ? "Resent-Message-Id" : "Message-Id");
		if (resent ? !seen->resent_date : !seen->date)
			add_date(m, resent ? "Resent-Date" : "Date");
		if (resent ? !seen->resent_from : !seen->from)
			add_from(m, resent ? "Resent-From" : "From");
	}
	if (!resent && !seen->destination)
		add_undisclosed(m);
}
