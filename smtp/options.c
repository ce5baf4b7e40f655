/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row a parameter: the field, and the parameter's name in either program. The rows of
 * parameters.def say of what type it is and where its value stands.
 */
#include "smtp/options.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

struct row {
	enum conf_type type;
	size_t field;
	const char *smtp, *lmtp;
};

#define ROW(type, field, smtp_name, lmtp_name)                                                 \
	{                                                                                      \
		type, offsetof(struct client_options, field), smtp_name, lmtp_name             \
	}

static const struct row rows[] = {
	ROW(CONF_STRING, helo_name, "smtp_helo_name", "lmtp_lhlo_name"),
	ROW(CONF_STRING, tcp_port, "smtp_tcp_port", "lmtp_tcp_port"),
	ROW(CONF_TIME, connect_timeout, "smtp_connect_timeout", "lmtp_connect_timeout"),
	ROW(CONF_TIME, helo_timeout, "smtp_helo_timeout", "lmtp_lhlo_timeout"),
	ROW(CONF_TIME, mail_timeout, "smtp_mail_timeout", "lmtp_mail_timeout"),
	ROW(CONF_TIME, rcpt_timeout, "smtp_rcpt_timeout", "lmtp_rcpt_timeout"),
	ROW(CONF_TIME, data_init_timeout, "smtp_data_init_timeout", "lmtp_data_init_timeout"),
	ROW(CONF_TIME, data_xfer_timeout, "smtp_data_xfer_timeout", "lmtp_data_xfer_timeout"),
	ROW(CONF_TIME, data_done_timeout, "smtp_data_done_timeout", "lmtp_data_done_timeout"),
	ROW(CONF_TIME, rset_timeout, "smtp_rset_timeout", "lmtp_rset_timeout"),
	ROW(CONF_TIME, quit_timeout, "smtp_quit_timeout", "lmtp_quit_timeout"),
	ROW(CONF_BOOL, connection_cache_on_demand, "smtp_connection_cache_on_demand",
	    "lmtp_connection_cache_on_demand"),
	ROW(CONF_TIME, connection_cache_time_limit, "smtp_connection_cache_time_limit",
	    "lmtp_connection_cache_time_limit"),
	ROW(CONF_TIME, connection_reuse_time_limit, "smtp_connection_reuse_time_limit",
	    "lmtp_connection_reuse_time_limit"),
	ROW(CONF_INT, connection_reuse_count_limit, "smtp_connection_reuse_count_limit",
	    "lmtp_connection_reuse_count_limit"),
};

static size_t
value_size(enum conf_type type)
{
	switch (type) {
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_INT:
		return sizeof(int);
	case CONF_LONG:
		return sizeof(long long);
	case CONF_TIME:
		return sizeof(nanoseconds);
	default:
		return sizeof(const char *);
	}
}

void
client_options_read(struct client_options *o, const struct conf_values *v, struct view program)
{
	*o = (struct client_options){ .is_lmtp = view_eq(program, VIEW("lmtp")) };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		const struct conf_parameter *p =
		    conf_parameter_find(o->is_lmtp ? r->lmtp : r->smtp);

		assert(p && p->type == r->type);
		memcpy((char *)o + r->field, (const char *)v + p->offset, value_size(r->type));
	}
}
