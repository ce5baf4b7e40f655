/* SPDX-License-Identifier: Apache-2.0 */
/* Restriction lists: what each list says of one and the same sender and recipient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "smtpd/restrictions.h"
#include "tests/unit/conf_text.h"

#define COMMON                                                                                 \
	"mydestination = local.example\nrelay_domains = relay.example\n"                       \
	"local_recipient_maps = inline:{u=x}\nmynetworks = 192.0.2.0/24\n"                     \
	"recipient_delimiter = +\n"

/* A session as it is at RCPT, without a connection. */
struct fixture {
	struct conf *conf;
	struct session s;
};

static void
fixture_open(struct fixture *f, const char *text, const char *client, const char *sender,
    const char *helo)
{
	char *all = mem_printf("%s%s", COMMON, text);
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct service_connection c = { .fd = -1 };

	memset(f, 0, sizeof(*f));
	f->conf = conf_of(all);
	mem_free(all);
	server_configure(f->conf);
	assert_int_equal(inet_pton(AF_INET, client, &sin.sin_addr), 1);
	memcpy(&c.peer, &sin, sizeof(sin));
	c.peer_length = sizeof(sin);
	peer_init(&f->s.peer, &c);
	f->s.helo = mem_strdup(helo);
	f->s.where = "RCPT";
	f->s.is_esmtp = true;
	f->s.transaction = transaction_new();
	f->s.transaction->sender = f->s.transaction->sender_full = view_of(sender);
}

static void
fixture_close(struct fixture *f)
{
	transaction_free(&f->s.transaction);
	arena_reset(&f->s.arena);
	peer_done(&f->s.peer);
	mem_free(f->s.helo);
	server_close();
	conf_free(&f->conf);
}

#define STRANGER "198.51.100.7"
#define FRIEND   "192.0.2.7"
#define OK       NULL

/* The reply to RCPT TO, or OK. */
static const struct {
	const char *text; /* of main.cf */
	const char *client;
	const char *recipient;
	const char *reply;
} rows[] = {
	/* The defaults. */
	{ "", STRANGER, "u@local.example", OK },
	{ "", STRANGER, "u+ext@local.example", OK },
	{ "", STRANGER, "z@local.example",
	    "550 5.1.1 <z@local.example>: Recipient address rejected: User unknown in local "
	    "recipient table" },
	{ "", STRANGER, "v@relay.example", OK },
	{ "", STRANGER, "v@else.example", "454 4.7.1 <v@else.example>: Relay access denied" },
	{ "", FRIEND, "v@else.example", OK },
	{ "", STRANGER, "v%else.example@relay.example",
	    "454 4.7.1 <v%else.example@relay.example>: Relay access denied" },
	{ "", FRIEND, "v%else.example@relay.example", OK },
	{ "allow_untrusted_routing = yes\n", STRANGER, "v%else.example@relay.example", OK },
	/* No bounce later: what the error transport would say, now. */
	{ "transport_maps = inline:{{v@relay.example=error:5.7.9 closed}}\n", STRANGER,
	    "v@relay.example",
	    "550 5.7.9 <v@relay.example>: Recipient address rejected: closed" },
	{ "transport_maps = inline:{{relay.example=retry:4.7.9 busy}}\n", STRANGER,
	    "v@relay.example",
	    "450 4.7.9 <v@relay.example>: Recipient address rejected: busy" },
	{ "transport_maps = inline:{{relay.example=error:4.7.9 not yet}}\n", STRANGER,
	    "v@relay.example",
	    "450 4.7.9 <v@relay.example>: Recipient address rejected: not yet" },
	{ "relocated_maps = inline:{{u=v@else.example}}\n", STRANGER, "u@local.example",
	    "550 5.1.6 <u@local.example>: Recipient address rejected: User has moved to "
	    "v@else.example" },
	{ "default_transport = error:no mail leaves\n", FRIEND, "v@else.example",
	    "550 5.1.1 <v@else.example>: Recipient address rejected: no mail leaves" },
	{ "", FRIEND, "v@192.0.2.9",
	    "550 5.1.3 <v@192.0.2.9>: Recipient address rejected: bad address syntax" },
	{ "transport_maps = fail:x\n", STRANGER, "v@relay.example",
	    "451 4.3.0 <v@relay.example>: Temporary lookup failure" },
	{ "virtual_alias_domains = va.example\nvirtual_alias_maps = inline:{a@va.example=u}\n",
	    STRANGER, "z@va.example",
	    "550 5.1.1 <z@va.example>: Recipient address rejected: User unknown in virtual "
	    "alias table" },
	{ "", STRANGER, "postmaster", OK },
	{ "", STRANGER, "POSTMASTER", OK },

	/* Who we are, in each way to say it. */
	{ "inet_interfaces = all\nsmtpd_relay_restrictions = permit_inet_interfaces, reject\n",
	    "127.0.0.1", "v@else.example", OK },
	{ "inet_interfaces = loopback-only\n"
	  "smtpd_relay_restrictions = permit_inet_interfaces, reject\n",
	    "127.0.0.1", "v@else.example", OK },
	{ "inet_interfaces = localhost\n"
	  "smtpd_relay_restrictions = permit_inet_interfaces, reject\n",
	    "127.0.0.1", "v@else.example", OK },
	{ "inet_interfaces = 198.51.100.1\n"
	  "smtpd_relay_restrictions = permit_inet_interfaces, reject\n",
	    STRANGER, "v@else.example",
	    "554 5.7.1 <v@else.example>: Recipient address rejected: Access denied" },

	/* The order of lists: relay first, and a permit ends only its list. */
	{ "smtpd_relay_restrictions = permit\nsmtpd_recipient_restrictions = reject\n",
	    STRANGER, "u@local.example",
	    "554 5.7.1 <u@local.example>: Recipient address rejected: Access denied" },
	{ "smtpd_relay_restrictions = defer\nsmtpd_recipient_restrictions = reject\n", STRANGER,
	    "u@local.example",
	    "450 4.3.2 <u@local.example>: Recipient address rejected: Try again later" },
	{ "smtpd_relay_restrictions = defer\nsmtpd_recipient_restrictions = reject\n"
	  "smtpd_relay_before_recipient_restrictions = no\n",
	    STRANGER, "u@local.example",
	    "554 5.7.1 <u@local.example>: Recipient address rejected: Access denied" },
	{ "smtpd_recipient_restrictions = permit, reject\n", STRANGER, "u@local.example", OK },
	{ "smtpd_recipient_restrictions = permit\n", STRANGER, "z@local.example",
	    "550 5.1.1 <z@local.example>: Recipient address rejected: User unknown in local "
	    "recipient table" },
	{ "smtpd_client_restrictions = permit\nsmtpd_helo_restrictions = reject\n", STRANGER,
	    "u@local.example",
	    "554 5.7.1 <helo.example>: Helo command rejected: Access denied" },

	/* warn_if_reject, defer_if_permit, defer_if_reject. */
	{ "smtpd_recipient_restrictions = warn_if_reject reject\n", STRANGER, "u@local.example",
	    OK },
	{ "smtpd_recipient_restrictions = warn_if_reject reject, reject\n", STRANGER,
	    "u@local.example",
	    "554 5.7.1 <u@local.example>: Recipient address rejected: Access denied" },
	{ "smtpd_recipient_restrictions = warn_if_reject defer_if_permit\n", STRANGER,
	    "u@local.example", OK },
	{ "smtpd_recipient_restrictions = warn_if_reject check_recipient_access "
	  "inline:{{u@local.example=DEFER_IF_PERMIT x}}\n",
	    STRANGER, "u@local.example", OK },
	{ "smtpd_recipient_restrictions = reject_unlisted_recipient, warn_if_reject\n",
	    STRANGER, "u@local.example", OK },
	{ "smtpd_sender_restrictions = defer_if_permit\n", STRANGER, "u@local.example",
	    "450 4.7.0 <s@sender.example>: Sender address rejected: defer_if_permit "
	    "requested" },
	{ "smtpd_sender_restrictions = defer_if_permit\n", STRANGER, "v@else.example",
	    "454 4.7.1 <v@else.example>: Relay access denied" },
	{ "smtpd_sender_restrictions = defer_if_reject, reject\n", STRANGER, "u@local.example",
	    "450 4.7.0 <s@sender.example>: Sender address rejected: defer_if_reject "
	    "requested" },
	{ "smtpd_relay_restrictions = defer_if_reject\n"
	  "smtpd_recipient_restrictions = reject_unauth_destination\n",
	    STRANGER, "v@else.example",
	    "450 4.7.0 <v@else.example>: Recipient address rejected: defer_if_reject "
	    "requested" },
	/* It ends with its stage. */
	{ "smtpd_sender_restrictions = defer_if_reject\n"
	  "smtpd_relay_restrictions = reject_unauth_destination\n",
	    STRANGER, "v@else.example", "554 5.7.1 <v@else.example>: Relay access denied" },
	{ "smtpd_client_restrictions = defer_if_reject\nsmtpd_helo_restrictions = reject\n",
	    STRANGER, "u@local.example",
	    "554 5.7.1 <helo.example>: Helo command rejected: Access denied" },
	/* Who is asked to wait learns nothing about our users. */
	{ "smtpd_recipient_restrictions = defer_if_permit\n", STRANGER, "z@local.example",
	    "450 4.7.0 <z@local.example>: Recipient address rejected: defer_if_permit "
	    "requested" },

	/* Reply codes that are none, and that fit badly. */
	{ "smtpd_recipient_restrictions = reject\nreject_code = 250\n", STRANGER,
	    "u@local.example", "450 4.7.1 Service unavailable" },
	{ "relay_domains_reject_code = 454\n"
	  "smtpd_relay_restrictions = defer_unauth_destination\n",
	    STRANGER, "v@else.example", "454 4.7.1 <v@else.example>: Relay access denied" },
	{ "smtpd_recipient_restrictions = reject\nreject_code = 450\n", STRANGER,
	    "u@local.example",
	    "450 4.7.1 <u@local.example>: Recipient address rejected: Access denied" },
	{ "smtpd_recipient_restrictions = defer\ndefer_code = 550\n", STRANGER,
	    "u@local.example",
	    "550 5.3.2 <u@local.example>: Recipient address rejected: Try again later" },
	{ "smtpd_sender_restrictions = defer_if_reject\n", STRANGER, "u@local.example", OK },

	/* Never a permit: unknown names, names that are not built, tables that cannot tell. */
	{ "smtpd_recipient_restrictions = no_such_name, permit\n", STRANGER, "u@local.example",
	    "451 4.3.5 Server configuration error" },
	{ "smtpd_recipient_restrictions = check_policy_service unix:x, permit\n", STRANGER,
	    "u@local.example", "451 4.3.5 Server configuration error" },
	{ "smtpd_recipient_restrictions = permit_mx_backup\n", STRANGER, "u@local.example",
	    "451 4.3.5 Server configuration error" },
	{ "smtpd_client_restrictions = permit_dnswl_client x.example\n", STRANGER,
	    "u@local.example", "451 4.3.5 Server configuration error" },
	{ "smtpd_recipient_restrictions = check_sender_access\n", STRANGER, "u@local.example",
	    "451 4.3.5 Server configuration error" },
	{ "smtpd_recipient_restrictions = sleep x\n", STRANGER, "u@local.example",
	    "451 4.3.5 Server configuration error" },
	{ "smtpd_client_restrictions = check_client_access fail:x\n", STRANGER,
	    "u@local.example", "451 4.3.0 <unknown[198.51.100.7]>: Temporary lookup failure" },
	{ "local_recipient_maps = fail:x\n", STRANGER, "u@local.example",
	    "451 4.3.0 <u@local.example>: Temporary lookup failure" },
	{ "mynetworks = fail:x\n", FRIEND, "v@else.example",
	    "451 4.3.0 <v@else.example>: Temporary lookup failure" },
	{ "mynetworks = 192.0.2.0/24, 192.0.2.1/8\n"
	  "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n",
	    FRIEND, "v@else.example", "451 4.3.0 <v@else.example>: Temporary lookup failure" },
	{ "mynetworks = fail:x\nsmtpd_client_restrictions = permit_mynetworks, reject\n",
	    FRIEND, "u@local.example",
	    "451 4.3.0 <unknown[192.0.2.7]>: Temporary lookup failure" },
	{ "relay_domains = fail:x\n", STRANGER, "v@else.example",
	    "451 4.3.0 <v@else.example>: Temporary lookup failure" },

	/* Tables without a name, classes, nesting. */
	{ "smtpd_client_restrictions = inline:{{198.51=REJECT far}}\n", STRANGER,
	    "u@local.example", "554 5.7.1 <unknown[198.51.100.7]>: Client host rejected: far" },
	{ "smtpd_sender_restrictions = inline:{{sender.example=550 5.1.8 no}}\n", STRANGER,
	    "u@local.example", "550 5.1.8 <s@sender.example>: Sender address rejected: no" },
	{ "smtpd_data_restrictions = inline:{x=y}\n", STRANGER, "u@local.example", OK },
	{ "smtpd_restriction_classes = a b\na = b\nb = reject\n"
	  "smtpd_sender_restrictions = inline:{s@sender.example=a}\n",
	    STRANGER, "u@local.example",
	    "554 5.7.1 <s@sender.example>: Sender address rejected: Access denied" },
	{ "smtpd_restriction_classes = a b\na = b\nb = a\nsmtpd_sender_restrictions = a\n",
	    STRANGER, "u@local.example", "451 4.3.5 Server configuration error" },
	{ "smtpd_sender_restrictions = inline:{{sender.example=permit, reject}} reject\n",
	    STRANGER, "u@local.example", OK },
};

static void
replies_to_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view recipient = view_of(rows[i].recipient);
		struct fixture f;
		const char *got;

		fixture_open(
		    &f, rows[i].text, rows[i].client, "s@sender.example", "helo.example");
		got = access_rcpt(&f.s, recipient, recipient);
		if ((got == NULL) != (rows[i].reply == OK) ||
		    (got && !view_eq(view_of(got), view_of(rows[i].reply))))
			fail_msg("row %zu: %s: %s", i, rows[i].recipient, got ? got : "OK");
		fixture_close(&f);
	}
}

static void
a_list_that_stops_nobody_is_known(void **state)
{
	static const struct {
		const char *list;
		bool guards;
	} lists[] = { { "", false }, { "permit", false }, { "permit_mynetworks", false },
		{ "reject_unauth_destination", true }, { "defer_unauth_destination", true },
		{ "permit_mynetworks, reject", true }, { "defer", true },
		{ "defer_if_permit", true }, { "warn_if_reject reject", false },
		{ "warn_if_reject permit_mynetworks, defer", true },
		{ "check_sender_access inline:{reject=x}", false }, { "REJECT", true },
		{ "permit, reject", false }, { "warn_if_reject permit, reject", false },
		{ "in_class", true }, { "warn_if_reject in_class", false },
		{ "warn_if_reject in_class, defer", true }, { "all", false },
		{ "all, reject_unauth_destination", false }, { "nested, reject", false },
		{ "looped, reject", true } };
	struct fixture f;

	(void)state;
	fixture_open(&f,
	    "smtpd_restriction_classes = in_class all nested looped\n"
	    "in_class = permit_mynetworks, reject\nall = permit\n"
	    "nested = permit_mynetworks, all\nlooped = looped\n",
	    STRANGER, "", "h");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct restriction_list *l = restriction_list_new(view_of(lists[i].list), true);

		if (restriction_list_guards(l) != lists[i].guards)
			fail_msg("%s", lists[i].list);
		restriction_list_free(&l);
	}
	fixture_close(&f);
}

static void
hold_is_no_refusal(void **state)
{
	struct view recipient = VIEW("u@local.example");
	struct fixture f;

	(void)state;
	fixture_open(&f,
	    "smtpd_recipient_restrictions = warn_if_reject check_recipient_access "
	    "inline:{{u@local.example=HOLD}}\n",
	    STRANGER, "s@sender.example", "helo.example");
	assert_null(access_rcpt(&f.s, recipient, recipient));
	assert_true(f.s.transaction->hold);
	fixture_close(&f);
}

static void
vrfy_decides_about_no_message(void **state)
{
	struct view recipient = VIEW("u@local.example");
	struct fixture f;

	(void)state;
	fixture_open(&f,
	    "smtpd_recipient_restrictions = check_recipient_access "
	    "inline:{{u@local.example=HOLD}}, check_recipient_access "
	    "inline:{{u@local.example=DISCARD}}\n",
	    STRANGER, "s@sender.example", "helo.example");
	assert_null(access_vrfy(&f.s, recipient, recipient));
	assert_false(f.s.transaction->hold || f.s.transaction->discard);
	transaction_free(&f.s.transaction);
	assert_null(access_vrfy(&f.s, recipient, recipient));
	fixture_close(&f);
}

static void
every_name_is_refused_or_built(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", STRANGER, "s@sender.example", "helo.example");
	for (size_t i = 0; i < restriction_kind_count; i++) {
		struct evaluation e = { .s = &f.s, .where = "RCPT", .list = LIST_RECIPIENT };
		char *text = mem_printf("%s x", restriction_kinds[i].name);
		struct restriction_list *l;

		e.has_recipient = true;
		e.given = e.recipient = VIEW("v@else.example");
		if (restriction_kinds[i].handler) {
			mem_free(text);
			continue;
		}
		l = restriction_list_new(view_of(text), false);
		assert_int_equal(restriction_list_run(&e, l), RESTRICTION_DEFER);
		assert_string_equal(e.reply, "451 4.3.5 Server configuration error");
		restriction_list_free(&l);
		mem_free(text);
	}
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_to_rcpt),
		cmocka_unit_test(a_list_that_stops_nobody_is_known),
		cmocka_unit_test(hold_is_no_refusal),
		cmocka_unit_test(vrfy_decides_about_no_message),
		cmocka_unit_test(every_name_is_refused_or_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
