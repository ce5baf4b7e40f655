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
	ROW(CONF_STRING, bind_address, "smtp_bind_address", "lmtp_bind_address"),
	ROW(CONF_STRING, bind_address6, "smtp_bind_address6", "lmtp_bind_address6"),
	ROW(CONF_BOOL, bind_address_enforce, "smtp_bind_address_enforce",
	    "lmtp_bind_address_enforce"),
	ROW(CONF_BOOL, randomize_addresses, "smtp_randomize_addresses",
	    "lmtp_randomize_addresses"),
	ROW(CONF_BOOL, balance_inet_protocols, "smtp_balance_inet_protocols",
	    "lmtp_balance_inet_protocols"),
	ROW(CONF_STRING, address_preference, "smtp_address_preference",
	    "lmtp_address_preference"),
	ROW(CONF_INT, mx_address_limit, "smtp_mx_address_limit", "lmtp_mx_address_limit"),
	ROW(CONF_INT, mx_session_limit, "smtp_mx_session_limit", "lmtp_mx_session_limit"),
	ROW(CONF_BOOL, defer_if_no_mx_address_found, "smtp_defer_if_no_mx_address_found",
	    "lmtp_defer_if_no_mx_address_found"),
	ROW(CONF_STRING, dns_support_level, "smtp_dns_support_level", "lmtp_dns_support_level"),
	ROW(CONF_STRING, host_lookup, "smtp_host_lookup", "lmtp_host_lookup"),
	ROW(CONF_STRING, fallback_relay, "smtp_fallback_relay", "lmtp_fallback_relay"),
	ROW(CONF_STRING, generic_maps, "smtp_generic_maps", "lmtp_generic_maps"),
	ROW(CONF_STRING, reply_filter, "smtp_reply_filter", "lmtp_reply_filter"),
	ROW(CONF_STRING, delivery_status_filter, "smtp_delivery_status_filter",
	    "lmtp_delivery_status_filter"),
	ROW(CONF_STRING, pix_workarounds, "smtp_pix_workarounds", "lmtp_pix_workarounds"),
	ROW(CONF_STRING, pix_workaround_maps, "smtp_pix_workaround_maps",
	    "lmtp_pix_workaround_maps"),
	ROW(CONF_TIME, pix_workaround_delay_time, "smtp_pix_workaround_delay_time",
	    "lmtp_pix_workaround_delay_time"),
	ROW(CONF_TIME, pix_workaround_threshold_time, "smtp_pix_workaround_threshold_time",
	    "lmtp_pix_workaround_threshold_time"),
	ROW(CONF_TIME, connect_timeout, "smtp_connect_timeout", "lmtp_connect_timeout"),
	ROW(CONF_TIME, helo_timeout, "smtp_helo_timeout", "lmtp_lhlo_timeout"),
	ROW(CONF_TIME, xforward_timeout, "smtp_xforward_timeout", "lmtp_xforward_timeout"),
	ROW(CONF_TIME, mail_timeout, "smtp_mail_timeout", "lmtp_mail_timeout"),
	ROW(CONF_TIME, rcpt_timeout, "smtp_rcpt_timeout", "lmtp_rcpt_timeout"),
	ROW(CONF_TIME, data_init_timeout, "smtp_data_init_timeout", "lmtp_data_init_timeout"),
	ROW(CONF_TIME, data_xfer_timeout, "smtp_data_xfer_timeout", "lmtp_data_xfer_timeout"),
	ROW(CONF_TIME, data_done_timeout, "smtp_data_done_timeout", "lmtp_data_done_timeout"),
	ROW(CONF_TIME, rset_timeout, "smtp_rset_timeout", "lmtp_rset_timeout"),
	ROW(CONF_TIME, quit_timeout, "smtp_quit_timeout", "lmtp_quit_timeout"),
	ROW(CONF_BOOL, per_request_deadline, "smtp_per_request_deadline",
	    "lmtp_per_request_deadline"),
	ROW(CONF_INT, min_data_rate, "smtp_min_data_rate", "lmtp_min_data_rate"),
	ROW(CONF_BOOL, connection_cache_on_demand, "smtp_connection_cache_on_demand",
	    "lmtp_connection_cache_on_demand"),
	ROW(CONF_STRING, connection_cache_destinations, "smtp_connection_cache_destinations",
	    "lmtp_connection_cache_destinations"),
	ROW(CONF_TIME, connection_cache_time_limit, "smtp_connection_cache_time_limit",
	    "lmtp_connection_cache_time_limit"),
	ROW(CONF_TIME, connection_reuse_time_limit, "smtp_connection_reuse_time_limit",
	    "lmtp_connection_reuse_time_limit"),
	ROW(CONF_INT, connection_reuse_count_limit, "smtp_connection_reuse_count_limit",
	    "lmtp_connection_reuse_count_limit"),
	ROW(CONF_BOOL, skip_5xx_greeting, "smtp_skip_5xx_greeting", "lmtp_skip_5xx_greeting"),
	ROW(CONF_BOOL, skip_quit_response, "smtp_skip_quit_response",
	    "lmtp_skip_quit_response"),
	ROW(CONF_BOOL, always_send_ehlo, "smtp_always_send_ehlo", NULL),
	ROW(CONF_BOOL, never_send_ehlo, "smtp_never_send_ehlo", NULL),
	ROW(CONF_STRING, discard_ehlo_keywords, "smtp_discard_ehlo_keywords",
	    "lmtp_discard_lhlo_keywords"),
	ROW(CONF_STRING, discard_ehlo_keyword_address_maps,
	    "smtp_discard_ehlo_keyword_address_maps", "lmtp_discard_lhlo_keyword_address_maps"),
	ROW(CONF_BOOL, chunking, "smtp_chunking", "lmtp_chunking"),
	ROW(CONF_BOOL, send_xforward_command, "smtp_send_xforward_command",
	    "lmtp_send_xforward_command"),
	ROW(CONF_BOOL, quote_rfc821_envelope, "smtp_quote_rfc821_envelope",
	    "lmtp_quote_rfc821_envelope"),
	ROW(CONF_INT, line_length_limit, "smtp_line_length_limit", "lmtp_line_length_limit"),
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
		const char *name = o->is_lmtp ? r->lmtp : r->smtp;
		const struct conf_parameter *p;

		if (!name)
			continue;
		p = conf_parameter_find(name);
		assert(p && p->type == r->type);
		memcpy((char *)o + r->field, (const char *)v + p->offset, value_size(r->type));
	}
}
