/* SPDX-License-Identifier: Apache-2.0 */
/* Alias expansion: what a name leads to, loops, owners, and what cannot be served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/local.h"
#include "tests/unit/conf_text.h"

struct local local;

#define DOMAIN "example.test"

struct fixture {
	struct conf *conf;
	char directory[32];
	char *path;
	struct delivery d;
	struct expansion x;
};

static void
fixture_open(struct fixture *f, const char *settings, const char *aliases)
{
	char *text, *list;

	*f = (struct fixture){ .d.request.sender = VIEW("sender@example.org") };
	test_directory(f->directory);
	f->path = test_file(f->directory, "aliases", aliases);
	text = mem_printf("mydestination = " DOMAIN ", second.test\nmyorigin = " DOMAIN
			  "\nrecipient_delimiter = +\n%s",
	    settings);
	f->conf = conf_of(text);
	list = mem_printf("texthash:%s", f->path);
	local.main_cf = f->conf;
	local.conf = conf_values_of(f->conf);
	local.aliases = table_list_open(strstr(settings, "fail") ? "fail:away" : list, f->conf);
	local.router = router_open(f->conf);
	mem_free(list);
	mem_free(text);
}

static void
fixture_close(struct fixture *f)
{
	router_free(&local.router);
	table_list_free(&local.aliases);
	conf_free(&f->conf);
	arena_reset(&f->d.arena);
	mem_free(f->path);
	test_directory_remove(f->directory);
}

static bool
list_has(const struct destination *list, const char *text)
{
	for (; list; list = list->next)
		if (view_eq(list->text, view_of(text)))
			return true;
	return false;
}

/* Every word is in the list, and nothing else is. */
static void
list_is(const struct destination *list, size_t count, const char *words)
{
	struct view rest = view_of(words), word;
	size_t expected = 0;

	while (view_next_word(&rest, " ", &word)) {
		char *text = mem_dup(word.p, word.n);

		if (!list_has(list, text))
			fail_msg("%s is missing", text);
		mem_free(text);
		expected++;
	}
	assert_int_equal(count, expected);
}

static const char *const aliases = "plain other\n"
				   "remote someone@example.net\n"
				   "ours other@second.test\n"
				   "list one, two@example.test, three@example.net\n"
				   "twice one, ONE, one@second.test\n"
				   "nested list, four\n"
				   "self self, other@example.net\n"
				   "selfonly selfonly\n"
				   "chain self\n"
				   "mixed self, last\n"
				   "circle back\n"
				   "back circle\n"
				   "halfcircle halfback, one\n"
				   "halfback halfcircle\n"
				   "Upper one\n"
				   "ext+tag tagged\n"
				   "ext one\n"
				   "\"two words\" one\n";

static void
destinations(void **state)
{
	static const struct {
		const char *name;
		const char *mailboxes, *forwards;
		const char *self;
	} rows[] = {
		{ "noalias", "noalias", "", NULL },
		{ "noalias+x", "noalias+x", "", NULL },
		{ "plain", "other", "", NULL },
		{ "PLAIN", "other", "", NULL },
		{ "plain+x", "other", "", NULL },
		{ "ours", "other", "", NULL },
		{ "remote", "", "someone@example.net", NULL },
		{ "list", "one two", "three@example.net", NULL },
		{ "twice", "one", "", NULL },
		{ "nested", "one two four", "three@example.net", NULL },
		{ "self", "", "other@example.net", "self" },
		{ "self+x", "", "other@example.net", "self+x" },
		{ "selfonly", "", "", "selfonly" },
		{ "chain", "", "other@example.net", "self" },
		/* Below the top it keeps its own mailbox for when it gets here. */
		{ "mixed", "last", "self@" DOMAIN, NULL },
		{ "circle", "", "", NULL },
		{ "halfcircle", "one", "", NULL },
		{ "upper", "one", "", NULL },
		{ "ext+tag", "tagged", "", NULL },
		{ "ext+other", "one", "", NULL },
		{ "two words", "one", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		fixture_open(&f, "", aliases);
		expand(&f.d, view_of(rows[i].name), VIEW(DOMAIN), &f.x);
		assert_false(f.x.failed);
		list_is(f.x.mailboxes, f.x.mailbox_count, rows[i].mailboxes);
		list_is(f.x.forwards, f.x.forward_count, rows[i].forwards);
		assert_int_equal(f.x.has_self, rows[i].self != NULL);
		if (rows[i].self)
			assert_true(view_eq(f.x.self, view_of(rows[i].self)));
		fixture_close(&f);
	}
}

static void
owners(void **state)
{
	static const char table[] = "list one, two@example.net\n"
				    "owner-list boss@example.net, second@example.net\n"
				    "all list, three\n"
				    "chain list\n"
				    "inner one\nowner-inner boss\nouter inner\n";
	static const struct {
		const char *settings, *name, *sender;
		const char *owner, *forwards;
	} rows[] = {
		{ "", "list", "a@b.test", "owner-list@" DOMAIN, "two@example.net" },
		{ "", "LIST+x", "a@b.test", "owner-LIST@" DOMAIN, "two@example.net" },
		{ "", "chain", "a@b.test", "owner-list@" DOMAIN, "two@example.net" },
		{ "", "outer", "a@b.test", "owner-inner@" DOMAIN, "" },
		/* Only the list's members get the list's owner as sender. */
		{ "", "all", "a@b.test", NULL, "list@" DOMAIN },
		{ "", "list", "", NULL, "two@example.net" },
		{ "", "owner-list", "a@b.test", NULL, "boss@example.net second@example.net" },
		{ "expand_owner_alias = yes\n", "list", "a@b.test", "boss@example.net",
		    "two@example.net" },
		{ "owner_request_special = no\n", "list", "a@b.test", NULL, "two@example.net" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		fixture_open(&f, rows[i].settings, table);
		f.d.request.sender = view_of(rows[i].sender);
		expand(&f.d, view_of(rows[i].name), VIEW(DOMAIN), &f.x);
		assert_false(f.x.failed);
		assert_int_equal(f.x.has_owner, rows[i].owner != NULL);
		if (rows[i].owner)
			assert_true(view_eq(f.x.owner, view_of(rows[i].owner)));
		list_is(f.x.forwards, f.x.forward_count, rows[i].forwards);
		fixture_close(&f);
	}
}

static void
failures(void **state)
{
	static const struct {
		const char *settings, *table, *text;
	} rows[] = {
		{ "", "a |/bin/true\n", "delivery to commands is not available yet" },
		{ "", "a \"|/bin/true -x\"\n", "delivery to commands is not available yet" },
		{ "", "a /var/mail/x\n", "delivery to files is not available yet" },
		{ "", "a :include:/etc/list\n", ":include: lists is not available yet" },
		{ "", "a b, c\nc |x\n", "alias \"c\"" },
		{ "", "a ,\n", "has no members" },
		{ "", "a b@@c\n", "not an address" },
		{ "# fail\n", "a b\n", "alias database unavailable" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		fixture_open(&f, rows[i].settings, rows[i].table);
		expand(&f.d, VIEW("a"), VIEW(DOMAIN), &f.x);
		assert_true(f.x.failed);
		assert_int_equal(f.x.failure.result, DELIVER_DEFERRED);
		assert_int_equal(f.x.failure.dsn[0], '4');
		if (!strstr(f.x.failure.reason, rows[i].text))
			fail_msg("%s is not in: %s", rows[i].text, f.x.failure.reason);
		fixture_close(&f);
	}
}

/* A chain of aliases far longer than any stack would bear, and one with too many members. */
static void
limits(void **state)
{
	struct buf table = BUF_INIT(4 * 1024 * 1024);
	struct fixture f;

	(void)state;
	for (int i = 0; i < EXPANSION_MAX - 1; i++)
		buf_printf(&table, "n%d n%d\n", i, i + 1);
	fixture_open(&f, "", buf_str(&table));
	expand(&f.d, VIEW("n0"), VIEW(DOMAIN), &f.x);
	assert_false(f.x.failed);
	list_is(f.x.mailboxes, f.x.mailbox_count, "n9999");
	fixture_close(&f);

	buf_printf(&table, "n%d n%d\nn%d n%d\n", EXPANSION_MAX - 1, EXPANSION_MAX,
	    EXPANSION_MAX, EXPANSION_MAX + 1);
	fixture_open(&f, "", buf_str(&table));
	expand(&f.d, VIEW("n0"), VIEW(DOMAIN), &f.x);
	assert_true(f.x.failed);
	assert_int_equal(f.x.failure.result, DELIVER_DEFERRED);
	fixture_close(&f);
	buf_done(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations),
		cmocka_unit_test(owners),
		cmocka_unit_test(failures),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
