/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SMTP and LMTP client: the parts of one process and of one delivery, shared by the files
 * of this folder.
 *
 * A request of qmgr becomes a struct delivery. It goes through the endpoints of its next hop,
 * one session after the other, until every recipient has an outcome. What stood in the way last
 * is kept as a struct problem and becomes the outcome when nothing is left to try.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include <sys/socket.h>

#include "base/arena.h"
#include "base/list.h"
#include "conf/conf.h"
#include "mail/dsn.h"
#include "service/deliver_server.h"
#include "smtp/ehlo.h"
#include "smtp/options.h"
#include "smtp/server_reply.h"
#include "table/match_list.h"
#include "table/table.h"
#include "task/stream.h"

struct client {
	const struct conf *main_cf;
	const struct conf_values *conf;
	struct client_options options;
	struct dns_client *dns;
	struct buf known_ports; /* names of ports: known_tcp_ports, then /etc/services */
	struct table_list *discard_maps; /* EHLO keywords to ignore, by address */
	struct table_list *pix_maps;     /* workarounds, by address */
	struct table_list *reply_filter, *status_filter;
	struct match_list *cached_destinations;
};
extern struct client client;

/* Where a connection goes. */
struct endpoint {
	struct sockaddr_storage address; /* of any of the three families */
	socklen_t length;
	const char *host; /* the name that led here, or the address; ours for a UNIX socket */
	unsigned preference;
};

/* "127.0.0.1", "::1" or the path. */
#define ENDPOINT_TEXT_SIZE 128
void endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE]);
unsigned endpoint_port(const struct endpoint *e); /* 0 for a UNIX socket */

/* Why recipients could not be served; in the arena of the delivery. */
struct problem {
	char dsn[DSN_SIZE]; /* class 4 or 5 decides what becomes of them */
	const char *text;
	const char *relay; /* "host[address]:port", or NULL: no connection */
	const char *host;  /* who said so, for notices; NULL: we do */
	unsigned conn_use;
	bool is_site;  /* nothing to do with this message: the destination is at fault */
	bool is_final; /* no other server may be asked: this one may have taken the message */
};

enum rcpt_state {
	RCPT_LEFT,     /* to be sent */
	RCPT_ACCEPTED, /* in this transaction */
	RCPT_DONE,     /* has an outcome */
};

struct rcpt {
	enum rcpt_state state;
	struct view address;           /* as it is sent */
	const struct problem *problem; /* of the last server that was asked */
};

struct delivery {
	struct arena arena;
	bool is_cached; /* the destination is one whose sessions are always kept */
	struct deliver_job *job;
	struct view sender; /* as it is sent */
	struct view header; /* in place of the file's; p is NULL: none */
	struct rcpt *rcpts; /* beside job->recipients */
	size_t left;        /* of them, not done */
	microseconds connected;
};

/* A connection to a server, and what is known of it. */
struct session {
	struct list link, age; /* in the cache */
	struct endpoint endpoint;
	struct stream *stream;
	struct server_reply reply; /* the last one */
	struct ehlo ehlo;
	char *host;    /* owned, as the next ones */
	char *namaddr; /* "host[address]" */
	char *relay;   /* "host[address]:port" */
	nanoseconds born, idle_since;
	unsigned uses;    /* transactions, the present one included */
	bool wants_ehlo;  /* after the greeting */
	unsigned pix;     /* of enum pix */
	bool needs_reset; /* a transaction was left open */
	bool is_broken;   /* not even QUIT would be understood */
};

/* ---- delivery.c: one request ---- */
void delivery_run(struct deliver_job *job);
uint64_t delivery_size(const struct delivery *d); /* bytes of the message as it is sent */

/* ---- outcome.c ---- */
struct problem *problem_new(struct delivery *d, const struct session *s, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "host X said: REPLY (in reply to COMMAND)" with the reply's status; class 4 unless 5xx. */
struct problem *problem_of_reply(
    struct delivery *d, const struct session *s, const char *command);

/* "lost connection with X while DOING", or what else ended the conversation. */
struct problem *problem_of_stream(
    struct delivery *d, struct session *s, enum stream_result result, const char *doing);

/* Notes the problem for all recipients that are not done; a hard one is their outcome. */
void delivery_fail(struct delivery *d, const struct problem *p);
void recipient_fail(struct delivery *d, size_t i, const struct problem *p);
void recipient_sent(struct delivery *d, const struct session *s, size_t i);

/* The same, but a hard problem is noted like a soft one: another destination may do. */
void delivery_note(struct delivery *d, const struct problem *p);

/* Makes what is noted the outcome of those that are left. */
void delivery_give_up(struct delivery *d);

/* ---- connect.c ---- */
/* NULL: *p. */
struct session *session_connect(
    struct delivery *d, const struct endpoint *e, struct problem **p);

/*
 * ---- pix.c: a firewall that rewrites SMTP is in between, as its greeting of asterisks shows
 * ----
 */
enum pix {
	PIX_DISABLE_ESMTP = 1,
	PIX_DELAY_DOTCRLF = 2, /* the end of data in a packet of its own, some time later */
};
struct problem *pix_find(struct delivery *d, struct session *s);
bool pix_delays(const struct delivery *d, const struct session *s);

/* ---- session.c ---- */
struct session *session_new(const struct endpoint *e, int fd); /* takes fd */
void session_free(struct session **s);                         /* without a word */
void session_quit(struct session **s);                         /* says QUIT when it can */

/* ---- chat.c: commands and replies ---- */
/*
 * One reply into s->reply. STREAM_TOO_LONG: it cannot be understood; code is 0 then, and
 * lines_text the line at fault, unless it had no end.
 */
enum stream_result chat_read(struct session *s, nanoseconds timeout);
enum stream_result chat_write(struct session *s, struct view bytes, nanoseconds timeout);

/* A command line without its end, and the reply. */
enum stream_result chat_ask(struct session *s, struct view command, nanoseconds timeout);

/* ---- greet.c: from the connection to where MAIL may be said ---- */
struct problem *session_greet(struct delivery *d, struct session *s);

/* ---- cache.c: sessions between transactions ---- */
/*
 * What is known of one endpoint. Each enter is followed by one leave, which takes the session,
 * if there is one, and keeps it or says QUIT.
 */
struct place;
struct place *place_enter(const struct endpoint *e);
struct session *place_take(struct place *p); /* NULL: none is idle */
/* is_listed: of smtp_connection_cache_destinations, so that there need be no demand. */
void place_leave(struct place *p, struct session **s, bool is_listed);
void cache_close(void); /* says QUIT to all that are idle; for the end of the process */

/* ---- transaction.c ---- */
enum transaction_result {
	TRANSACTION_DONE,
	TRANSACTION_STALE, /* a kept connection turned out dead before it answered anything */
};
/* Serves the recipients that are left, as far as this server lets it. */
enum transaction_result transaction_run(struct delivery *d, struct session *s);

/* ---- command.c: MAIL and RCPT lines, with their ends ---- */
void command_mail(struct buf *out, const struct delivery *d, const struct session *s);
void command_rcpt(struct buf *out, const struct delivery *d, const struct session *s, size_t i);

/* Who gave us the message, in one or two commands; *count says. */
void command_xforward(
    struct buf *out, const struct delivery *d, const struct session *s, size_t *count);

/* Whether the message cannot go to a server without SMTPUTF8 (RFC 6531 3.5). */
bool command_needs_utf8(const struct delivery *d);

/* ---- content.c ---- */
/*
 * How the message goes over this session: whether something must be done to its text, and
 * whether it goes by BDAT (RFC 3030) or after DATA.
 */
struct content_plan {
	bool by_bdat;
	bool to_7bit;     /* 8-bit parts become quoted-printable */
	bool folds_lines; /* that are longer than line_length_limit */
};
struct content_plan content_plan(const struct delivery *d, const struct session *s);

/* Sends the message and the end of data. NULL: done, and the reply is to be read. */
struct problem *content_send(
    struct delivery *d, struct session *s, const struct content_plan *plan);

#endif
