/* SPDX-License-Identifier: Apache-2.0 */
/* File systems by device, from mountinfo as the kernel writes it, and as it never should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "local/rename_order.h"

static const char mounts[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n"
    "23 22 0:5 / /proc rw - proc proc rw\n"
    "30 22 8:1 / /var/ext4\\040xfs rw,noatime shared:2 master:1 - xfs /dev/sda1 rw\n"
    "31 22 0:44 /sub /home rw - btrfs /dev/sdb rw,subvol=/sub\n"
    "32 22 8:17 / /mnt/old rw - ext2 /dev/sdb1 rw\n"
    "33 22 8:33 / /mnt/ext4 rw - vfat /dev/ext4 rw\n"
    "34 22 8:49 / /mnt/short rw -\n"
    "35 22 8:65 / - - - ext3 ext4 rw\n";

static void
types(void **state)
{
	static const struct {
		unsigned major, minor;
		bool keeps_order;
	} cases[] = { { 254, 0, true }, { 8, 1, true }, { 0, 44, false }, { 8, 17, false },
		{ 8, 33, false }, { 8, 49, false }, { 8, 65, false }, { 254, 1, false },
		{ 25, 40, false }, { 0, 5, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(rename_keeps_order_in(
				     view_of(mounts), makedev(cases[i].major, cases[i].minor)),
		    cases[i].keeps_order);
	assert_false(rename_keeps_order_in(VIEW(""), makedev(254, 0)));
}

/* No journal is behind /proc itself. */
static void
this_system(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat("/proc", &st), 0);
	assert_false(rename_keeps_order(st.st_dev));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(this_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
