/* SPDX-License-Identifier: Apache-2.0 */
/* The queue directory, what lies in it, and the data directory. */
#ifndef SERVICE_DIRECTORIES_H
#define SERVICE_DIRECTORIES_H

#include "conf/conf.h"

/*
 * Enters the queue directory (it becomes the working directory), makes what is missing, repairs
 * owners and modes with a warning; log_fatal when something cannot be made safe.
 */
void directories_prepare(const struct conf_values *v);

/* As root: warns of services that have no user of their own. */
void directories_warn_shared(const struct conf_values *v);

#endif
