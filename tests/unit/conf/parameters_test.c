/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of parameters: complete, sorted, described, and consistent with themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"

/* What Postfix 3.12 knows, and what stands beside it in parameters.def. */
enum {
	POSTFIX_PARAMETERS = 906,
	OLD_NAMES = 13,
	READ_ONLY_NAMES = 3,   /* process_id, process_name, service_name */
	SERVICE_INSTANCES = 8, /* smtp_destination_concurrency_limit and such */
	SERVICE_SUFFIXES = 17,
	OWN_PARAMETERS = 16,
};

static void
counts(void **state)
{
	size_t own = 0, old = 0;

	(void)state;
	for (size_t i = 0; i < conf_parameter_count; i++) {
		own += view_has_prefix(view_of(conf_parameters[i].text), VIEW("Postern:"));
		old += conf_parameters[i].status == CONF_OLD_NAME;
	}
	assert_int_equal(own, OWN_PARAMETERS);
	assert_int_equal(old, OLD_NAMES);
	assert_int_equal(conf_parameter_count,
	    POSTFIX_PARAMETERS + OLD_NAMES + READ_ONLY_NAMES + SERVICE_INSTANCES +
		OWN_PARAMETERS);
	assert_int_equal(conf_service_parameter_count, SERVICE_SUFFIXES);
}

static void
sorted_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_parameter_count; i++) {
		const struct conf_parameter *p = &conf_parameters[i];
		if (i > 0 && strcmp(p[-1].name, p->name) >= 0)
			fail_msg("%s is out of order", p->name);
		assert_ptr_equal(conf_parameter_find(p->name), p);
	}
	for (size_t i = 1; i < conf_service_parameter_count; i++)
		assert_true(strcmp(conf_service_parameters[i - 1].name,
				conf_service_parameters[i].name) < 0);
	assert_null(conf_parameter_find("no_such_parameter"));
	assert_null(conf_parameter_find(""));
}

static void
check_row(const struct conf_parameter *p)
{
	size_t n = strlen(p->text);

	if (n < 12 || n > 90 || strchr(p->text, '\n') || p->text[n - 1] == '.')
		fail_msg("%s: text \"%s\"", p->name, p->text);
	if ((p->type == CONF_TIME) != (p->unit != 0) || (p->unit && !strchr("smhdw", p->unit)))
		fail_msg("%s: unit", p->name);
	if (p->max && p->max < p->min)
		fail_msg("%s: bounds", p->name);
	if (p->min < 0 && p->type != CONF_INT)
		fail_msg("%s: min", p->name);
	if (p->status == CONF_IGNORED && !strstr(p->text, ": "))
		fail_msg("%s: does not say why it has no effect", p->name);
}

static void
rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_parameter_count; i++)
		check_row(&conf_parameters[i]);
	for (size_t i = 0; i < conf_service_parameter_count; i++)
		check_row(&conf_service_parameters[i]);
}

/* Each default expands, converts and is within its own bounds; strings are never NULL. */
static void
defaults_evaluate(void **state)
{
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", VIEW(""), true, &why);

	(void)state;
	if (!conf_evaluate(c, &why))
		fail_msg("%s", why);
	for (size_t i = 0; i < conf_parameter_count; i++) {
		const struct conf_parameter *p = &conf_parameters[i];
		const char *text;
		if (p->type != CONF_STRING && p->type != CONF_RAW)
			continue;
		memcpy(&text, (const char *)conf_values_of(c) + p->offset, sizeof(text));
		if (!text)
			fail_msg("%s is NULL", p->name);
	}
	conf_free(&c);
}

static void
removed_names(void **state)
{
	(void)state;
	assert_non_null(conf_removed_find("sender_based_routing"));
	assert_non_null(conf_removed_find("enable_errors_to"));
	assert_null(conf_removed_find("myhostname"));
	assert_null(conf_parameter_find("sender_based_routing"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(sorted_and_found),
		cmocka_unit_test(rows),
		cmocka_unit_test(defaults_evaluate),
		cmocka_unit_test(removed_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
