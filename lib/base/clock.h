/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Deadlines are points of the monotonic clock in nanoseconds, so a jump of the wall clock
 * moves none of them; dates and queue ids use the wall clock in microseconds since 1970.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

typedef int64_t nanoseconds;  /* monotonic, or a span */
typedef int64_t microseconds; /* wall clock since 1970, or a span */

#define MILLISECOND    ((nanoseconds)1000000)
#define SECOND         ((nanoseconds)1000000000)
#define DEADLINE_NEVER INT64_MAX

nanoseconds clock_now(void);
microseconds clock_wall(void);

/* now + span, without overflow; a negative span means now. */
nanoseconds clock_deadline(nanoseconds span);

#endif
