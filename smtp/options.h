/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameters of this program: smtp_... ones, or their lmtp_... copies when it runs under
 * the name lmtp. Nothing else looks at either.
 */
#ifndef SMTP_OPTIONS_H
#define SMTP_OPTIONS_H

#include <stdbool.h>

#include "base/clock.h"
#include "conf/conf.h"

struct client_options {
	bool is_lmtp;
	const char *helo_name;
	const char *tcp_port;
	const char *bind_address, *bind_address6;
	bool bind_address_enforce;

	const char *address_preference; /* any, ipv4, ipv6 */
	bool randomize_addresses, balance_inet_protocols;
	int mx_address_limit, mx_session_limit; /* 0: none */
	bool defer_if_no_mx_address_found;
	const char *dns_support_level, *host_lookup, *fallback_relay;

	nanoseconds connect_timeout, helo_timeout, xforward_timeout, mail_timeout, rcpt_timeout;
	nanoseconds data_init_timeout, data_xfer_timeout, data_done_timeout;
	nanoseconds rset_timeout, quit_timeout;
	bool per_request_deadline;
	int min_data_rate;

	bool connection_cache_on_demand;
	const char *connection_cache_destinations;
	nanoseconds connection_cache_time_limit, connection_reuse_time_limit;
	int connection_reuse_count_limit;

	bool skip_5xx_greeting, skip_quit_response;
	bool always_send_ehlo, never_send_ehlo; /* smtp alone */
	const char *discard_ehlo_keywords, *discard_ehlo_keyword_address_maps;
	bool chunking, send_xforward_command, quote_rfc821_envelope;
	int line_length_limit;

	const char *generic_maps;
	const char *reply_filter, *delivery_status_filter;
	const char *pix_workarounds, *pix_workaround_maps;
	nanoseconds pix_workaround_delay_time, pix_workaround_threshold_time;
};

/* Fields from the values, by the program's name: "lmtp" or any other. */
void client_options_read(
    struct client_options *o, const struct conf_values *v, struct view program);

#endif
