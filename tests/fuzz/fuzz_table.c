/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources of tables: any bytes become entries with positions inside the text, and what
 * alias_entry_parse writes is read back as the same members.
 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "table/aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count_members(struct view value)
{
	struct buf scratch = BUF_INIT(1 << 20);
	struct alias_member m;
	size_t n = 0;

	while (alias_member_next(&value, &scratch, &m)) {
		assert(m.kind <= ALIAS_INCLUDE);
		n++;
	}
	buf_done(&scratch);
	return n;
}

static void
check_alias(struct view entry)
{
	struct buf key = BUF_INIT(2000), value = BUF_INIT(65536);
	struct buf again = BUF_INIT(200), line = BUF_INIT(70000);
	const char *why = NULL;

	if (alias_entry_parse(entry, &key, &value, &why)) {
		assert(key.len > 0 && value.len > 0);
		assert(count_members(buf_view(&value)) > 0);
		/* The normal form is its own normal form. */
		buf_append_str(&line, "k: ");
		buf_append_view(&line, buf_view(&value));
		if (!line.overflow) {
			struct buf second = BUF_INIT(65536);

			assert(alias_entry_parse(buf_view(&line), &again, &second, &why));
			assert(view_eq(buf_view(&value), buf_view(&second)));
			buf_done(&second);
		}
	} else {
		assert(why != NULL);
	}
	buf_done(&key);
	buf_done(&value);
	buf_done(&again);
	buf_done(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = { (const char *)data, size }, key, value;
	struct source_lines lines;
	const char *why = NULL;
	unsigned last = 0;

	source_lines_init(&lines, text);
	while (source_lines_next(&lines)) {
		struct view entry = buf_view(&lines.text);

		assert(lines.line > last);
		last = lines.line;
		assert(entry.n <= size);
		if (map_entry_parse(entry, &key, &value, &why))
			assert(key.n > 0 && value.n > 0 && key.n + value.n < entry.n);
		check_alias(entry);
	}
	source_lines_done(&lines);
	check_alias(text);
	return 0;
}
