/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row for each domain, and with parents for ".example.com" as well, which stands for all that
 * is below example.com. Top-level domains have no row. A parent's subdomains are the rows
 * directly below it: in a.b.example.com, "b.example.com" and ".b.example.com" are two.
 *
 * The number of rows has a limit. What comes for yet another domain counts in TOTAL only, so
 * that the first rows, which are what anybody looks for, are right whatever is in the queue.
 */
#include "tools/qshape_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/hash.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 255 /* RFC 1035 2.3.4; of what is longer, the end */
#define NAME_WIDTH_MIN 18
#define CELL           24

struct row {
	struct view name; /* the key in the hash */
	uint64_t subdomains;
	uint64_t counts[]; /* 0: all ages, then the buckets */
};

struct qshape_table {
	struct qshape_shape shape;
	struct hash *rows;
	struct row *total;
	uint64_t left_out;
};

/* How wide the columns are, for one print. */
struct layout {
	size_t name;
	size_t counts[1 + QSHAPE_BUCKETS_MAX];
	char titles[1 + QSHAPE_BUCKETS_MAX][CELL];
};

static struct row *
row_new(const struct qshape_shape *shape, struct view name)
{
	struct row *r =
	    mem_zero(1, sizeof(struct row) + (1 + shape->buckets) * sizeof(uint64_t) + name.n);
	char *copy = (char *)&r->counts[1 + shape->buckets];

	memcpy(copy, name.p, name.n);
	r->name = (struct view){ copy, name.n };
	return r;
}

struct qshape_table *
qshape_table_new(const struct qshape_shape *shape)
{
	struct qshape_table *t = NEW(struct qshape_table);

	assert(shape->tick >= 1 && shape->buckets >= 1);
	assert(shape->buckets <= (shape->is_linear ? QSHAPE_BUCKETS_MAX : QSHAPE_DOUBLES_MAX));
	t->shape = *shape;
	t->rows = hash_new();
	t->total = row_new(shape, VIEW("TOTAL"));
	return t;
}

void
qshape_table_free(struct qshape_table **t)
{
	if (!*t)
		return;
	hash_free(&(*t)->rows, mem_free);
	mem_free((*t)->total);
	mem_free(*t);
	*t = NULL;
}

/* ---- counting ---- */

/* The age, in minutes, at which bucket i ends. */
static uint64_t
limit_of(const struct qshape_shape *shape, unsigned i)
{
	return shape->is_linear ? shape->tick * (i + 1) : shape->tick << i;
}

unsigned
qshape_bucket(const struct qshape_shape *shape, uint64_t age)
{
	unsigned i = 0;

	while (i + 1 < shape->buckets && age / 60 >= limit_of(shape, i))
		i++;
	return i;
}

/* NULL: there are too many. */
static struct row *
row_find(struct qshape_table *t, struct view name, bool *is_new)
{
	struct row *r = hash_find(t->rows, name);

	*is_new = !r;
	if (r || hash_count(t->rows) >= t->shape.domains)
		return r;
	r = row_new(&t->shape, name);
	hash_put(t->rows, r->name, r);
	return r;
}

static void
count(struct row *r, unsigned bucket)
{
	r->counts[0]++;
	r->counts[1 + bucket]++;
}

/* Lower case, no empty labels. Without @, the whole address. */
static struct view
domain_of(struct view address, char out[1 + NAME_MAX_BYTES])
{
	size_t at = view_find_last(address, '@'), n = 0;
	struct view v = at < address.n ? view_sub(address, at + 1, address.n) : address;

	if (address.n == 0)
		return VIEW("MAILER-DAEMON");
	if (v.n > NAME_MAX_BYTES)
		v = view_sub(v, v.n - NAME_MAX_BYTES, NAME_MAX_BYTES);
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] != '.' || (n > 0 && out[n - 1] != '.'))
			out[n++] = char_lower(v.p[i]);
	}
	if (n > 1 && out[n - 1] == '.')
		n--;
	return (struct view){ out, n };
}

/* Makes .b.example of a.b.example and of .a.b.example, in place. False: only a top is left. */
static bool
make_parent(struct view *name)
{
	size_t first = name->n > 0 && name->p[0] == '.';
	struct view rest = view_sub(*name, first, name->n);
	size_t dot = view_find(rest, '.');

	if (dot >= rest.n || name->p[0] == '[')
		return false;
	*name = view_sub(rest, dot, rest.n);
	return view_find_last(*name, '.') > 0;
}

void
qshape_table_add(struct qshape_table *t, struct view address, uint64_t age)
{
	char text[1 + NAME_MAX_BYTES];
	struct view name = domain_of(address, text);
	unsigned bucket = qshape_bucket(&t->shape, age);
	bool is_new, is_new_child = false;
	struct row *r = row_find(t, name, &is_new);

	count(t->total, bucket);
	if (!r)
		t->left_out++;
	while (r) {
		count(r, bucket);
		r->subdomains += is_new_child;
		is_new_child = is_new;
		if (!t->shape.has_parents || !make_parent(&name))
			break;
		r = row_find(t, name, &is_new);
	}
}

uint64_t
qshape_table_left_out(const struct qshape_table *t)
{
	return t->left_out;
}

/* ---- the table ---- */

/* Most first, then the shorter name. */
static int
row_compare(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	if (x->counts[0] != y->counts[0])
		return x->counts[0] > y->counts[0] ? -1 : 1;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	return view_compare(x->name, y->name);
}

static struct row **
rows_sort(const struct qshape_table *t, size_t *n)
{
	struct row **rows = mem_zero(hash_count(t->rows) + 1, sizeof(*rows));
	struct hash_iter it = { 0 };

	*n = 0;
	while (hash_next(t->rows, &it)) {
		struct row *r = it.value;

		if (r->name.n == 0 || r->name.p[0] != '.' ||
		    r->subdomains >= t->shape.subdomains)
			rows[(*n)++] = r;
	}
	qsort(rows, *n, sizeof(*rows), row_compare);
	return rows;
}

/* A blank before each number, and three columns at least. The name has what is left. */
static void
layout_make(const struct qshape_table *t, struct layout *l)
{
	uint64_t last = t->shape.buckets;
	size_t used = 0;

	for (uint64_t i = 0; i <= last; i++) {
		uint64_t limit = i > 0 ? limit_of(&t->shape, (unsigned)i - 1) : 0;
		size_t title, width;

		if (i == last)
			limit = i > 1 ? limit_of(&t->shape, (unsigned)i - 2) : 0;
		title = (size_t)(i == 0 ? snprintf(l->titles[i], CELL, "T")
					: snprintf(l->titles[i], CELL, "%" PRIu64 "%s", limit,
					      i == last ? "+" : ""));
		width = (size_t)snprintf(NULL, 0, "%" PRIu64, t->total->counts[i]);
		width = title > width ? title : width;
		l->counts[i] = width > 2 ? width + 1 : 3;
		used += l->counts[i];
	}
	l->name = t->shape.width > used ? t->shape.width - used : 0;
	if (l->name < NAME_WIDTH_MIN)
		l->name = NAME_WIDTH_MIN;
}

/* Of a name that is too long, the end, behind "+" or ".+". */
static void
name_print(const struct layout *l, struct view name, struct buf *out)
{
	struct buf shown = BUF_INIT(8 * NAME_MAX_BYTES);
	struct view v;

	escape_printable(&shown, name, 4 * NAME_MAX_BYTES);
	v = buf_view(&shown);
	if (v.n > l->name) {
		struct view mark = v.p[0] == '.' ? VIEW(".+") : VIEW("+");

		buf_append_view(out, mark);
		v = view_sub(v, v.n - (l->name - mark.n), v.n);
	} else {
		buf_printf(out, "%*s", (int)(l->name - v.n), "");
	}
	buf_append_view(out, v);
	buf_done(&shown);
}

static void
row_print(
    const struct qshape_table *t, const struct layout *l, const struct row *r, struct buf *out)
{
	name_print(l, r->name, out);
	for (uint64_t i = 0; i <= t->shape.buckets; i++)
		buf_printf(out, "%*" PRIu64, (int)l->counts[i], r->counts[i]);
	buf_append_char(out, '\n');
}

void
qshape_table_print(const struct qshape_table *t, uint64_t top, struct buf *out)
{
	struct layout *l = NEW(struct layout);
	struct row **rows;
	size_t n;

	layout_make(t, l);
	name_print(l, VIEW(""), out);
	for (uint64_t i = 0; i <= t->shape.buckets; i++)
		buf_printf(out, "%*s", (int)l->counts[i], l->titles[i]);
	buf_append_char(out, '\n');
	row_print(t, l, t->total, out);
	rows = rows_sort(t, &n);
	for (size_t i = 0; i < n && (top == 0 || i < top); i++)
		row_print(t, l, rows[i], out);
	mem_free(rows);
	mem_free(l);
}
