/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue directory and what must lie in it. The queue directory itself belongs to root, so
 * nobody else can put a link in the place of a directory that root makes or repairs here; each
 * is opened without following links and changed through the descriptor. Below the directories
 * of mail_owner root touches nothing.
 *
 * private/ and public/ belong to root too, because only master makes sockets there. Services of
 * all users reach private/ through mail_owner's group. public/ can be searched, not listed, by
 * everybody: without set-gid programs, sendmail and mailq are whoever calls them, and the
 * services there look at SO_PEERCRED.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/directories.h"

enum owner { OWNER_ROOT, OWNER_MAIL };

static const struct directory {
	const char *name;
	enum owner owner;
	mode_t mode;
} directories[] = {
	{ "pid", OWNER_ROOT, 0755 },
	{ "private", OWNER_ROOT, 0710 },
	{ "public", OWNER_ROOT, 0711 },
	{ "maildrop", OWNER_MAIL, 01733 }, /* files may be left, not listed or taken away */
	{ "incoming", OWNER_MAIL, 0700 },
	{ "slots", OWNER_MAIL, 0700 },
	{ "deferred", OWNER_MAIL, 0700 },
	{ "hold", OWNER_MAIL, 0700 },
	{ "index", OWNER_MAIL, 0700 },
	{ "corrupt", OWNER_MAIL, 0700 },
};

struct owners {
	bool is_root;
	uid_t root, mail;
	gid_t mail_group;
};

static void
owners_find(const struct conf_values *v, struct owners *o)
{
	struct passwd *pw;

	o->is_root = geteuid() == 0;
	o->root = geteuid();
	o->mail = o->root;
	o->mail_group = getegid();
	if (!o->is_root)
		return;
	pw = getpwnam(v->mail_owner);
	if (!pw)
		log_fatal("mail_owner = %s: no such user", v->mail_owner);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		log_fatal("mail_owner = %s: must not be root or in group root", v->mail_owner);
	o->mail = pw->pw_uid;
	o->mail_group = pw->pw_gid;
}

static void
repair(int fd, const char *name, uid_t uid, const struct owners *o, mode_t mode, bool is_new)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		log_fatal("%s: %s", name, strerror(errno));
	if (st.st_uid != uid || (o->is_root && st.st_gid != o->mail_group)) {
		if (!is_new)
			log_warn("%s: owner was %ld:%ld, is now %ld:%ld", name, (long)st.st_uid,
			    (long)st.st_gid, (long)uid, (long)o->mail_group);
		if (fchown(fd, uid, o->is_root ? o->mail_group : (gid_t)-1) < 0)
			log_fatal("%s: cannot change its owner: %s", name, strerror(errno));
	}
	if ((st.st_mode & 07777) != mode) {
		if (!is_new)
			log_warn("%s: mode was %04o, is now %04o", name,
			    (unsigned)st.st_mode & 07777, (unsigned)mode);
		if (fchmod(fd, mode) < 0)
			log_fatal("%s: cannot change its mode: %s", name, strerror(errno));
	}
}

static void
make(const char *name, uid_t uid, const struct owners *o, mode_t mode)
{
	bool is_new = mkdir(name, 0700) == 0;
	int fd;

	if (!is_new && errno != EEXIST)
		log_fatal("mkdir %s: %s", name, strerror(errno));
	fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		log_fatal("directory %s: %s", name, strerror(errno));
	repair(fd, name, uid, o, mode, is_new);
	close(fd);
}

static void
enter_queue(const char *name)
{
	struct stat st;

	if (mkdir(name, 0755) < 0 && errno != EEXIST)
		log_fatal("queue_directory %s: %s", name, strerror(errno));
	if (chdir(name) < 0 || stat(".", &st) < 0)
		log_fatal("queue_directory %s: %s", name, strerror(errno));
	if (st.st_uid != geteuid())
		log_fatal("queue_directory %s belongs to user id %ld, must be %ld", name,
		    (long)st.st_uid, (long)geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		log_fatal("queue_directory %s can be written by others than its owner", name);
}

void
directories_prepare(const struct conf_values *v)
{
	struct owners o;

	owners_find(v, &o);
	enter_queue(v->queue_directory);
	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		const struct directory *d = &directories[i];

		make(d->name, d->owner == OWNER_MAIL ? o.mail : o.root, &o, d->mode);
	}
	make(v->data_directory, o.mail, &o, 0700);
}

/* Whoever captures a service of this user has mail_owner's rights to other processes too. */
static void
warn_shared(const char *parameter, const char *user, const char *mail_owner)
{
	if (!getpwnam(user))
		log_warn(
		    "%s = %s: no such user: its services run as mail_owner", parameter, user);
	else if (strcmp(user, mail_owner) == 0)
		log_warn("%s is mail_owner: its services are not kept apart", parameter);
}

void
directories_warn_shared(const struct conf_values *v)
{
	warn_shared("mail_user_network", v->mail_user_network, v->mail_owner);
	warn_shared("mail_user_tables", v->mail_user_tables, v->mail_owner);
}
