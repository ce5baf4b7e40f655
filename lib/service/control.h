/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What master and its children say to each other on descriptor 3 (SOCK_SEQPACKET): one small
 * packet each, one letter and, where given, a decimal number behind it.
 */
#ifndef SERVICE_CONTROL_H
#define SERVICE_CONTROL_H

#define CONTROL_PACKET_MAX 32

/* From this many sessions on a process counts as busy: master may start another one. */
#define CONTROL_BUSY 4

enum control_letter {
	/* child to master */
	CONTROL_READY = 'r',  /* started; counts as a good start for throttling */
	CONTROL_LOAD = 'l',   /* number of sessions now; sent when it has changed much */
	CONTROL_FULL = 'f',   /* takes no more sessions for now; CONTROL_LOAD ends it */
	CONTROL_ENDING = 'e', /* stopped accepting (max_use, max_idle): replace on demand */
	/* master to child */
	CONTROL_FINISH = 'F', /* finish sessions, then exit */
	CONTROL_WAKEUP = 'W', /* the wakeup column's time has come */
	CONTROL_LOG = 'L', /* the log was rotated: write to the descriptor that rides along */
};

#endif
