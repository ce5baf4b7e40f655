/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the index share. */
#ifndef QUEUE_INDEX_PRIVATE_H
#define QUEUE_INDEX_PRIVATE_H

#include <lmdb.h>
#include <pthread.h>

#include "queue/index.h"
#include "queue/queue_private.h"

#define INDEX_BOOT_SIZE 40

struct queue_index {
	pthread_mutex_t mutex;
	bool writer;
	char *directory; /* of the index */
	int dir_fd;      /* the gate: see index_lock.c */
	int file_fd;     /* of the data, for its lock */
	MDB_env *env;
	MDB_dbi by_id, by_due, by_domain;
	size_t map_size;
	uint64_t size;    /* that the file has at least, as far as is known */
	size_t touched;   /* pages at most, since they were last let go */
	struct queue *q;  /* the writer's */
	unsigned unclean; /* starts in a row that found it not closed in order */
	bool complete;
	bool failed; /* a change or a look: not to be used any more */
};

#define INDEX_DATA "data.mdb"

/*
 * index_lock.c: within the process and, for readers and for changes, between processes. The
 * writer needs no lock of the file to read.
 */
bool index_lock(struct queue_index *x, bool change, const char **why);
void index_unlock(struct queue_index *x);

/* Begins a transaction, whatever size the file has by now. The lock is held. */
int index_begin(struct queue_index *x, unsigned flags, MDB_txn **txn);

/* Counts pages that were looked at, and lets go of them from time to time. No transaction. */
void index_touched(struct queue_index *x, size_t pages);
int index_grow(struct queue_index *x);

/* Makes the file as long as its root record says: LMDB leaves out pages that are not used. */
void index_extend(struct queue_index *x);

#define INDEX_KEY_DUE    (8 + QUEUE_ID_SIZE)
#define INDEX_KEY_DOMAIN (4 + QUEUE_ID_SIZE)
#define INDEX_ANY_DOMAIN UINT32_MAX

/* Keys; the length without the id's NUL. */
size_t index_key_due(char out[INDEX_KEY_DUE], microseconds due, const char *id);
size_t index_key_domain(char out[INDEX_KEY_DOMAIN], uint32_t hash, const char *id);
uint32_t index_domain_hash(struct view domain);

/* index_state.c: the note beside the data that says what it is worth. */
struct index_state {
	char boot[INDEX_BOOT_SIZE];
	uint64_t device, inode;
	uint64_t size; /* of the data file, when this was written: it never shrinks */
	bool closed, complete;
	unsigned unclean;
	bool changed; /* directories, since it was closed; when read with a queue */
};
bool index_state_read(int dir_fd, struct queue *q, struct index_state *s);
bool index_state_write(int dir_fd, struct queue *q, const struct index_state *s);

#endif
