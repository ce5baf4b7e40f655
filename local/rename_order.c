/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of mountinfo: id, parent, major:minor, root, mount point, options, optional fields, a
 * single hyphen, type, source, options. Blanks inside a field are escaped.
 */
#include "local/rename_order.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/file.h"

#define MOUNTS_MAX ((size_t)4 * 1024 * 1024)

static bool
line_keeps_order(struct view line, struct view device)
{
	struct view word;
	bool is_device = false;

	for (int i = 0; view_next_word(&line, " ", &word); i++) {
		if (i == 2)
			is_device = view_eq(word, device);
		if (i > 5 && view_eq(word, VIEW("-")))
			break;
	}
	return is_device && view_next_word(&line, " ", &word) &&
	    (view_eq(word, VIEW("ext4")) || view_eq(word, VIEW("xfs")));
}

bool
rename_keeps_order_in(struct view mountinfo, dev_t device)
{
	struct view line;
	char name[32];

	snprintf(name, sizeof(name), "%u:%u", major(device), minor(device));
	while (view_next_word(&mountinfo, "\n", &line))
		if (line_keeps_order(line, view_of(name)))
			return true;
	return false;
}

bool
rename_keeps_order(dev_t device)
{
	struct buf mounts = BUF_INIT(MOUNTS_MAX);
	bool keeps = file_read_at(AT_FDCWD, "/proc/self/mountinfo", &mounts) &&
	    rename_keeps_order_in(buf_view(&mounts), device);

	buf_done(&mounts);
	return keeps;
}
