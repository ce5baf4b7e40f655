/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of smtpd: one struct session per connection, in a task of its own, and in it at
 * most one struct transaction, which MAIL makes and which is destroyed whole. What all sessions
 * share (configuration, tables, lists) is the struct server, filled in before the jail and
 * constant afterwards.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "conf/conf.h"
#include "dns/peer.h"
#include "ipc/ipc_pool.h"
#include "proto/anvil.h"
#include "queue/queue.h"
#include "route/route.h"
#include "service/service.h"
#include "smtp/command_line.h"
#include "smtp/data_decoder.h"
#include "table/match_list.h"
#include "table/table.h"
#include "task/stream.h"

/* ---- what all sessions share ---- */

enum list_id {
	LIST_CLIENT,
	LIST_HELO,
	LIST_SENDER,
	LIST_RELAY,
	LIST_RECIPIENT,
	LIST_DATA,
	LIST_END_OF_DATA,
	LIST_ETRN,
	LIST_COUNT
};

/* smtpd_forbid_bare_newline */
enum bare_newline { BARE_NO, BARE_NORMALIZE, BARE_NOTE, BARE_REJECT };

struct restriction_list;
struct counting;

struct server {
	const struct conf *conf;
	const struct conf_values *v;
	struct router *router;
	struct ipc_pool *cleanup;
	struct ipc_pool *qmgr; /* for ETRN; NULL: stand-alone */
	struct ipc_pool *resolver;
	struct dns_client *dns; /* NULL: nobody is asked */
	struct match_list *mynetworks;
	struct match_list *event_exceptions;
	struct match_list *bare_newline_exclusions;
	unsigned notify_classes; /* enum trouble */
	struct match_list *verp_clients;
	struct match_list *forbidden_commands;
	struct restriction_list *lists[LIST_COUNT];
	struct hash *classes;       /* smtpd_restriction_classes: struct restriction_list */
	struct hash *access_tables; /* type:table of all lists: struct table */
	struct hash *hosts;         /* /etc/hosts: 16-byte address to name */
	struct hash *own_addresses; /* 16-byte addresses of inet_interfaces */
	struct hash *clients;       /* address prefix to struct client of counting.h */
	struct counting *counting;  /* NULL: each process counts for itself */
	enum bare_newline bare_newline;
	unsigned ehlo_hidden; /* bits of ehlo.c's keyword table */
	bool ehlo_hidden_quietly;
	bool headers_for_own, headers_for_mynetworks; /* local_header_rewrite_clients */
	struct table_list *headers_for_tables;
};
extern struct server server;

void server_open(void); /* configuration, before the jail; log_fatal when it cannot work */
void server_configure(const struct conf *c); /* server_open with any configuration */
void server_start(void);                     /* after the jail */
void server_close(void);                     /* for tests */

/* ---- one message ---- */

struct recipient {
	struct recipient *next;
	struct view address;  /* internal form, completed */
	struct view original; /* internal form, as given */
	struct view orcpt;    /* decoded "type;address", or empty */
	unsigned notify;
};

struct content;

struct transaction {
	struct arena arena;
	struct view sender;      /* internal form; empty: the null sender */
	struct view sender_full; /* completed, for restrictions */
	uint64_t declared_size;
	bool smtputf8;
	bool is_8bit;
	bool hold;    /* an access table said so */
	bool discard; /* likewise: taken, and thrown away */
	const char *dsn_ret;
	struct view verp; /* its two delimiters, or empty */
	struct view envelope_id;
	char queue_id[QUEUE_ID_SIZE]; /* "" until the first recipient is accepted */
	struct recipient *recipients;
	struct recipient **last_recipient;
	size_t recipient_count;
	uint64_t chunk_count;    /* of BDAT */
	struct content *content; /* from DATA or the first BDAT on */
};

struct transaction *transaction_new(void);
void transaction_free(struct transaction **t);

/* ---- one connection ---- */

struct peer {
	struct sockaddr_storage sa; /* 127.0.0.1 for local ones */
	const char *name;           /* confirmed, or "unknown" */
	const char *reverse_name;   /* as the address claims it, or "unknown" */
	enum dns_peer_status name_status, reverse_status;
	char *found_name, *found_reverse; /* what was looked up, or NULL */
	char *label;                      /* "name[address]", as all log lines have it */
	char address[INET6_ADDRSTRLEN];
	char port[8];
	enum table_result in_mynetworks;
	const char *why; /* mynetworks cannot tell */
	bool is_own;     /* an address of this host */
};

void peer_init(struct peer *p, const struct service_connection *c);
void peer_done(struct peer *p);
void peer_open_hosts(struct hash **hosts, struct view text);
bool peer_key(const struct sockaddr_storage *sa, uint8_t out[16]);

enum smtp_state {
	STATE_START,   /* connected; HELO or EHLO must come first */
	STATE_GREETED, /* no transaction */
	STATE_MAIL,
	STATE_RCPT,        /* at least one recipient was accepted */
	STATE_BDAT,        /* chunks are arriving */
	STATE_BDAT_FAILED, /* a chunk failed: only RSET and the like lead out */
	STATE_COUNT
};
#define AT(state) (1U << (state))
#define AT_ANY    (AT(STATE_COUNT) - 1)

#define COMMAND_MAX 24 /* rows of the command table, the unknown command included */

struct command_count {
	uint32_t good;
	uint32_t total;
};

struct session {
	struct stream *stream;
	struct peer peer;
	char *helo;         /* safe to print; NULL before HELO */
	const char *where;  /* for the log: "CONNECT", "MAIL" ... */
	const char *reason; /* why the session ends: "lost connection"; NULL: in peace */
	struct transaction *transaction;
	struct arena arena;   /* of the current command */
	nanoseconds deadline; /* of the current command */
	enum smtp_state state;
	uint32_t errors;
	uint32_t junk;
	uint32_t overshoot;
	struct command_count all;
	struct command_count counts[COMMAND_MAX];
	uint64_t content_bytes; /* received in the current DATA or BDAT, for the log */
	bool is_esmtp;
	bool is_local; /* stand-alone: sendmail -bs */
	bool closing;  /* no further command is read */
	bool has_quit;
	bool broken; /* the stream has failed: nothing more can be said */
	bool in_content;
	bool pipelining_logged;
	bool bare_newline_seen;
	bool access_denied; /* refused at CONNECT: only QUIT is left */
	bool is_limited;    /* some client limit is set, and this client is no exception */
	bool counted;       /* in server.clients */
	enum bare_newline bare_newline;
	unsigned trouble;      /* enum trouble, since the session began */
	struct buf transcript; /* the last of what was said */
};

void session_run(const struct service_connection *c);
void session_lost(struct session *s, enum stream_result r);
void session_reset(struct session *s); /* the transaction is gone; GREETED again */

/* ---- commands.c ---- */

enum outcome {
	DONE,           /* worked: the state becomes the one of the row */
	REFUSED,        /* answered with 4xx or 5xx: counts as an error */
	PARDONED,       /* refused, but not counted */
	DONE_OTHERWISE, /* worked; the handler has set the state itself */
};

struct command {
	const char *verb;
	enum outcome (*handler)(struct session *s, struct view argument);
	unsigned legal;        /* AT() bits */
	enum smtp_state after; /* STATE_COUNT: unchanged */
	unsigned flags;
};

enum command_flags {
	COMMAND_JUNK = 1,       /* counts against smtpd_junk_command_limit */
	COMMAND_ENDS_GROUP = 2, /* must be the last of a pipelined group (RFC 2920) */
	COMMAND_HAS_OCTETS = 4, /* data follows, refused or not */
};

extern const struct command commands[COMMAND_MAX];
extern const size_t command_count;

const struct command *command_find(struct view verb);
/* Whether it may run now; if not, *reply is what to say. Pure. */
bool command_is_legal(const struct command *c, enum smtp_state state, const char **reply);
void command_run(struct session *s, struct view line);

enum outcome cmd_helo(struct session *s, struct view argument);
enum outcome cmd_ehlo(struct session *s, struct view argument);
enum outcome cmd_mail(struct session *s, struct view argument);
enum outcome cmd_rcpt(struct session *s, struct view argument);
enum outcome cmd_data(struct session *s, struct view argument);
enum outcome cmd_bdat(struct session *s, struct view argument);
void bdat_refuse(struct session *s, struct view argument, const char *text);
enum outcome cmd_rset(struct session *s, struct view argument);
enum outcome cmd_noop(struct session *s, struct view argument);
enum outcome cmd_vrfy(struct session *s, struct view argument);
enum outcome cmd_etrn(struct session *s, struct view argument);
enum outcome cmd_help(struct session *s, struct view argument);
enum outcome cmd_quit(struct session *s, struct view argument);
enum outcome cmd_not_built(struct session *s, struct view argument);
enum outcome cmd_auth(struct session *s, struct view argument);
enum outcome cmd_unauthorized(struct session *s, struct view argument);

/*
 * The reply to an ESMTP parameter that cannot be taken: rest starts with it. A keyword of the
 * table has a text of its own when its value is missing or it is there twice.
 */
struct param_text {
	const char *keyword;
	const char *reply;
};
const char *param_refusal(struct session *s, struct view rest, const struct param_text *texts,
    size_t count, bool is_twice);

/* cmd_hello.c: $smtpd_discard_ehlo_keywords as bits. */
unsigned ehlo_hidden_parse(struct view text, bool *quietly);
/* Whether this client may use XVERP: a list that cannot be looked up says no. */
bool client_may_verp(const struct session *s);
bool ehlo_is_hidden(const char *keyword);

/* ---- content.c ---- */

/* Starts taking content; nothing is sent to cleanup before there is a reason to. */
void content_begin(struct session *s, struct transaction *t);
void content_free(struct content **c);

/*
 * DATA: reads up to the end of data. False: the connection is lost or was closed, nothing is to
 * be answered. BDAT: reads n octets.
 */
bool content_read_data(struct session *s, struct content *c);
bool content_read_octets(struct session *s, struct content *c, uint64_t n);

/* Hands the message over and waits for the verdict. Answers; true when the message was taken.
 */
enum outcome content_finish(struct session *s, struct transaction *t, bool is_bdat);
uint64_t content_size(const struct content *c);
bool content_is_too_big(const struct content *c);
unsigned content_notes(const struct content *c);

/* Reads and forgets n octets, but no more than the cap: false when the session must end. */
bool content_discard(struct session *s, uint64_t n);

/* ---- restrictions.c, access.c ---- */

/*
 * The checks of each stage. NULL: go on. Otherwise the reply, which was logged already and
 * lives in s->arena; a code of 421 or 521 also ends the session.
 */
const char *access_connect(struct session *s);
const char *access_helo(struct session *s);
const char *access_mail(struct session *s);
const char *access_rcpt(struct session *s, struct view given, struct view recipient);
const char *access_vrfy(struct session *s, struct view given, struct view recipient);
const char *access_etrn(struct session *s, struct view domain);
const char *access_data(struct session *s);
const char *access_end_of_data(struct session *s);

/* ---- replies.c ---- */

/* One reply, "250 2.1.0 Ok" without line end. Slowed down after too many errors. */
void reply(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A refusal from outside this file: 421 and 521 end the session. */
void reply_refusal(struct session *s, const char *text);
void reply_lines(struct session *s, int code, struct view lines); /* LF between lines */

/* ---- transcript.c ---- */

/* The classes of notify_classes that concern a session. */
enum trouble {
	TROUBLE_BOUNCE = 1, /* mail was refused */
	TROUBLE_DATA = 2,   /* for its content */
	TROUBLE_POLICY = 4,
	TROUBLE_PROTOCOL = 8,
	TROUBLE_RESOURCE = 16,
	TROUBLE_SOFTWARE = 32,
};

unsigned trouble_classes(struct view text); /* of $notify_classes */
/* What a reply means, by its status code; where: as session.where. Pure. */
unsigned trouble_of_reply(struct view line, const char *where);

void transcript_command(struct session *s, struct view line);
void transcript_reply(struct session *s, struct view line);
/* A message was taken: what led to it is of no more interest, unless there was trouble. */
void transcript_forget(struct session *s);
/* At the end of the session, when nobody waits any more: to the postmaster, if wanted. */
void transcript_send(struct session *s);

/* ---- limits.c ---- */

bool client_count(struct session *s); /* false: too many connections */
void client_uncount(struct session *s);
/* False: more than limit of these in anvil_rate_time_unit; it was logged. May wait. */
bool client_event(struct session *s, enum anvil_kind kind, int limit);
nanoseconds content_deadline(nanoseconds start, uint64_t bytes);

/* ---- log.c ---- */

void session_log_disconnect(const struct session *s);
/* Queue id or NOQUEUE. */
const char *session_queue_id(const struct session *s);
/* "; from=<> to=<> proto=ESMTP helo=<c>" */
void session_log_context(
    const struct session *s, struct view recipient, bool has_recipient, struct buf *out);
/* True when the client sent more although it had to wait; logs the first time. */
bool session_check_pipelining(struct session *s);

#endif
