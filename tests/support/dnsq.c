/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the resolver service through lib/dns: a question per line of standard input, "NAME TYPE
 * [native]", all at the same time; TYPE may be "any" with native. The answers come out as lines
 * of JSON in the order of their arrival. Usage: dnsq SOCKET SECONDS
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/mem.h"
#include "dns/dns.h"
#include "dns/packet.h"
#include "ipc/ipc_pool.h"
#include "task/task.h"

#define KEPT 50

static struct dns_client *client;
static struct ipc_pool *pool;
static nanoseconds patience;
static size_t left; /* questions */

static void
print_string(const char *name, struct view text)
{
	struct buf out = BUF_INIT(100000);

	escape_json(&out, text);
	printf("\"%s\": \"%s\", ", name, buf_str(&out));
	buf_done(&out);
}

static void
print_record(const struct dns_record *r, bool last)
{
	char address[INET6_ADDRSTRLEN] = "";

	if (r->type == DNS_A || r->type == DNS_AAAA)
		inet_ntop(r->type == DNS_A ? AF_INET : AF_INET6, r->address, address,
		    sizeof(address));
	printf("{\"type\": \"%s\", ", dns_type_name(r->type));
	print_string("name", r->name);
	print_string("address", view_of(address));
	if (r->type == DNS_TXT)
		print_string("data", r->data);
	printf("\"octets\": \"");
	for (size_t i = 0; r->type == DNS_TLSA && i < r->data.n; i++)
		printf("%02x", (unsigned char)r->data.p[i]);
	printf("\", \"preference\": %u, \"weight\": %u, \"port\": %u, \"usage\": %u, "
	       "\"selector\": %u, \"matching\": %u, \"ttl\": %u}%s",
	    r->preference, r->weight, r->port, r->usage, r->selector, r->matching, r->ttl,
	    last ? "" : ", ");
}

static void
print_answer(struct view name, struct view type, const struct dns_answer *a, nanoseconds time)
{
	static const char *const results[] = { "found", "no data", "no such name", "try again",
		"bad name" };

	printf("{");
	print_string("asked", name);
	print_string("type", type);
	print_string("name", a->name);
	print_string("why", view_of(a->why));
	printf("\"result\": \"%s\", \"secure\": %s, \"bogus\": %s, \"seconds\": %.3f, "
	       "\"records\": [",
	    results[a->result], a->secure ? "true" : "false", a->bogus ? "true" : "false",
	    (double)time / (double)SECOND);
	for (size_t i = 0; i < a->count; i++)
		print_record(&a->records[i], i + 1 == a->count);
	printf("]}\n");
	fflush(stdout);
}

static void
ask(void *argument)
{
	struct view rest = view_of(argument), name, type = VIEW_NONE, native = VIEW_NONE;
	nanoseconds start = clock_now(), deadline = clock_deadline(patience);
	struct arena arena = ARENA_INIT;
	struct dns_answer answer;
	enum dns_type number = DNS_A;
	bool known;

	if (view_next_word(&rest, "\t\n", &name) && view_next_word(&rest, "\t\n", &type))
		(void)view_next_word(&rest, "\t\n", &native);
	known = dns_type_from_name(type, &number);
	if (native.n > 0)
		dns_native_lookup(client, name,
		    !known                   ? AF_UNSPEC
			: number == DNS_AAAA ? AF_INET6
					     : AF_INET,
		    &arena, &answer, deadline);
	else
		dns_lookup(client, name, number, &arena, &answer, deadline);
	print_answer(name, type, &answer, clock_now() - start);
	arena_reset(&arena);
	free(argument);
	if (--left == 0)
		ipc_pool_free(&pool); /* its timer would keep the loop running */
}

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;

	if (argc != 3)
		return 2;
	patience = (nanoseconds)(strtod(argv[2], NULL) * (double)SECOND);
	task_init();
	pool = ipc_pool_new(argv[1], KEPT, 100 * SECOND);
	client = dns_client_new(pool);
	for (; getline(&line, &size, stdin) > 0; left++)
		if (!task_spawn("ask", ask, strdup(line)))
			return 1;
	free(line);
	task_run();
	dns_client_free(&client);
	task_done();
	return 0;
}
