/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per-service parameters. smtp_destination_recipient_limit is looked for as set by the
 * administrator, then as a parameter with a default of its own (local_... has some), then as
 * the default of its suffix.
 */
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/convert.h"

static const struct conf_parameter *
find_suffix(const char *suffix)
{
	for (size_t i = 0; i < conf_service_parameter_count; i++)
		if (strcmp(conf_service_parameters[i].name, suffix) == 0)
			return &conf_service_parameters[i];
	return NULL;
}

static char *
describe(const struct conf *c, const char *name, struct view value, const char *problem)
{
	struct buf out = BUF_INIT(CONF_LINE_MAX);

	conf_where(c, name, &out);
	buf_printf(&out, ": bad configuration: %s = %.*s: %s", name,
	    (int)(value.n < 200 ? value.n : 200), value.n ? value.p : "", problem);
	return buf_steal(&out);
}

/* The expanded text and its row; the row of the name itself has the bounds if there is one. */
static bool
find_text(const struct conf *c, const char *name, const char *suffix,
    const struct conf_parameter **row, struct buf *out, char **why)
{
	const char *text = conf_text(c, name, NULL);
	const struct conf_parameter *own = conf_parameter_find(name);
	char *detail;

	*why = NULL;
	*row = own ? own : find_suffix(suffix);
	if (!text && *row)
		text = (*row)->default_text;
	if (!text) {
		*why = mem_printf("%s: unknown parameter", name);
		return false;
	}
	if (conf_expand(c, view_of(text), out, &detail))
		return true;
	*why = describe(c, name, view_of(text), detail);
	mem_free(detail);
	return false;
}

static bool
convert(const struct conf *c, const char *transport, const char *suffix, enum conf_type type,
    union conf_value *value, char **why)
{
	struct buf text = BUF_INIT(CONF_VALUE_MAX), problem = BUF_INIT(1000);
	char *name = mem_printf("%s_%s", transport, suffix);
	const struct conf_parameter *row;
	bool ok = find_text(c, name, suffix, &row, &text, why);

	if (ok) {
		struct conf_parameter as = row ? *row : (struct conf_parameter){ .unit = 's' };
		as.type = type;
		ok = conf_convert(&as, view_trim(buf_view(&text)), value, &problem);
		if (!ok)
			*why = describe(c, name, buf_view(&text), buf_str(&problem));
	}
	mem_free(name);
	buf_done(&text);
	buf_done(&problem);
	return ok;
}

bool
conf_transport_int(
    const struct conf *c, const char *transport, const char *suffix, int *out, char **why)
{
	union conf_value value;

	if (!convert(c, transport, suffix, CONF_INT, &value, why))
		return false;
	*out = (int)value.number;
	return true;
}

bool
conf_transport_time(const struct conf *c, const char *transport, const char *suffix,
    nanoseconds *out, char **why)
{
	union conf_value value;

	if (!convert(c, transport, suffix, CONF_TIME, &value, why))
		return false;
	*out = value.span;
	return true;
}

bool
conf_transport_text(const struct conf *c, const char *transport, const char *suffix,
    struct buf *out, char **why)
{
	char *name = mem_printf("%s_%s", transport, suffix);
	const struct conf_parameter *row;
	bool ok = find_text(c, name, suffix, &row, out, why);

	mem_free(name);
	return ok;
}
