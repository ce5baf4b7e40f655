/* SPDX-License-Identifier: Apache-2.0 */
/* Packets with a descriptor, between the deciding process, the launcher and the workers. */
#ifndef LOCAL_PACKET_H
#define LOCAL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One packet of n bytes with a descriptor or -1; false: errno. */
bool packet_send(int fd, const void *p, size_t n, int descriptor);

/* As recvmsg; *descriptor is -1 or the caller's. */
ssize_t packet_receive(int fd, void *p, size_t n, int *descriptor);

#endif
