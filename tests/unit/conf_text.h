/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a configuration from text, and files in a directory of the test's own. */
#ifndef TESTS_UNIT_CONF_TEXT_H
#define TESTS_UNIT_CONF_TEXT_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"

/* main.cf as given, behind settings that make the outcome independent of the machine. */
static inline struct conf *
conf_of(const char *text)
{
	char *all = mem_printf("compatibility_level = 3.12\nmyhostname = mail.example.org\n"
			       "mydomain = example.org\ninet_interfaces = 192.0.2.25\n"
			       "mynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\n%s",
	    text);
	char *why = NULL;
	struct conf *c = conf_open_text("main.cf", view_of(all), true, &why);

	if (c == NULL || !conf_evaluate(c, &why)) {
		fprintf(stderr, "conf_of: %s\n", why);
		abort();
	}
	mem_free(all);
	return c;
}

/* A directory of its own for a test. */
static inline void
test_directory(char path[32])
{
	snprintf(path, 32, "/tmp/postern-unit-XXXXXX");
	if (mkdtemp(path) == NULL)
		abort();
}

/* Writes a file in it; the caller frees the path. */
static inline char *
test_file(const char *directory, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", directory, name);
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
	return path;
}

/* Removes the files of a flat directory, and the directory. */
static inline void
test_directory_remove(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

#endif
