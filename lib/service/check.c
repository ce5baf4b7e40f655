/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What postern check looks at beyond what a start needs: whoever can write the configuration or
 * the programs is root, so nobody else must be able to.
 */
#include "service/check.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static unsigned
check_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		log_warn("%s: %s", path, strerror(errno));
		return 1;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		log_warn("%s belongs to user id %ld: must be root", path, (long)st.st_uid);
		return 1;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_warn("%s can be written by others: mode %04o", path,
		    (unsigned)st.st_mode & 07777);
		return 1;
	}
	return 0;
}

static unsigned
check_below(const char *directory)
{
	DIR *d = opendir(directory);
	unsigned found = check_path(directory);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		char *path;

		if (e->d_name[0] == '.')
			continue;
		path = mem_printf("%s/%s", directory, e->d_name);
		found += check_path(path);
		mem_free(path);
	}
	if (d)
		closedir(d);
	return found;
}

unsigned
check_permissions(const struct conf *c)
{
	static const char *const files[] = { "main.cf", "master.cf" };
	const char *directory = conf_directory(c);
	unsigned found = check_path(directory);

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *path = mem_printf("%s/%s", directory, files[i]);

		found += check_path(path);
		mem_free(path);
	}
	return found + check_below(conf_values_of(c)->daemon_directory);
}
