/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables made from parameters.def, services.def and removed.def. All are sorted by name, so
 * that finding one needs no preparation at process start: ten comparisons find a parameter.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/build_paths.h"
#include "conf/conf.h"

const struct conf_parameter conf_parameters[] = {
#define PARAMETER(field, name, type, default_text, min, max, unit, status, text)               \
	{ name, CONF_##type, default_text, min, max, unit, status, text,                       \
		offsetof(struct conf_values, field) },
#include "conf/parameters.def"
#undef PARAMETER
};
const size_t conf_parameter_count = ARRAY_LEN(conf_parameters);

const struct conf_parameter conf_service_parameters[] = {
#define SERVICE_PARAMETER(suffix, type, default_text, min, max, unit, status, text)            \
	{ suffix, CONF_##type, default_text, min, max, unit, status, text, 0 },
#include "conf/services.def"
#undef SERVICE_PARAMETER
};
const size_t conf_service_parameter_count = ARRAY_LEN(conf_service_parameters);

struct removed {
	const char *name;
	const char *text;
};

static const struct removed removed[] = {
#define REMOVED_PARAMETER(name, text) { name, text },
#include "conf/removed.def"
#undef REMOVED_PARAMETER
};

/* Both kinds of row begin with the name. */
static int
compare_name(const void *key, const void *row)
{
	return strcmp(key, *(const char *const *)row);
}

const struct conf_parameter *
conf_parameter_find(const char *name)
{
	return bsearch(name, conf_parameters, ARRAY_LEN(conf_parameters),
	    sizeof(conf_parameters[0]), compare_name);
}

const char *
conf_removed_find(const char *name)
{
	const struct removed *r =
	    bsearch(name, removed, ARRAY_LEN(removed), sizeof(removed[0]), compare_name);

	return r ? r->text : NULL;
}
