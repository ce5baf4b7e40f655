/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the rows: take the text, expand it, convert it, put it at the offset of the
 * field. Every process does this at its start, so text without a $ is not copied twice. A wrong
 * value ends it with a message that says what, where and what would be right; a wrong value of
 * a parameter that has no effect anyway is a warning.
 */
#include <string.h>

#include "base/mem.h"
#include "conf/conf_private.h"
#include "conf/convert.h"
#include "conf/expand_compare.h"
#include "conf/list.h"

static const char *const kind[] = {
	[CONF_BOOL] = "boolean",
	[CONF_INT] = "numerical",
	[CONF_LONG] = "numerical",
	[CONF_TIME] = "time",
	[CONF_STRING] = "string",
	[CONF_RAW] = "string",
};

/* Parameters of few words; anything else must not be guessed at. */
struct choice {
	size_t offset;
	const char *words;
};

static const struct choice choices[] = {
	{ offsetof(struct conf_values, mynetworks_style), "host subnet class" },
	{ offsetof(struct conf_values, inet_protocols), "all ipv4 ipv6" },
};

static char *
describe(const struct conf *c, const struct conf_parameter *p, struct view value,
    const char *problem)
{
	struct buf out = BUF_INIT(CONF_LINE_MAX);

	conf_where(c, p->name, &out);
	buf_printf(&out, ": bad %s configuration: %s = %.*s: %s", kind[p->type], p->name,
	    (int)(value.n < 200 ? value.n : 200), value.n ? value.p : "", problem);
	return buf_steal(&out);
}

static void
put(struct conf *c, const struct conf_parameter *p, const union conf_value *value,
    struct view text)
{
	char *field = (char *)&c->values + p->offset;
	const char *string;
	int number;

	switch (p->type) {
	case CONF_BOOL:
		memcpy(field, &value->boolean, sizeof(value->boolean));
		break;
	case CONF_INT:
		number = (int)value->number;
		memcpy(field, &number, sizeof(number));
		break;
	case CONF_LONG:
		memcpy(field, &value->number, sizeof(value->number));
		break;
	case CONF_TIME:
		memcpy(field, &value->span, sizeof(value->span));
		break;
	case CONF_STRING:
	case CONF_RAW:
		string = arena_dup(&c->strings, text);
		memcpy(field, &string, sizeof(string));
		break;
	}
}

static bool
is_choice(const struct conf_parameter *p, struct view text, struct buf *problem)
{
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		struct view rest = text, word;
		if (choices[i].offset != p->offset)
			continue;
		while (conf_list_next(&rest, &word))
			if (!conf_list_has(choices[i].words, word)) {
				buf_printf(problem, "must be one of: %s", choices[i].words);
				return false;
			}
	}
	return true;
}

static bool
evaluate_text(struct conf *c, const struct conf_parameter *p, const char *text,
    struct buf *expanded, char **why)
{
	struct view value = view_of(text);
	struct buf problem = BUF_INIT(1000);
	union conf_value converted;

	if (p->type != CONF_RAW && view_find(value, '$') < value.n) {
		char *detail;
		buf_clear(expanded);
		if (!conf_expand(c, value, expanded, &detail)) {
			*why = describe(c, p, value, detail);
			mem_free(detail);
			return false;
		}
		value = view_trim(buf_view(expanded));
	}
	bool ok = conf_convert(p, value, &converted, &problem) && is_choice(p, value, &problem);
	if (ok)
		put(c, p, &converted, value);
	else
		*why = describe(c, p, value, buf_str(&problem));
	buf_done(&problem);
	return ok;
}

static bool
evaluate(struct conf *c, const struct conf_parameter *p, struct buf *expanded, char **why)
{
	bool is_default;
	const char *text = conf_text(c, p->name, &is_default);

	if (evaluate_text(c, p, text, expanded, why))
		return true;
	if (p->status != CONF_IGNORED || is_default)
		return false;
	conf_warn(c, "%s; it has no effect", *why);
	mem_free(*why);
	*why = NULL;
	return evaluate_text(c, p, p->default_text, expanded, why);
}

static bool
check_level(struct conf *c, char **why)
{
	const struct conf_parameter *p = conf_parameter_find("compatibility_level");
	struct view level = view_of(c->values.compatibility_level);
	unsigned parts[3];

	if (compatibility_level_parse(level, parts))
		return true;
	*why = describe(c, p, level, "must be a release such as 3.11");
	return false;
}

static bool
evaluate_all(struct conf *c, struct buf *expanded, char **why)
{
	bool ok = evaluate(c, conf_parameter_find("compatibility_level"), expanded, why) &&
	    check_level(c, why);

	/* What was set comes first: an error then names the cause and not a default made of it.
	 */
	for (size_t i = 0; ok && i < c->count; i++) {
		const struct conf_parameter *p = conf_parameter_find(c->settings[i]->name);
		ok = !p || evaluate(c, p, expanded, why);
	}
	for (size_t i = 0; ok && i < conf_parameter_count; i++)
		if (!hash_find(c->by_name, view_of(conf_parameters[i].name)))
			ok = evaluate(c, &conf_parameters[i], expanded, why);
	return ok;
}

bool
conf_evaluate(struct conf *c, char **why)
{
	struct buf expanded = BUF_INIT(CONF_VALUE_MAX);

	*why = NULL;
	arena_reset(&c->strings);
	bool ok = evaluate_all(c, &expanded, why);
	buf_done(&expanded);
	return ok;
}

const struct conf_values *
conf_values_of(const struct conf *c)
{
	return &c->values;
}
