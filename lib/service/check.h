/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CHECK_H
#define SERVICE_CHECK_H

#include "conf/conf.h"

/*
 * Warns about configuration files and programs that somebody other than root and this user can
 * write; returns how many.
 */
unsigned check_permissions(const struct conf *c);

#endif
