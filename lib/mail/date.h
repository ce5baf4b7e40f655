/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in mail (RFC 5322 3.3). */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stddef.h>

#include "base/clock.h"

#define DATE_SIZE 64

/* "Fri, 20 Nov 2026 19:24:07 +0000 (UTC)" in local time; a day below 10 has a blank before it.
 */
void date_print(microseconds when, char out[DATE_SIZE]);

/* "Fri Nov 20 19:24:07 2026" in local time, as on mbox From lines; its first DATE_LISTING
 * bytes, without the year, in queue listings. */
#define DATE_LISTING 19
void date_print_asctime(microseconds when, char out[DATE_SIZE]);

/* "20261120192407" in UTC, as in message ids. */
void date_print_stamp(microseconds when, char out[DATE_SIZE]);

#endif
