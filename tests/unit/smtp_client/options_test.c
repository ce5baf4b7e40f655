/* SPDX-License-Identifier: Apache-2.0 */
/* The same program reads smtp_... or lmtp_... parameters, by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/number.h"
#include "smtp/options.h"

#define FIELD(f) offsetof(struct client_options, f)

static const struct {
	const char *smtp, *lmtp;
	enum conf_type type;
	size_t field;
} rows[] = {
	{ "smtp_helo_name", "lmtp_lhlo_name", CONF_STRING, FIELD(helo_name) },
	{ "smtp_tcp_port", "lmtp_tcp_port", CONF_STRING, FIELD(tcp_port) },
	{ "smtp_bind_address", "lmtp_bind_address", CONF_STRING, FIELD(bind_address) },
	{ "smtp_bind_address6", "lmtp_bind_address6", CONF_STRING, FIELD(bind_address6) },
	{ "smtp_bind_address_enforce", "lmtp_bind_address_enforce", CONF_BOOL,
	    FIELD(bind_address_enforce) },
	{ "smtp_randomize_addresses", "lmtp_randomize_addresses", CONF_BOOL,
	    FIELD(randomize_addresses) },
	{ "smtp_balance_inet_protocols", "lmtp_balance_inet_protocols", CONF_BOOL,
	    FIELD(balance_inet_protocols) },
	{ "smtp_address_preference", "lmtp_address_preference", CONF_STRING,
	    FIELD(address_preference) },
	{ "smtp_mx_address_limit", "lmtp_mx_address_limit", CONF_INT, FIELD(mx_address_limit) },
	{ "smtp_mx_session_limit", "lmtp_mx_session_limit", CONF_INT, FIELD(mx_session_limit) },
	{ "smtp_defer_if_no_mx_address_found", "lmtp_defer_if_no_mx_address_found", CONF_BOOL,
	    FIELD(defer_if_no_mx_address_found) },
	{ "smtp_dns_support_level", "lmtp_dns_support_level", CONF_STRING,
	    FIELD(dns_support_level) },
	{ "smtp_host_lookup", "lmtp_host_lookup", CONF_STRING, FIELD(host_lookup) },
	{ "smtp_fallback_relay", "lmtp_fallback_relay", CONF_STRING, FIELD(fallback_relay) },
	{ "smtp_generic_maps", "lmtp_generic_maps", CONF_STRING, FIELD(generic_maps) },
	{ "smtp_reply_filter", "lmtp_reply_filter", CONF_STRING, FIELD(reply_filter) },
	{ "smtp_delivery_status_filter", "lmtp_delivery_status_filter", CONF_STRING,
	    FIELD(delivery_status_filter) },
	{ "smtp_pix_workarounds", "lmtp_pix_workarounds", CONF_STRING, FIELD(pix_workarounds) },
	{ "smtp_pix_workaround_maps", "lmtp_pix_workaround_maps", CONF_STRING,
	    FIELD(pix_workaround_maps) },
	{ "smtp_pix_workaround_delay_time", "lmtp_pix_workaround_delay_time", CONF_TIME,
	    FIELD(pix_workaround_delay_time) },
	{ "smtp_pix_workaround_threshold_time", "lmtp_pix_workaround_threshold_time", CONF_TIME,
	    FIELD(pix_workaround_threshold_time) },
	{ "smtp_connect_timeout", "lmtp_connect_timeout", CONF_TIME, FIELD(connect_timeout) },
	{ "smtp_helo_timeout", "lmtp_lhlo_timeout", CONF_TIME, FIELD(helo_timeout) },
	{ "smtp_xforward_timeout", "lmtp_xforward_timeout", CONF_TIME,
	    FIELD(xforward_timeout) },
	{ "smtp_mail_timeout", "lmtp_mail_timeout", CONF_TIME, FIELD(mail_timeout) },
	{ "smtp_rcpt_timeout", "lmtp_rcpt_timeout", CONF_TIME, FIELD(rcpt_timeout) },
	{ "smtp_data_init_timeout", "lmtp_data_init_timeout", CONF_TIME,
	    FIELD(data_init_timeout) },
	{ "smtp_data_xfer_timeout", "lmtp_data_xfer_timeout", CONF_TIME,
	    FIELD(data_xfer_timeout) },
	{ "smtp_data_done_timeout", "lmtp_data_done_timeout", CONF_TIME,
	    FIELD(data_done_timeout) },
	{ "smtp_rset_timeout", "lmtp_rset_timeout", CONF_TIME, FIELD(rset_timeout) },
	{ "smtp_quit_timeout", "lmtp_quit_timeout", CONF_TIME, FIELD(quit_timeout) },
	{ "smtp_per_request_deadline", "lmtp_per_request_deadline", CONF_BOOL,
	    FIELD(per_request_deadline) },
	{ "smtp_min_data_rate", "lmtp_min_data_rate", CONF_INT, FIELD(min_data_rate) },
	{ "smtp_connection_cache_on_demand", "lmtp_connection_cache_on_demand", CONF_BOOL,
	    FIELD(connection_cache_on_demand) },
	{ "smtp_connection_cache_destinations", "lmtp_connection_cache_destinations",
	    CONF_STRING, FIELD(connection_cache_destinations) },
	{ "smtp_connection_cache_time_limit", "lmtp_connection_cache_time_limit", CONF_TIME,
	    FIELD(connection_cache_time_limit) },
	{ "smtp_connection_reuse_time_limit", "lmtp_connection_reuse_time_limit", CONF_TIME,
	    FIELD(connection_reuse_time_limit) },
	{ "smtp_connection_reuse_count_limit", "lmtp_connection_reuse_count_limit", CONF_INT,
	    FIELD(connection_reuse_count_limit) },
	{ "smtp_skip_5xx_greeting", "lmtp_skip_5xx_greeting", CONF_BOOL,
	    FIELD(skip_5xx_greeting) },
	{ "smtp_skip_quit_response", "lmtp_skip_quit_response", CONF_BOOL,
	    FIELD(skip_quit_response) },
	{ "smtp_always_send_ehlo", NULL, CONF_BOOL, FIELD(always_send_ehlo) },
	{ "smtp_never_send_ehlo", NULL, CONF_BOOL, FIELD(never_send_ehlo) },
	{ "smtp_discard_ehlo_keywords", "lmtp_discard_lhlo_keywords", CONF_STRING,
	    FIELD(discard_ehlo_keywords) },
	{ "smtp_discard_ehlo_keyword_address_maps", "lmtp_discard_lhlo_keyword_address_maps",
	    CONF_STRING, FIELD(discard_ehlo_keyword_address_maps) },
	{ "smtp_chunking", "lmtp_chunking", CONF_BOOL, FIELD(chunking) },
	{ "smtp_send_xforward_command", "lmtp_send_xforward_command", CONF_BOOL,
	    FIELD(send_xforward_command) },
	{ "smtp_quote_rfc821_envelope", "lmtp_quote_rfc821_envelope", CONF_BOOL,
	    FIELD(quote_rfc821_envelope) },
	{ "smtp_line_length_limit", "lmtp_line_length_limit", CONF_INT,
	    FIELD(line_length_limit) },
};

/* A value for the row that the other name does not have. */
static void
value_print(struct buf *out, size_t i, bool is_lmtp)
{
	if (rows[i].type == CONF_BOOL)
		buf_append_str(out, is_lmtp ? "yes" : "no");
	else
		buf_printf(
		    out, "%zu%s", 100 + 2 * i + is_lmtp, rows[i].type == CONF_TIME ? "s" : "");
}

static void
check(const struct client_options *o, size_t i, bool is_lmtp)
{
	const char *at = (const char *)o + rows[i].field;
	size_t number = 100 + 2 * i + is_lmtp;
	const char *text;
	nanoseconds span;
	uint64_t parsed;
	bool flag;
	int value;

	switch (rows[i].type) {
	case CONF_BOOL:
		memcpy(&flag, at, sizeof(flag));
		assert_int_equal(flag, is_lmtp);
		break;
	case CONF_TIME:
		memcpy(&span, at, sizeof(span));
		assert_true(span == (nanoseconds)number * SECOND);
		break;
	case CONF_INT:
		memcpy(&value, at, sizeof(value));
		assert_int_equal(value, number);
		break;
	default:
		memcpy(&text, at, sizeof(text));
		assert_true(number_parse(view_of(text), UINT32_MAX, &parsed));
		assert_int_equal(parsed, number);
	}
}

static void
by_name(void **state)
{
	struct buf text = BUF_INIT(100000);
	char *why = NULL;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int is_lmtp = 0; is_lmtp < 2; is_lmtp++) {
			if (is_lmtp && !rows[i].lmtp)
				continue;
			buf_printf(&text, "%s = ", is_lmtp ? rows[i].lmtp : rows[i].smtp);
			value_print(&text, i, is_lmtp);
			buf_append_char(&text, '\n');
		}
	c = conf_open_text("test", buf_view(&text), true, &why);
	assert_non_null(c);
	assert_true(conf_evaluate(c, &why));
	for (int is_lmtp = 0; is_lmtp < 2; is_lmtp++) {
		struct client_options o;

		client_options_read(
		    &o, conf_values_of(c), is_lmtp ? VIEW("lmtp") : VIEW("smtp"));
		assert_int_equal(o.is_lmtp, is_lmtp);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (!is_lmtp || rows[i].lmtp)
				check(&o, i, is_lmtp);
	}
	conf_free(&c);
	buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
