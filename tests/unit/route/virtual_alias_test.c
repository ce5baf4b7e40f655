/* SPDX-License-Identifier: Apache-2.0 */
/* Expansion of recipients, its limits and its loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "route/virtual_alias.h"
#include "tests/unit/conf_text.h"

#define COMMON                                                                                 \
	"mydestination = local.example\nrecipient_delimiter = +\nmyorigin = local.example\n"

static enum table_result
expand(const char *text, const char *address, struct buf *joined)
{
	char *all = mem_printf("%s%s", COMMON, text);
	struct conf *conf = conf_of(all);
	struct router *router = router_open(conf);
	struct virtual_alias_result out = { 0 };
	struct arena arena = ARENA_INIT;
	const char *why = NULL;
	enum table_result result =
	    virtual_alias_expand(router, view_of(address), &arena, &out, &why);

	assert_int_equal(why != NULL, result == TABLE_CANNOT_TELL);
	buf_clear(joined);
	for (size_t i = 0; i < out.count; i++)
		buf_printf(joined, "%s%.*s", i > 0 ? " " : "", VIEW_ARG(out.addresses[i]));
	arena_reset(&arena);
	router_free(&router);
	conf_free(&conf);
	mem_free(all);
	return result;
}

#define MAP(entries) "virtual_alias_maps = inline:{" entries "}\n"

static void
expansions(void **state)
{
	static const struct {
		const char *text, *address;
		const char *expected; /* NULL: no entry; "?": cannot tell */
	} rows[] = {
		{ "", "a@x.example", NULL },
		{ MAP("b@x.example=c@y.example"), "a@x.example", NULL },
		{ MAP("a@x.example=c@y.example"), "a@x.example", "c@y.example" },
		{ MAP("a@x.example=c@y.example"), "A@X.example", "c@y.example" },
		{ MAP("a@x.example=user"), "a@x.example", "user@local.example" },
		{ MAP("{a@x.example = c@y.example, d@y.example}"), "a@x.example",
		    "c@y.example d@y.example" },
		{ MAP("{a@x.example = b@x.example, c@y.example} {b@x.example = d@y.example}"),
		    "a@x.example", "c@y.example d@y.example" },
		/* Named twice, delivered once. */
		{ MAP("{a@x.example = c@y.example, C@y.example, b@x.example}"
		      " {b@x.example = c@y.example}"),
		    "a@x.example", "c@y.example" },
		{ MAP("a=c@y.example"), "a@local.example", "c@y.example" },
		{ MAP("a=c@y.example"), "a@x.example", NULL },
		{ MAP("@x.example=c@y.example"), "any@x.example", "c@y.example" },
		{ MAP("@x.example=@y.example"), "any+e@x.example", "any+e@y.example" },
		{ MAP("@x.example=@y.example"), "a@b@x.example", "a@b@y.example" },
		/* Extensions. */
		{ MAP("a@x.example=c@y.example"), "a+e@x.example", "c+e@y.example" },
		{ MAP("a+e@x.example=c@y.example"), "a+e@x.example", "c@y.example" },
		{ "propagate_unmatched_extensions = canonical\n" MAP("a@x.example=c@y.example"),
		    "a+e@x.example", "c@y.example" },
		/* An address may stand in its own expansion. */
		{ MAP("{a@x.example = a@x.example, b@y.example}"), "a@x.example",
		    "a@x.example b@y.example" },
		{ MAP("{a@x.example = a@x.example}"), "a@x.example", NULL },
		{ MAP("{a@x.example = a@x.example, b@x.example}"
		      " {b@x.example = b@x.example, a@x.example}"),
		    "a@x.example", "a@x.example b@x.example" },
		{ MAP("a@x.example=b@x.example,b@x.example=a@x.example"), "a@x.example", "?" },
		{ MAP("@x.example=@x.example"), "a@x.example", NULL },
		/* Quoted members. */
		{ MAP("{a@x.example = \"j, s\"@y.example, d@y.example}"), "a@x.example",
		    "j, s@y.example d@y.example" },
		{ MAP("{a@x.example = b@@y.example}"), "a@x.example", "?" },
		{ MAP("{a@x.example = ,}"), "a@x.example", "?" },
		{ MAP("{a@x.example = \"open}"), "a@x.example", "?" },
		/* Failing tables. */
		{ "virtual_alias_maps = fail:x\n", "a@x.example", "?" },
		{ "virtual_alias_maps = inline:{a@x.example=b@x.example} fail:x\n",
		    "a@x.example", "?" },
		{ "virtual_alias_domains =\n" MAP("a=b"), "", NULL },
	};
	struct buf joined = BUF_INIT(10000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum table_result result = expand(rows[i].text, rows[i].address, &joined);
		enum table_result wanted = rows[i].expected == NULL ? TABLE_NOT_FOUND
		    : strcmp(rows[i].expected, "?") == 0            ? TABLE_CANNOT_TELL
								    : TABLE_FOUND;

		if (result != wanted)
			fail_msg("%s%s: %d %s", rows[i].text, rows[i].address, result,
			    buf_str(&joined));
		if (result == TABLE_FOUND)
			assert_string_equal(buf_str(&joined), rows[i].expected);
	}
	buf_done(&joined);
}

/* A table in a file: n addresses on the right, or a chain of n steps. */
static enum table_result
expand_generated(size_t n, bool chain, const char *more)
{
	struct buf source = BUF_INIT(1 << 24), joined = BUF_INIT(1 << 24);
	char directory[32], *path, *text;
	enum table_result result;

	if (!chain)
		buf_append_str(&source, "a@x.example ");
	for (size_t i = 0; i < n; i++) {
		if (chain)
			buf_printf(&source, "a%zu@x.example a%zu@x.example\n", i, i + 1);
		else
			buf_printf(&source, "%su%zu@y.example", i > 0 ? ", " : "", i);
	}
	test_directory(directory);
	path = test_file(directory, "map", buf_str(&source));
	text = mem_printf("virtual_alias_maps = texthash:%s\n%s", path, more);
	result = expand(text, chain ? "a0@x.example" : "a@x.example", &joined);
	test_directory_remove(directory);
	mem_free(path);
	mem_free(text);
	buf_done(&source);
	buf_done(&joined);
	return result;
}

static void
limits(void **state)
{
	(void)state;
	assert_int_equal(expand_generated(1000, false, ""), TABLE_FOUND);
	assert_int_equal(expand_generated(1001, false, ""), TABLE_CANNOT_TELL);
	assert_int_equal(expand_generated(3000, false, ""), TABLE_CANNOT_TELL);
	assert_int_equal(
	    expand_generated(5, false, "virtual_alias_expansion_limit = 5\n"), TABLE_FOUND);
	assert_int_equal(expand_generated(6, false, "virtual_alias_expansion_limit = 5\n"),
	    TABLE_CANNOT_TELL);
	assert_int_equal(expand_generated(1000, true, ""), TABLE_FOUND);
	assert_int_equal(expand_generated(1001, true, ""), TABLE_CANNOT_TELL);
	assert_int_equal(expand_generated(50000, true, ""), TABLE_CANNOT_TELL);
	assert_int_equal(
	    expand_generated(5, true, "virtual_alias_recursion_limit = 5\n"), TABLE_FOUND);
	assert_int_equal(expand_generated(6, true, "virtual_alias_recursion_limit = 5\n"),
	    TABLE_CANNOT_TELL);
}

/* An extension that comes back each time makes the address grow: the length limit ends it. */
static void
growing_addresses(void **state)
{
	struct buf joined = BUF_INIT(10000);

	(void)state;
	assert_int_equal(
	    expand(MAP("a@x.example=a+0123456789@x.example"), "a+b@x.example", &joined),
	    TABLE_CANNOT_TELL);
	assert_int_equal(
	    expand("virtual_alias_address_length_limit = 10\n" MAP("a@x=0123456789@y"), "a@x",
		&joined),
	    TABLE_CANNOT_TELL);
	buf_done(&joined);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expansions),
		cmocka_unit_test(limits),
		cmocka_unit_test(growing_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
