/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly linked ring. A struct list is both the head and a link in each member. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_insert_after(struct list *position, struct list *item)
{
	item->prev = position;
	item->next = position->next;
	position->next->prev = item;
	position->next = item;
}

static inline void
list_append(struct list *head, struct list *item)
{
	list_insert_after(head->prev, item);
}

static inline void
list_prepend(struct list *head, struct list *item)
{
	list_insert_after(head, item);
}

/* Unlinks; removing an item that is in no list is harmless after list_init. */
static inline void
list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* The first member, unlinked, or NULL. */
static inline struct list *
list_pop(struct list *head)
{
	struct list *item = head->next;

	if (item == head)
		return NULL;
	list_remove(item);
	return item;
}

#define list_for_each(var, head)                                                               \
	for (struct list *var = (head)->next; var != (head); var = var->next)

/* The current member may be removed in the body. */
#define list_for_each_safe(var, tmp, head)                                                     \
	for (struct list *var = (head)->next, *tmp = var->next; var != (head);                 \
	     var = tmp, tmp = var->next)

#define LIST_ITEM(link, type, member) CONTAINER_OF(link, type, member)

#endif
