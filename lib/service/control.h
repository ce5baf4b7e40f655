/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What master and its children say to each other on descriptor 3: one small packet each, one
 * letter and, where given, a decimal number behind it.
 */
#ifndef SERVICE_CONTROL_H
#define SERVICE_CONTROL_H

enum control_letter {
	/* child to master */
	CONTROL_READY = 'r',   /* started; counts as a good start for throttling */
	CONTROL_LOAD = 'l',    /* number of sessions now; sent when it crosses a power of two */
	CONTROL_FULL = 'f',    /* takes no more sessions for now */
	CONTROL_ENDING = 'e',  /* stopped accepting (max_use, max_idle): replace on demand */
	/* master to child */
	CONTROL_FINISH = 'F',  /* finish sessions, then exit */
	CONTROL_WAKEUP = 'W',  /* the wakeup column's time has come */
};

#endif
