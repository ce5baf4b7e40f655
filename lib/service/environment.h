/* SPDX-License-Identifier: Apache-2.0 */
/* The environment a child starts with: built from nothing, by import_environment. */
#ifndef SERVICE_ENVIRONMENT_H
#define SERVICE_ENVIRONMENT_H

/*
 * list holds names (kept when set, and when the value is printable ASCII) and name=value pairs,
 * separated by blanks or commas, { } around pairs with blanks. PATH is always a fixed one.
 */
char **environment_new(const char *list);
void environment_free(char ***environment);

/* Replaces the environment of this process. */
void environment_clean(const char *list);

#endif
