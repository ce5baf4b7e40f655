/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message on disk. Written front to back, once, by a queue_writer; read by queue_message;
 * afterwards only the journal grows (queue_journal). Layout:
 *
 *   preamble   QUEUE_PREAMBLE_SIZE bytes, written last: magic, version, flags, arrival,
 *              lengths, counts, CRC-32C of body, header, envelope and of itself
 *   body       CRLF line ends, not dot-stuffed
 *   header     the final header block with its line ends, without the empty line
 *   envelope   records: u8 type, u32 length, payload
 *   journal    records: u8 type, u32 length, payload, u32 CRC-32C
 *
 * All integers are big-endian. The CRC of a journal record continues that of the record before
 * it (the first one, that of the preamble), so that left-over bytes of an append that failed
 * never come back to life behind a later one.
 */
#ifndef QUEUE_QUEUE_FILE_H
#define QUEUE_QUEUE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/view.h"
#include "queue/queue.h"

#define QUEUE_FILE_VERSION  1
#define QUEUE_PREAMBLE_SIZE 256

enum queue_flags {
	QUEUE_FLAG_8BIT = 1,           /* the body has bytes above 127 */
	QUEUE_FLAG_DOT_LINES = 2,      /* a line of header or body starts with a dot */
	QUEUE_FLAG_LONG_LINES = 4,     /* a line of header or body is longer than 998 bytes */
	QUEUE_FLAG_SMTPUTF8 = 8,       /* needs SMTPUTF8 (RFC 6531) */
	QUEUE_FLAG_NO_FINAL_CRLF = 16, /* the body's last line has no line end */
	QUEUE_FLAG_8BIT_HEADER = 32,
	QUEUE_FLAG_LOCAL = 64,   /* submitted by sendmail, not by SMTP */
	QUEUE_FLAG_BOUNCE = 128, /* a notice of our own */
	QUEUE_FLAG_TRACE = 512,  /* the sender wants a report of the first attempt */
	QUEUE_FLAG_VERP = 256,   /* has ATTR_VERP: a sender for each recipient */
};

/* DSN NOTIFY of RFC 3461; 0 when the sender did not say. */
enum queue_notify {
	QUEUE_NOTIFY_NEVER = 1,
	QUEUE_NOTIFY_SUCCESS = 2,
	QUEUE_NOTIFY_FAILURE = 4,
	QUEUE_NOTIFY_DELAY = 8
};

struct queue_recipient {
	struct view address;   /* as it is to be delivered now: user@domain */
	struct view original;  /* as the sender gave it */
	struct view dsn_orcpt; /* ORCPT, decoded form "rfc822;user@host", or empty */
	unsigned notify;
};

/* ---- writing ---- */

struct queue_writer;

/*
 * Starts a message for the place (QUEUE_INCOMING or QUEUE_HOLD, can be changed until commit).
 * No file is made before the body outgrows a buffer of 128 KiB or commit: a small message is
 * one write.
 */
struct queue_writer *queue_writer_new(struct queue *q, enum queue_place place);
const char *queue_writer_id(const struct queue_writer *w);

/*
 * Takes an id that the receiver drew with queue_id_new, and its time as the arrival, in place
 * of the writer's own. False, and nothing changed, when it is no id or its time is more than a
 * day from now. A commit under an id that exists fails.
 */
bool queue_writer_set_id(struct queue_writer *w, struct view id);
microseconds queue_writer_arrival(const struct queue_writer *w);
void queue_writer_set_place(struct queue_writer *w, enum queue_place place);
void queue_writer_add_flags(struct queue_writer *w, unsigned flags);

/*
 * Appends body bytes. The flags 8BIT, DOT_LINES, LONG_LINES, NO_FINAL_CRLF come from what
 * passes here (8BIT_HEADER and, too, the lines from the header block). After a failure nothing
 * is left on disk, and every later call has the same result. May be called outside an offload
 * only while queue_writer_would_write is false.
 */
enum queue_result queue_writer_body(
    struct queue_writer *w, struct view bytes, const char **why);
bool queue_writer_would_write(const struct queue_writer *w, size_t n);
uint64_t queue_writer_body_size(const struct queue_writer *w);

/*
 * In memory until commit: header block and sender once, attributes (the last of a name counts)
 * and recipients in any order and number; a recipient's index is its place in that order.
 */
void queue_writer_header(struct queue_writer *w, struct view block);
void queue_writer_sender(struct queue_writer *w, struct view address);
void queue_writer_attribute(struct queue_writer *w, struct view name, struct view value);
void queue_writer_recipient(struct queue_writer *w, const struct queue_recipient *r);
size_t queue_writer_recipient_count(const struct queue_writer *w);

/*
 * Makes it a message: writes what is left, fsync of the file, and the directory sync shared
 * with all commits that finish together. Only QUEUE_OK means that the message is on disk; after
 * anything else no file is left, and a failed fsync is never repeated on it. *size (may be
 * NULL) is what qmgr logs as size: header, separator and body.
 */
enum queue_result queue_writer_commit(struct queue_writer *w, uint64_t *size, const char **why);

/*
 * Commits those of the messages, all of one queue, that find room in slots, with one sync; the
 * others are left as they are. queue_writer_commit then tells each result, or makes the commit.
 */
bool queue_writer_is_small(const struct queue_writer *w); /* may find room */
void queue_writer_commit_small(struct queue_writer **writers, size_t count);
bool queue_writer_is_finished(const struct queue_writer *w); /* committed, or failed */

/* After QUEUE_OK: the slot that it went into (queue_slot_hint), 0 for a file of its own. */
uint64_t queue_writer_slot(const struct queue_writer *w);

/* Without a commit before: removes what was written. */
void queue_writer_free(struct queue_writer **w);

/* ---- reading ---- */

enum queue_rcpt_state {
	QUEUE_RCPT_PENDING,
	QUEUE_RCPT_DELIVERED,
	QUEUE_RCPT_BOUNCED,
	QUEUE_RCPT_EXPIRED,
	/* Like DELIVERED, but the sender asked to be told, and does not know yet. */
	QUEUE_RCPT_TELL_DELIVERED,
	QUEUE_RCPT_TELL_RELAYED,
	QUEUE_RCPT_TELL_EXPANDED
};

struct queue_message {
	char id[QUEUE_ID_SIZE];
	enum queue_place place;
	int fd;       /* read-only unless opened for the journal; -1 after done */
	bool in_slot; /* when it was opened: it had no file of its own */
	unsigned flags;
	microseconds arrival;
	uint64_t body_offset, body_length;
	uint64_t header_offset, header_length;
	uint64_t envelope_offset, envelope_length;
	uint64_t journal_offset, journal_end; /* the end: of the last good record */
	uint32_t journal_crc;                 /* of that record */
	bool journal_broken; /* a sync failed: no more appends through this descriptor */
	uint32_t body_crc;
	uint64_t size; /* as logged by qmgr */
	uint32_t recipient_count;
	struct view sender;
	struct arena arena;   /* owns sender, envelope and journal text */
	struct view envelope; /* raw records */
	/* from the journal, replayed by queue_message_open: */
	uint32_t pending_count;
	uint32_t attempts;
	microseconds due; /* 0: never tried */
	bool delay_warned;
	bool forced_expire;
	struct queue_rcpt_status *status; /* recipient_count of them */
};

struct queue_rcpt_status {
	enum queue_rcpt_state state;
	microseconds when;       /* of the last attempt; 0: none */
	struct view dsn;         /* "4.4.1" */
	struct view reason;      /* last diagnostic text */
	struct view remote_host; /* who said so; empty: we */
};

/*
 * Opens and verifies preamble, header, envelope; replays the journal up to the first record
 * that is torn or wrong. The body's checksum is left to whoever reads the body. for_journal
 * opens read-write for queue_journal_append. QUEUE_BUSY while its writer has not finished the
 * commit: then it may not yet be durable. Without for_journal, fd may be given to agents: it
 * shows this message alone and cannot be written to.
 */
enum queue_result queue_message_open(struct queue *q, enum queue_place place, const char *id,
    bool for_journal, struct queue_message *m, const char **why);

/*
 * The same for a message of QUEUE_INCOMING, for reading, when it can be done without waiting
 * for the disk. False says nothing about the message.
 */
bool queue_message_open_now(struct queue *q, const char *id, struct queue_message *m);

/*
 * The same from a descriptor alone, for delivery agents and fuzzing; takes fd even on failure.
 * id may be NULL; otherwise the file must say that it is this message. place is left at
 * QUEUE_INCOMING, and no lock is looked at.
 */
enum queue_result queue_message_from_fd(
    int fd, const char *id, struct queue_message *m, const char **why);
void queue_message_done(struct queue_message *m);

/*
 * For whoever streams the body: init, update with every piece, and ok at the end says whether
 * these were the bytes that were committed. What was delivered before must not be completed
 * otherwise.
 */
struct queue_body_check {
	uint64_t left;
	uint32_t crc, expected;
};

void queue_body_check_init(struct queue_body_check *c, const struct queue_message *m);
void queue_body_check_update(struct queue_body_check *c, struct view bytes);
bool queue_body_check_ok(const struct queue_body_check *c);

/* Reads the whole body for its checksum. */
enum queue_result queue_message_check_body(const struct queue_message *m, const char **why);

/* The value of an attribute, or an empty view. */
struct view queue_message_attribute(const struct queue_message *m, struct view name);

/* Steps through recipients 0 .. recipient_count-1 from *position = 0; false at the end. */
bool queue_message_recipient(
    const struct queue_message *m, size_t *position, struct queue_recipient *out);

/* ---- journal ---- */

struct queue_journal_entry {
	uint32_t recipient;          /* index */
	enum queue_rcpt_state state; /* PENDING with a reason: deferred */
	microseconds when;
	struct view dsn;
	struct view reason;      /* cut at 1000 bytes */
	struct view remote_host; /* likewise at 300 */
};

/*
 * Appends all entries in one write and, when durable, syncs. Their effects are also made in *m.
 * After a failure *m is as before, and an append that was torn is overwritten by the next one;
 * after a failed sync m takes no more appends. A due time kept in the file's time is kept.
 */
enum queue_result queue_journal_append(struct queue *q, struct queue_message *m,
    const struct queue_journal_entry *entries, size_t count, bool durable, const char **why);

/*
 * Message-wide facts, not synced: an attempt was made and the next one is due (also kept in the
 * file's time; failing at that is QUEUE_ERROR, the record stays), a delay warning was sent, the
 * message is to expire now.
 */
enum queue_result queue_journal_attempt(
    struct queue *q, struct queue_message *m, microseconds due, const char **why);
enum queue_result queue_journal_warned(
    struct queue *q, struct queue_message *m, const char **why);
enum queue_result queue_journal_expire(
    struct queue *q, struct queue_message *m, const char **why);

#endif
