/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files: the input as main.cf, evaluated whole, and as master.cf. What cannot be
 * read must give a reason; what was read must be found again by its names.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "conf/bounce_template.h"
#include "conf/conf.h"
#include "conf/expand.h"
#include "conf/list.h"
#include "conf/master_cf.h"
#include "conf/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Interfaces and resolvers are not part of the input. */
static struct conf *
open_main(struct view text)
{
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", text, true, &why);

	assert(!c == !!why);
	mem_free(why);
	if (!c)
		return NULL;
	conf_set(c, "inet_interfaces", "127.0.0.1");
	return c;
}

static void
count_name(struct view name, void *context)
{
	size_t *count = context;

	assert(name.n > 0);
	++*count;
}

static void
check_settings(const struct conf *c)
{
	size_t references = 0;

	for (size_t i = 0; i < conf_set_count(c); i++) {
		const char *name = conf_set_name(c, i);
		const char *text = conf_text(c, name, NULL);
		struct buf out = BUF_INIT(CONF_VALUE_MAX);
		char *why = NULL;
		assert(text);
		expand_names(view_of(text), count_name, &references);
		bool ok = conf_expand(c, view_of(text), &out, &why);
		assert(ok == !why);
		mem_free(why);
		buf_done(&out);
	}
}

static void
check_lists(struct view text)
{
	struct view member;

	while (conf_list_next(&text, &member)) {
		struct cidr net;
		const char *why = NULL;
		if (cidr_parse(conf_list_unbrace(member), &net, &why))
			assert(net.prefix <= 128 && cidr_has(&net, net.address));
		else
			assert(why);
	}
}

static void
check_master(struct view text, const struct conf *c)
{
	char *why = NULL;
	struct master_cf *m = master_cf_parse("master.cf", text, c, true, &why);

	assert(!m == !!why);
	mem_free(why);
	for (size_t i = 0; m && i < m->count; i++) {
		const struct master_entry *e = &m->entries[i];
		assert(e->program[0] != '\0' && !e->arguments[e->argument_count]);
		assert(master_cf_find(m, e->name, e->type) == e);
	}
	master_cf_free(&m);
}

static void
ignore_warning(const char *warning, void *context)
{
	(void)context;
	assert(!strchr(warning, '\n'));
}

static void
check_templates(struct view text, const struct conf *c)
{
	struct bounce_templates t;

	bounce_templates_parse(&t, "bounce.cf", text, ignore_warning, NULL);
	for (int i = 0; i < BOUNCE_TEMPLATE_KINDS; i++) {
		struct buf out = BUF_INIT(CONF_VALUE_MAX);
		char *why = NULL;

		assert(t.of[i].text.n > 0 && t.of[i].subject.n > 0);
		if (c && !bounce_template_expand(c, &t.of[i], &out, &why))
			mem_free(why);
		buf_done(&out);
	}
	bounce_templates_done(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = { (const char *)data, size };
	struct conf *c = open_main(text);
	char *why = NULL;
	bool ok = false;

	if (c) {
		check_settings(c);
		ok = conf_evaluate(c, &why);
		assert(ok == !why);
		mem_free(why);
	}
	check_lists(text);
	check_master(text, c);
	check_templates(text, ok ? c : NULL);
	conf_free(&c);
	return 0;
}
