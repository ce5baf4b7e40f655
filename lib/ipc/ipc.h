/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations between our own processes over UNIX stream sockets.
 *
 * A frame is a 4-byte big-endian length of what follows, a kind byte, and the payload:
 *   'm' message: pairs of (u16 name length, name, u32 value length, value); the first pair
 * names the message: "submit/1.begin" is the message "begin" of version 1 of "submit". 'd' raw
 * data, 1..65536 bytes A message is declared once in a table: a C struct and one row per field.
 * Encoding, decoding, the tests and the fuzz dictionary come from it. Unknown fields are
 * skipped, a field that is there twice, a required one that is missing, or a value of the wrong
 * form is an error: the caller closes the connection. Descriptors travel by SCM_RIGHTS with the
 * frame they belong to; one that the message has no field for is closed.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/view.h"

#define IPC_DATA_MAX    65536        /* bytes of a raw data frame */
#define IPC_MESSAGE_MAX (256 * 1024) /* bytes of an encoded message */
#define IPC_VALUE_MAX   (128 * 1024) /* bytes of one value */

enum ipc_type {
	IPC_VIEW, /* struct view; on decoding it borrows from the received frame */
	IPC_U64,  /* uint64_t, decimal on the wire */
	IPC_I64,  /* int64_t */
	IPC_BOOL, /* bool, "1" or "0" */
	IPC_FD,   /* int; -1 none; the wire value is empty, the descriptor rides along */
};

struct ipc_field {
	const char *name;
	enum ipc_type type;
	bool required; /* an optional field that is absent decodes to zero, empty or -1 */
	size_t offset;
};

struct ipc_message {
	const char *name; /* "submit/1.begin" */
	size_t size;      /* of the struct */
	const struct ipc_field *fields;
	size_t field_count;
};

#define IPC_REQUIRED(type, struct_name, member)                                                \
	{                                                                                      \
#member, type, true, offsetof(struct struct_name, member)                      \
	}
#define IPC_OPTIONAL(type, struct_name, member)                                                \
	{                                                                                      \
#member, type, false, offsetof(struct struct_name, member)                     \
	}
#define IPC_MESSAGE(variable, wire_name, struct_name, rows)                                    \
	const struct ipc_message variable = { wire_name, sizeof(struct struct_name), rows,     \
		sizeof(rows) / sizeof((rows)[0]) }

/* Pure codec. Encoding appends the payload (without frame header); false past the limits. */
bool ipc_encode(const struct ipc_message *m, const void *value, struct buf *out);

/* The message's wire name at the front of a payload, or an empty view. */
struct view ipc_message_name(struct view payload);

/*
 * Decodes a payload that is the message m. *fds are handed to IPC_FD fields in order; on
 * failure none was taken. *why is a constant.
 */
bool ipc_decode(const struct ipc_message *m, struct view payload, int *fds, size_t fd_count,
    void *value, const char **why);

enum ipc_result {
	IPC_OK,
	IPC_EOF,
	IPC_TIMEOUT,
	IPC_CANCELLED,
	IPC_ERROR,    /* the connection failed */
	IPC_PROTOCOL, /* the peer broke the rules; ipc_why says how */
};

/* A connection, used by one task at a time for reading and one for writing. */
struct ipc;

struct ipc *ipc_new(int fd); /* takes the descriptor */

/*
 * The messages of this conversation bring descriptors. Without this call one that does is
 * IPC_PROTOCOL: a peer cannot fill the table of a process that waits for none.
 */
void ipc_take_descriptors(struct ipc *c);
void ipc_free(struct ipc **c);
int ipc_fd(const struct ipc *c);
const char *ipc_why(const struct ipc *c);

/* Connects to the socket at path. NULL: errno. Waits at most until the deadline. */
struct ipc *ipc_connect(const char *path, nanoseconds deadline);

/* The peer's ids by SO_PEERCRED. */
bool ipc_peer(const struct ipc *c, uid_t *uid, pid_t *pid);

/*
 * Sending is buffered: frames leave at ipc_flush, when the buffer is full, or before a receive
 * waits; a message with descriptors (8 at most) leaves at once. The caller keeps its own
 * descriptors. A large raw frame is sent from where it lies, so ipc_send_data may wait; when it
 * fails in the middle of a frame the connection is lost.
 */
enum ipc_result ipc_send(
    struct ipc *c, const struct ipc_message *m, const void *value, nanoseconds deadline);
enum ipc_result ipc_send_data(struct ipc *c, struct view bytes, nanoseconds deadline);
enum ipc_result ipc_flush(struct ipc *c, nanoseconds deadline);

/*
 * The next frame. For a message, frame->message is its wire name and ipc_frame_decode makes the
 * struct; for raw data frame->data is set. Everything is valid until the next receive. A frame
 * over the limits is IPC_PROTOCOL.
 */
struct ipc_frame {
	struct view message; /* wire name, empty for raw data */
	struct view payload;
	struct view data;
};
enum ipc_result ipc_receive(struct ipc *c, struct ipc_frame *frame, nanoseconds deadline);
bool ipc_frame_is(const struct ipc_frame *frame, const struct ipc_message *m);

/* Decodes; a descriptor in the struct is the caller's from now on. False: ipc_why. */
bool ipc_frame_decode(
    struct ipc *c, const struct ipc_frame *frame, const struct ipc_message *m, void *value);

/* Receives exactly the message m; anything else is IPC_PROTOCOL. */
enum ipc_result ipc_expect(
    struct ipc *c, const struct ipc_message *m, void *value, nanoseconds deadline);

/* True when the peer has closed or sent something while nothing was expected: do not reuse. */
bool ipc_is_stale(struct ipc *c);

/*
 * The same as far as the loop has seen, for those who can begin again on another connection:
 * what happened since its last turn may be missed, but it seldom costs a system call.
 */
bool ipc_seems_stale(struct ipc *c);

/* Input is waiting in the buffer or the socket. */
bool ipc_has_input(const struct ipc *c);

#endif
