/* SPDX-License-Identifier: Apache-2.0 */
/* Unknown keywords are other people's extensions; a malformed SIZE is no limit. */
#include "smtp/ehlo.h"

#include "base/mem.h"
#include "base/number.h"

static const struct {
	const char *name;
	unsigned bit;
} features[] = {
	{ "PIPELINING", EHLO_PIPELINING },
	{ "SIZE", EHLO_SIZE },
	{ "8BITMIME", EHLO_8BITMIME },
	{ "DSN", EHLO_DSN },
	{ "ENHANCEDSTATUSCODES", EHLO_ENHANCEDSTATUSCODES },
	{ "SMTPUTF8", EHLO_SMTPUTF8 },
	{ "CHUNKING", EHLO_CHUNKING },
	{ "XFORWARD", EHLO_XFORWARD },
	{ "STARTTLS", EHLO_STARTTLS },
	{ "AUTH", EHLO_AUTH },
}, xforwards[] = {
	{ "NAME", XFORWARD_NAME },
	{ "ADDR", XFORWARD_ADDR },
	{ "PORT", XFORWARD_PORT },
	{ "PROTO", XFORWARD_PROTO },
	{ "HELO", XFORWARD_HELO },
	{ "IDENT", XFORWARD_IDENT },
	{ "SOURCE", XFORWARD_SOURCE },
};

unsigned
ehlo_feature_find(struct view keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		if (view_eq_nocase(keyword, view_of(features[i].name)))
			return features[i].bit;
	return 0;
}

unsigned
ehlo_features_of_list(struct view list, bool *is_silent)
{
	struct view word;
	unsigned found = 0;

	*is_silent = false;
	while (view_next_word(&list, ", \t\r\n", &word)) {
		found |= ehlo_feature_find(word);
		*is_silent |= view_eq_nocase(word, VIEW("silent-discard"));
	}
	return found;
}

bool
ehlo_banner_has_esmtp(struct view line)
{
	struct view word;

	while (view_next_word(&line, " \t", &word))
		if (view_eq_nocase(word, VIEW("ESMTP")))
			return true;
	return false;
}

static void
xforward_read(struct ehlo *e, struct view words)
{
	struct view word;

	while (view_next_word(&words, " \t", &word))
		for (size_t i = 0; i < ARRAY_LEN(xforwards); i++)
			if (view_eq_nocase(word, view_of(xforwards[i].name)))
				e->xforward |= xforwards[i].bit;
}

void
ehlo_line(struct ehlo *e, struct view line)
{
	struct view word, size;
	unsigned bit;

	if (!view_next_word(&line, " \t=", &word))
		return;
	bit = ehlo_feature_find(word);
	e->features |= bit;
	if (bit == EHLO_SIZE && view_next_word(&line, " \t", &size))
		(void)number_parse(size, UINT64_MAX, &e->size);
	if (bit == EHLO_XFORWARD)
		xforward_read(e, line);
}
