/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of notices: the templates, expanded once before the jail. A file that is wrong
 * costs a warning and never a notice. The built-in words are kept beside the others, for a
 * report in UTF-8 must not begin with text in another character set.
 */
#include "base/escape.h"
#include "base/log.h"
#include "base/mem.h"
#include "bounce/bounce.h"
#include "mail/address.h"
#include "mail/header.h"

#define TEXT_MAX BOUNCE_TEMPLATE_FILE_MAX

struct words {
	struct report_words custom[BOUNCE_TEMPLATE_KINDS];
	struct report_words builtin[BOUNCE_TEMPLATE_KINDS];
	struct arena arena;
};

static struct words words;

/* From: with the domain of this system where an address has none, as mail from here has it. */
static struct view
from_complete(struct view from)
{
	struct buf out = BUF_INIT(8 * ADDRESS_MAX), full = BUF_INIT(2 * ADDRESS_MAX);
	struct header_address_walk walk;
	struct header_address a;
	const char *at = from.p;
	struct view kept;

	header_address_walk_init(&walk, from);
	while (header_address_next(&walk, &a)) {
		if (a.is_group_start || a.is_group_end || a.spec.n == 0)
			continue;
		buf_append(&out, at, (size_t)(a.spec.p - at));
		buf_clear(&full);
		route_standard_form(bounce.conf, a.address, &full);
		address_quote(&out, buf_view(&full));
		at = a.spec.p + a.spec.n;
	}
	buf_append(&out, at, (size_t)(from.p + from.n - at));
	header_address_walk_done(&walk);
	kept = arena_view(&words.arena, buf_view(&out));
	buf_done(&out);
	buf_done(&full);
	return kept;
}

/* False: the text could not be expanded. */
static bool
words_make(struct report_words *w, const struct bounce_template *t)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char *why = NULL;
	bool ok = bounce_template_expand(service_conf(), t, &text, &why);

	if (!ok)
		log_warn("%s_template: %s: the built-in text is used", t->name, why);
	mem_free(why);
	*w = (struct report_words){
		.charset = arena_view(&words.arena, t->charset),
		.from = from_complete(t->from),
		.subject = arena_view(&words.arena, t->subject),
		.postmaster_subject = arena_view(&words.arena, t->postmaster_subject),
		.text = arena_view(&words.arena, buf_view(&text)),
		.is_8bit = !ascii_is_all(buf_view(&text)),
	};
	/* A value of main.cf may bring in what the template itself has not. */
	if (ok && w->is_8bit && !t->is_8bit && view_eq_nocase(t->charset, VIEW("us-ascii")) &&
	    utf8_is_valid(buf_view(&text)))
		w->charset = VIEW("utf-8");
	buf_done(&text);
	return ok;
}

static void
warn(const char *warning, void *context)
{
	(void)context;
	log_warn("%s", warning);
}

void
words_load(void)
{
	struct bounce_templates templates;

	bounce_templates_open(&templates, bounce.conf->bounce_template_file, warn, NULL);
	for (int i = 0; i < BOUNCE_TEMPLATE_KINDS; i++) {
		words_make(&words.builtin[i], bounce_template_builtin(i));
		if (!words_make(&words.custom[i], &templates.of[i]))
			words.custom[i] = words.builtin[i];
	}
	bounce_templates_done(&templates);
}

const struct report_words *
words_for(enum bounce_template_kind kind, bool utf8)
{
	const struct report_words *w = &words.custom[kind];

	if (utf8 && !view_eq_nocase(w->charset, VIEW("utf-8")) && w->is_8bit)
		return &words.builtin[kind];
	return w;
}
