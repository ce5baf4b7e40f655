/* SPDX-License-Identifier: Apache-2.0 */
/* What postconf and the table layer need to know of $name expressions besides conf_expand. */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "base/view.h"

/* Calls back with each name that an expression in text refers to, in branches not taken too. */
typedef void expand_name_fn(struct view name, void *context);
void expand_names(struct view text, expand_name_fn *each, void *context);

#endif
