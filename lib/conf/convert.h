/* SPDX-License-Identifier: Apache-2.0 */
/* From expanded text to the typed value of a parameter. */
#ifndef CONF_CONVERT_H
#define CONF_CONVERT_H

#include "base/buf.h"
#include "conf/conf.h"

union conf_value {
	bool boolean;
	long long number; /* int and long */
	nanoseconds span;
};

/*
 * Converts and checks the bounds; string and raw only check the length. False: *problem gets
 * what is wrong and what is allowed ("must be a whole number from 1 to 100").
 */
bool conf_convert(const struct conf_parameter *p, struct view text, union conf_value *out,
    struct buf *problem);

#endif
