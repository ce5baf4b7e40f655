/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submissions that wait for pickup: the envelope is read, the content is not. The files are
 * written by anybody, so one that is odd in any way is passed over; pickup complains about it.
 * What is shown of a name is not enough to open the file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/maildrop.h"
#include "proto/showq.h"
#include "proto/submit.h"
#include "showq/showq.h"
#include "task/task.h"

struct listing {
	struct ipc *client;
	DIR *directory;
	int error;
	/* the present file */
	char name[MAILDROP_NAME_LENGTH + 1];
	int fd;
	struct stat st;
	struct maildrop_reader reader;
	struct ipc_frame frame;
	enum maildrop_result read;
};

static void
open_run(void *argument)
{
	struct listing *l = argument;
	int fd = open("maildrop", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	l->directory = fd < 0 ? NULL : fdopendir(fd);
	l->error = l->directory ? 0 : errno;
}

/* The next file that sendmail has finished; fd -1 at the end. */
static void
next_run(void *argument)
{
	struct listing *l = argument;
	struct dirent *entry;

	l->fd = -1;
	while (l->fd < 0) {
		errno = 0;
		entry = readdir(l->directory);
		if (!entry) {
			l->error = errno;
			return;
		}
		if (!maildrop_name_is_valid(view_of(entry->d_name)))
			continue;
		l->fd = maildrop_open(dirfd(l->directory), entry->d_name, &l->st);
		memcpy(l->name, entry->d_name, sizeof(l->name));
	}
}

static void
frame_run(void *argument)
{
	struct listing *l = argument;

	l->read = maildrop_next(&l->reader, &l->frame);
}

static bool
next_message(struct listing *l, const struct ipc_message *m, void *value)
{
	const char *why;

	task_offload(frame_run, l);
	return l->read == MAILDROP_FRAME && ipc_frame_is(&l->frame, m) &&
	    ipc_decode(m, l->frame.payload, NULL, 0, value, &why);
}

static enum ipc_result
send_file(struct listing *l)
{
	struct submit_begin begin;
	struct submit_recipient r;
	struct showq_message shown = {
		.queue_name = VIEW("maildrop"),
		.queue_id = { l->name, MAILDROP_SHOWN_LENGTH },
		.arrival = (uint64_t)l->st.st_mtim.tv_sec * 1000000,
		.size = (uint64_t)l->st.st_size,
	};
	enum ipc_result result;

	if (!next_message(l, &submit_begin_message, &begin))
		return IPC_OK;
	shown.sender = begin.sender;
	result = ipc_send(l->client, &showq_message_message, &shown, clock_deadline(LIST_TIME));
	while (result == IPC_OK && next_message(l, &submit_recipient_message, &r)) {
		struct showq_recipient recipient = { .address = r.address };

		result = ipc_send(
		    l->client, &showq_recipient_message, &recipient, clock_deadline(LIST_TIME));
	}
	return result;
}

static enum ipc_result
list_files(struct listing *l)
{
	enum ipc_result result = IPC_OK;

	while (result == IPC_OK) {
		task_offload(next_run, l);
		if (l->fd < 0)
			break;
		maildrop_reader_init(&l->reader, l->fd);
		result = send_file(l);
		maildrop_reader_done(&l->reader);
		file_close(&l->fd);
	}
	closedir(l->directory);
	return result;
}

enum ipc_result
list_maildrop(struct ipc *client, const char **error)
{
	struct listing *l = NEW(struct listing);
	enum ipc_result result = IPC_OK;

	l->client = client;
	task_offload(open_run, l);
	if (l->directory)
		result = list_files(l);
	if (l->error)
		*error = "maildrop cannot be read";
	mem_free(l);
	return result;
}
