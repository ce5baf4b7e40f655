/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_path: the files below a user's home that say where mail goes instead. Values that
 * come from an address pass forward_expansion_filter first: with the filter as installed "../"
 * passes, but stands behind a name that does not exist.
 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "local/local.h"

struct names {
	const struct user *user;
	const char *local, *extension, *domain, *recipient;
	char delimiter[2]; /* the one in this address */
};

static const char *
filtered(struct arena *a, struct view text)
{
	char *copy = arena_dup(a, text);

	for (char *p = copy; *p; p++)
		if (!strchr(local.conf->forward_expansion_filter, *p))
			*p = '_';
	return copy;
}

static const char *
name_value(const char *name, void *context)
{
	const struct names *n = context;
	const struct {
		const char *name;
		const char *value;
	} values[] = {
		{ "user", n->user->name },
		{ "home", n->user->home },
		{ "shell", n->user->shell },
		{ "local", n->local },
		{ "extension", n->extension },
		{ "domain", n->domain },
		{ "recipient", n->recipient },
		{ "recipient_delimiter", n->delimiter },
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value;
	return NULL;
}

/*
 * Without root the suite cannot look into other users' homes, and is nobody's mail system but
 * its own user's: only that user's files count.
 */
static bool
can_look(const struct user *user)
{
	return service_runs_as_root() ? user->uid != 0 : user->uid == geteuid();
}

/* Without an extension the two names of the default are one: it is looked for once. */
static bool
is_repeated(struct view all, size_t before)
{
	struct view last = view_sub(all, before, SIZE_MAX);

	return before == last.n && view_has_prefix(all, last);
}

struct view
forward_paths(struct arena *a, const struct mailbox_request *r)
{
	struct buf out = BUF_INIT(16384);
	struct view rest = view_of(local.conf->forward_path), word, text;
	struct names names = {
		.user = r->user,
		.local = filtered(a, r->local),
		.extension = filtered(a, r->extension),
		.domain = filtered(a, r->domain),
		.recipient = filtered(a, r->recipient->address),
		.delimiter = { r->delimiter },
	};

	if (!can_look(r->user))
		return VIEW_NONE;
	while (view_next_word(&rest, ", \t\r\n", &word)) {
		size_t before = out.len;
		char *why = NULL;

		if (!conf_expand_with(local.main_cf, name_value, &names, word, &out, &why)) {
			log_warn("forward_path: %s", why);
			mem_free(why);
			buf_truncate(&out, before);
		} else if (out.len > before) {
			buf_append_char(&out, '\n');
			if (is_repeated(buf_view(&out), before))
				buf_truncate(&out, before);
		}
	}
	text = arena_view(a, buf_view(&out));
	buf_done(&out);
	return text;
}
