/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming somebody else for good. Every step is checked, and afterwards the process tries to
 * get its rights back: when that works, something is wrong that no log line repairs, and it
 * ends.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/view.h"
#include "conf/conf.h"
#include "service/sandbox.h"
#include "service/service.h"

#define SUITE_USERS_MAX 16

static struct passwd *
user_find(const char *user)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		log_fatal("user %s: %s", user, errno ? strerror(errno) : "no such user");
	if (pw->pw_uid == 0)
		log_fatal("user %s is root: services need a user without rights", user);
	return pw;
}

void
sandbox_user(const struct conf *c, const char *user, struct sandbox_identity *out)
{
	const struct conf_values *v = conf_values_of(c);

	out->change = true;
	out->uid = user_find(user)->pw_uid;
	out->gid = user_find(v->mail_owner)->pw_gid;
}

const char *
service_network_user(const struct conf_values *v)
{
	return getpwnam(v->mail_user_network) ? v->mail_user_network : v->mail_owner;
}

/* The parameters that name the suite's users; those unknown to lib/conf are passed over. */
static const char *const user_parameters[] = {
	"mail_owner",
	"mail_user_network",
	"mail_user_tables",
	"mail_user_auth",
};

static struct suite {
	const struct conf *conf;
	unsigned uids[SUITE_USERS_MAX];
	size_t count;
	bool has_owner; /* uids[0] is mail_owner's */
} suite;

/* The answers are asked for after the jail, where the user database is out of reach. */
static void
suite_learn(const struct conf *c)
{
	if (suite.conf == c)
		return;
	suite = (struct suite){ .conf = c };
	for (size_t i = 0; i < ARRAY_LEN(user_parameters); i++) {
		const char *text = conf_text(c, user_parameters[i], NULL);
		struct buf user = BUF_INIT(256);
		char *why = NULL;
		struct passwd *pw;

		if (text && conf_expand(c, view_of(text), &user, &why) &&
		    (pw = getpwnam(buf_str(&user))) != NULL) {
			suite.has_owner |= i == 0;
			suite.uids[suite.count++] = pw->pw_uid;
		}
		mem_free(why);
		buf_done(&user);
	}
}

bool
sandbox_uid_is_ours(const struct conf *c, unsigned uid)
{
	suite_learn(c);
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < suite.count; i++) {
		if (suite.uids[i] == uid)
			return true;
	}
	return false;
}

bool
sandbox_uid_is_owner(const struct conf *c, unsigned uid)
{
	suite_learn(c);
	return uid == 0 || (suite.has_owner && uid == suite.uids[0]);
}

#ifdef __SANITIZE_ADDRESS__
/* The leak check at exit needs /proc. */
static bool in_chroot;

int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return in_chroot;
}
#endif

static void
enter_chroot(const char *directory)
{
	if (chroot(directory) < 0 || chdir("/") < 0)
		log_fatal("chroot %s: %s", directory, strerror(errno));
#ifdef __SANITIZE_ADDRESS__
	in_chroot = true;
#endif
}

static void
verify(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid)
		log_fatal("user id is not %u after setresuid", (unsigned)uid);
	if (getresgid(&rg, &eg, &sg) < 0 || rg != gid || eg != gid || sg != gid)
		log_fatal("group id is not %u after setresgid", (unsigned)gid);
	if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setresgid(0, 0, 0) == 0)
		log_fatal("root rights came back after they were given up");
}

void
sandbox_become(const struct sandbox_identity *identity)
{
	if (identity->chroot_directory)
		enter_chroot(identity->chroot_directory);
	if (!identity->change)
		return;
	if (setgroups(0, NULL) < 0)
		log_fatal("setgroups: %s", strerror(errno));
	if (setresgid(identity->gid, identity->gid, identity->gid) < 0)
		log_fatal("setresgid %u: %s", identity->gid, strerror(errno));
	if (setresuid(identity->uid, identity->uid, identity->uid) < 0)
		log_fatal("setresuid %u: %s", identity->uid, strerror(errno));
	verify(identity->uid, identity->gid);
}
