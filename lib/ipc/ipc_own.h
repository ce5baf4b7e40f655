/* SPDX-License-Identifier: Apache-2.0 */
/* Making a decoded message outlive the frame it borrows from. */
#ifndef IPC_IPC_OWN_H
#define IPC_IPC_OWN_H

#include "base/arena.h"
#include "ipc/ipc.h"

/* Copies the bytes of every view in the struct, which is of message m, into the arena. */
void ipc_own(const struct ipc_message *m, void *value, struct arena *arena);

#endif
