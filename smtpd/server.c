/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all sessions share: read from main.cf and opened before the jail. A configuration that
 * would make an open relay stops the program here.
 */
#include <fcntl.h>

#include "base/file.h"
#include "base/log.h"
#include "conf/own_address.h"
#include "smtpd/counting.h"
#include "smtpd/restrictions.h"

#define HOSTS_FILE        "/etc/hosts"
#define HOSTS_FILE_MAX    (1024 * 1024)
#define CLEANUP_IDLE_MAX  100 /* kept connections */
#define QMGR_IDLE_MAX     2
#define RESOLVER_IDLE_MAX 100
#define SEPARATORS        ", \t\r\n"

struct server server;

/* ---- restriction lists ---- */

static void
class_open(struct view name)
{
	struct restriction_list *l = hash_find(server.classes, name), *compiled;
	char *parameter = mem_dup(name.p, name.n), *why = NULL;
	const char *text = conf_text(server.conf, parameter, NULL);
	struct buf expanded = BUF_INIT(CONF_VALUE_MAX);

	if (!text)
		log_fatal("restriction class %s has no value", parameter);
	if (!conf_expand(server.conf, view_of(text), &expanded, &why))
		log_fatal("restriction class %s: %s", parameter, why);
	compiled = restriction_list_new(buf_view(&expanded), true);
	*l = *compiled;
	mem_free(compiled);
	buf_done(&expanded);
	mem_free(parameter);
}

/* All names first, so that a class may name one that comes later. */
static void
classes_open(void)
{
	struct view rest = view_of(server.v->smtpd_restriction_classes), word;

	server.classes = hash_new();
	while (view_next_word(&rest, SEPARATORS, &word))
		if (!hash_find(server.classes, word))
			hash_put(server.classes, word, NEW(struct restriction_list));
	rest = view_of(server.v->smtpd_restriction_classes);
	while (view_next_word(&rest, SEPARATORS, &word))
		if (((struct restriction_list *)hash_find(server.classes, word))->count == 0)
			class_open(word);
}

static void
lists_open(void)
{
	const struct conf_values *v = server.v;
	const char *texts[LIST_COUNT] = {
		[LIST_CLIENT] = v->smtpd_client_restrictions,
		[LIST_HELO] = v->smtpd_helo_restrictions,
		[LIST_SENDER] = v->smtpd_sender_restrictions,
		[LIST_RELAY] = v->smtpd_relay_restrictions,
		[LIST_RECIPIENT] = v->smtpd_recipient_restrictions,
		[LIST_DATA] = v->smtpd_data_restrictions,
		[LIST_END_OF_DATA] = v->smtpd_end_of_data_restrictions,
		[LIST_ETRN] = v->smtpd_etrn_restrictions,
	};

	server.access_tables = hash_new();
	classes_open();
	for (int i = 0; i < LIST_COUNT; i++)
		server.lists[i] = restriction_list_new(view_of(texts[i]), true);
	if (service_is_stand_alone() || restriction_list_guards(server.lists[LIST_RELAY]) ||
	    restriction_list_guards(server.lists[LIST_RECIPIENT]))
		return;
	log_fatal("in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, "
		  "specify at least one working instance of: reject_unauth_destination, "
		  "defer_unauth_destination, reject, defer or defer_if_permit");
}

/* ---- addresses ---- */

static void
own_addresses_open(void)
{
	static char present;
	struct own_address *list = NULL;
	size_t n = own_addresses(server.v->inet_interfaces, server.v->inet_protocols, &list);

	server.own_addresses = hash_new();
	for (size_t i = 0; i < n; i++)
		hash_put(server.own_addresses,
		    (struct view){ (const char *)list[i].address, sizeof(list[i].address) },
		    &present);
	mem_free(list);
}

static void
hosts_open(void)
{
	struct buf text = BUF_INIT(HOSTS_FILE_MAX);

	if (!file_read_at(AT_FDCWD, HOSTS_FILE, &text))
		buf_clear(&text); /* then all clients are "unknown" */
	peer_open_hosts(&server.hosts, buf_view(&text));
	buf_done(&text);
}

/* ---- the rest ---- */

static void
bare_newline_open(void)
{
	static const struct {
		const char *text;
		enum bare_newline value;
	} rows[] = { { "no", BARE_NO }, { "yes", BARE_NORMALIZE },
		{ "normalize", BARE_NORMALIZE }, { "note", BARE_NOTE },
		{ "reject", BARE_REJECT } };
	struct view text = view_of(server.v->smtpd_forbid_bare_newline);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!view_eq_nocase(text, view_of(rows[i].text)))
			continue;
		server.bare_newline = rows[i].value;
		return;
	}
	log_fatal("bad configuration: smtpd_forbid_bare_newline = %s",
	    server.v->smtpd_forbid_bare_newline);
}

/* local_header_rewrite_clients: a few names and tables. */
static void
header_clients_open(void)
{
	struct view rest = view_of(server.v->local_header_rewrite_clients), word;
	struct buf tables = BUF_INIT(CONF_VALUE_MAX);

	while (view_next_braced(&rest, SEPARATORS, &word)) {
		if (view_eq_nocase(word, VIEW("permit_inet_interfaces")))
			server.headers_for_own = true;
		else if (view_eq_nocase(word, VIEW("permit_mynetworks")))
			server.headers_for_mynetworks = true;
		else if (view_find(word, ':') < word.n)
			buf_printf(&tables, "%.*s ", VIEW_ARG(word));
		else if (!view_eq_nocase(word, VIEW("check_address_map")) &&
		    !view_has_prefix_nocase(word, VIEW("permit_")))
			log_warn(
			    "local_header_rewrite_clients: unknown \"%.*s\"", VIEW_ARG(word));
	}
	if (tables.len)
		server.headers_for_tables = table_list_open(buf_str(&tables), server.conf);
	buf_done(&tables);
}

static void
tempfail_actions_check(void)
{
	const char *const rows[][2] = {
		{ "reject_tempfail_action", server.v->reject_tempfail_action },
		{ "unknown_address_tempfail_action",
		    server.v->unknown_address_tempfail_action },
		{ "unknown_helo_hostname_tempfail_action",
		    server.v->unknown_helo_hostname_tempfail_action },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i][1], "defer") != 0 &&
		    strcmp(rows[i][1], "defer_if_permit") != 0)
			log_fatal(
			    "bad configuration: %s = %s: expected defer_if_permit or defer",
			    rows[i][0], rows[i][1]);
}

void
server_configure(const struct conf *c)
{
	const struct conf_values *v = conf_values_of(c);

	server = (struct server){ .conf = c, .v = v };
	server.clients = hash_new();
	server.router = router_open(server.conf);
	server.mynetworks = match_list_open("mynetworks", v->mynetworks, server.conf);
	server.event_exceptions = match_list_open("smtpd_client_event_limit_exceptions",
	    v->smtpd_client_event_limit_exceptions, server.conf);
	server.notify_classes = trouble_classes(view_of(v->notify_classes));
	server.verp_clients = match_list_open(
	    "smtpd_authorized_verp_clients", v->smtpd_authorized_verp_clients, server.conf);
	server.bare_newline_exclusions = match_list_open("smtpd_forbid_bare_newline_exclusions",
	    v->smtpd_forbid_bare_newline_exclusions, server.conf);
	server.forbidden_commands = match_list_open(
	    "smtpd_forbidden_commands", v->smtpd_forbidden_commands, server.conf);
	server.ehlo_hidden = ehlo_hidden_parse(
	    view_of(v->smtpd_discard_ehlo_keywords), &server.ehlo_hidden_quietly);
	bare_newline_open();
	tempfail_actions_check();
	header_clients_open();
	lists_open();
	own_addresses_open();
	hosts_open();
}

void
server_open(void)
{
	server_configure(service_conf());
}

static void
class_free(void *class_list)
{
	struct restriction_list *l = class_list;

	restriction_list_free(&l);
}

static void
access_table_free(void *table)
{
	struct table *t = table;

	table_free(&t);
}

void
server_close(void)
{
	for (int i = 0; i < LIST_COUNT; i++)
		restriction_list_free(&server.lists[i]);
	hash_free(&server.classes, class_free);
	hash_free(&server.access_tables, access_table_free);
	hash_free(&server.hosts, mem_free);
	hash_free(&server.own_addresses, NULL);
	counting_free(&server.counting);
	hash_free(&server.clients, mem_free);
	match_list_free(&server.mynetworks);
	match_list_free(&server.event_exceptions);
	match_list_free(&server.verp_clients);
	match_list_free(&server.bare_newline_exclusions);
	match_list_free(&server.forbidden_commands);
	table_list_free(&server.headers_for_tables);
	router_free(&server.router);
	ipc_pool_free(&server.cleanup);
	dns_client_free(&server.dns);
	ipc_pool_free(&server.resolver);
}

/* sendmail -bs has no right to speak to cleanup: its mail goes the way of all local mail. */
void
server_start(void)
{
	char path[108];

	if (service_is_stand_alone())
		service_path(path, sizeof(path), "public", "pickup");
	else
		service_path(path, sizeof(path), "public", server.v->cleanup_service_name);
	server.cleanup = ipc_pool_new(path, CLEANUP_IDLE_MAX, server.v->ipc_idle);
	server.resolver = service_pool("private", "resolver", RESOLVER_IDLE_MAX);
	server.dns = dns_client_new(server.resolver);
	if (service_is_stand_alone())
		return;
	service_path(path, sizeof(path), "public", server.v->queue_service_name);
	server.qmgr = ipc_pool_new(path, QMGR_IDLE_MAX, server.v->ipc_idle);
	service_path(path, sizeof(path), "private", "anvil");
	server.counting = counting_new(path);
}
