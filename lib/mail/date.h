/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in mail (RFC 5322 3.3). */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stddef.h>

#include "base/clock.h"

#define DATE_SIZE 64

/* "Fri, 20 Nov 2026 19:24:07 +0000 (UTC)" in local time. */
void date_print(microseconds when, char out[DATE_SIZE]);

/* "Fri Nov 20 19:24:07 2026" as on mbox From lines and (without year) in queue listings. */
void date_print_asctime(microseconds when, char out[DATE_SIZE]);

#endif
