/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child gets no variable that nobody asked for: LD_PRELOAD, IFS, DB_HOME and their like have
 * turned many a daemon against its host. The list says which names pass; a value that is not
 * plain printable text does not.
 */
#include "service/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/view.h"

#define ENVIRONMENT_MAX 64   /* variables */
#define VALUE_MAX       4096 /* bytes of one imported value */

#define SAFE_PATH "PATH=/usr/bin:/bin:/usr/sbin:/sbin"

static bool
value_is_plain(const char *value)
{
	size_t n = 0;

	for (; value[n] != '\0'; n++) {
		if (value[n] < ' ' || value[n] > '~' || n == VALUE_MAX)
			return false;
	}
	return true;
}

/* "{ name = value }" and "name=value" become "name=value". */
static char *
assignment(struct view word, size_t equals)
{
	struct view name = view_trim(view_sub(word, 0, equals));
	struct view value = view_trim(view_sub(word, equals + 1, word.n));

	return mem_printf("%.*s=%.*s", VIEW_ARG(name), VIEW_ARG(value));
}

static char *
variable(struct view word)
{
	size_t equals;
	char *name, *result = NULL;
	const char *value;

	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = view_trim(view_sub(word, 1, word.n - 2));
	equals = view_find(word, '=');
	if (equals < word.n)
		return assignment(word, equals);
	name = mem_dup(word.p, word.n);
	value = getenv(name);
	if (value && value_is_plain(value))
		result = mem_printf("%s=%s", name, value);
	mem_free(name);
	return result;
}

char **
environment_new(const char *list)
{
	char **environment = mem_zero(ENVIRONMENT_MAX + 2, sizeof(*environment));
	struct view rest = view_of(list), word;
	size_t n = 0;

	environment[n++] = mem_strdup(SAFE_PATH);
	while (n <= ENVIRONMENT_MAX && view_next_braced(&rest, ", \t\r\n", &word)) {
		char *text = variable(word);

		if (text)
			environment[n++] = text;
	}
	return environment;
}

void
environment_free(char ***environment)
{
	if (!*environment)
		return;
	for (char **e = *environment; *e; e++)
		mem_free(*e);
	mem_free(*environment);
	*environment = NULL;
}

void
environment_clean(const char *list)
{
	char **fresh = environment_new(list);

	clearenv();
	for (char **e = fresh; *e; e++) {
		struct view v = view_of(*e);
		size_t equals = view_find(v, '=');
		char *name = mem_dup(v.p, equals);

		if (equals < v.n)
			setenv(name, *e + equals + 1, 1);
		mem_free(name);
	}
	environment_free(&fresh);
}
