/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers around descriptors. All descriptors made here are close-on-exec. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* Writes all n bytes, through short writes and EINTR. False: errno says why. */
bool file_write_all(int fd, const void *p, size_t n);
bool file_pwrite_all(int fd, const void *p, size_t n, off_t at);

/* Reads exactly n bytes at an offset. False with errno, or errno 0 at end of file. */
bool file_pread_all(int fd, void *p, size_t n, off_t at);

/* Appends the whole file to out. EFBIG when it does not fit into the buffer's maximum. */
bool file_read_at(int dir_fd, const char *path, struct buf *out);

/* close, and the variable becomes -1; harmless for -1. */
void file_close(int *fd);

bool fd_set_nonblocking(int fd);
bool fd_set_cloexec(int fd, bool on);

#endif
