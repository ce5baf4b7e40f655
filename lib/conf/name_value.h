/* SPDX-License-Identifier: Apache-2.0 */
/* "name = value", in main.cf, in -o options and in inline tables. */
#ifndef CONF_NAME_VALUE_H
#define CONF_NAME_VALUE_H

#include <stdbool.h>

#include "base/view.h"

/*
 * The name ends at a blank or "=", blanks around "=" and at both ends are dropped, the value
 * may be empty. False: *problem is "missing attribute name" or "missing '=' after attribute
 * name".
 */
bool name_value_parse(
    struct view text, struct view *name, struct view *value, const char **problem);

#endif
