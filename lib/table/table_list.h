/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a struct table_list, for the search for addresses. */
#ifndef TABLE_TABLE_LIST_H
#define TABLE_TABLE_LIST_H

#include "table/table.h"

struct table_list {
	struct table **tables;
	size_t count;
};

#endif
