/* SPDX-License-Identifier: Apache-2.0 */
/* master: started by the postern command, which composes this command line. */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"
#include "master/master.h"

static int
descriptor(const char *text)
{
	uint64_t fd;

	if (!number_parse(view_of(text), 1023, &fd))
		log_fatal("-r %s: not a descriptor", text);
	return (int)fd;
}

int
main(int argc, char **argv)
{
	struct master_options options = { .ready_fd = -1 };
	int letter;

	log_set_tag("postfix/master");
	while ((letter = getopt(argc, argv, "c:dkr:v")) != -1) {
		switch (letter) {
		case 'c':
			options.directory = optarg;
			break;
		case 'd':
			options.foreground = true;
			break;
		case 'k':
			options.check_only = true;
			break;
		case 'r':
			options.ready_fd = descriptor(optarg);
			break;
		case 'v':
			options.verbose++;
			break;
		default:
			log_fatal("usage: master -c directory [-d] [-k] [-r descriptor] [-v]");
		}
	}
	if (!options.directory || options.directory[0] != '/')
		log_fatal("the configuration directory must be an absolute path (-c)");
	return master_run(&options);
}
