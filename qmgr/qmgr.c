/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to qmgr as a whole: start, wake-up, and the end. Finishing means that nothing
 * new is handed out; what runs is waited for, a while; what became of it is noted; everything
 * else is simply forgotten, for it lies on disk.
 */
#include "qmgr/qmgr.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/flow.h"

#define FINISH_TIME            (20 * SECOND)
#define LOOK_EVERY             (10 * SECOND)
#define DESCRIPTORS_FOR_OTHERS 2000
#define LOCK_NAME              "pid/qmgr.lock"
#define LOCK_TRIES             1200
#define LOCK_PAUSE             (50 * 1000 * 1000) /* nanoseconds */
#define NOTICE_IDLE            4
#define NOTICE_IDLE_TIME       (60 * SECOND)

struct qmgr qmgr;

static struct task_timer *finish_timer, *look_timer;

/*
 * Whoever changes queue files holds this lock: postsuper while the system is down, qmgr
 * otherwise.
 */
static void
lock_queue(void)
{
	struct timespec pause = { 0, LOCK_PAUSE };
	int tries = 0;
	int fd = open(LOCK_NAME, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		log_fatal("open %s: %m", LOCK_NAME);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || ++tries == LOCK_TRIES)
			log_fatal("lock %s: %m; is postsuper running?", LOCK_NAME);
		nanosleep(&pause, NULL);
	}
}

void
qmgr_prepare(void)
{
	const struct conf_values *v = service_values();
	const char *why;

	lock_queue();
	qmgr.flow = flow_open();
	if (qmgr.flow < 0)
		log_warn("open pid/qmgr.flow: %m: receivers will not slow down");
	qmgr.conf = service_conf();
	qmgr.values = v;
	qmgr.queue = queue_open(".", v->queue_sync, &why);
	if (!qmgr.queue)
		log_fatal("open queue directory %s: %s", v->queue_directory, why);
	qmgr.router = router_open(qmgr.conf);
	qmgr.retry = (struct retry_rules){
		.minimal_backoff = v->minimal_backoff_time / 1000,
		.maximal_backoff = v->maximal_backoff_time / 1000,
		.lifetime = v->maximal_queue_lifetime / 1000,
		.bounce_lifetime = v->bounce_queue_lifetime / 1000,
	};
	(void)queue_index_boot(); /* cannot be read from within the jail */
	qmgr.active = hash_new();
	qmgr.transports = hash_new();
}

/* Every active message has its file open, and a second time while its state is noted. */
static size_t
active_limit(void)
{
	size_t limit = (size_t)qmgr.values->qmgr_message_active_limit;
	struct rlimit files;
	size_t possible;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return limit;
	possible = files.rlim_cur > 2 * DESCRIPTORS_FOR_OTHERS
	    ? files.rlim_cur - DESCRIPTORS_FOR_OTHERS
	    : files.rlim_cur / 2;
	if (possible >= limit)
		return limit;
	log_info("at most %zu messages at a time, for there may be only %llu open files",
	    possible, (unsigned long long)files.rlim_cur);
	return possible > 0 ? possible : 1;
}

/*
 * What nobody announced: its writer died behind the last sync, or still held the lock when
 * incoming was read at the start. The wake-ups of master.cf are minutes apart.
 */
static void
look(void *context)
{
	(void)context;
	scan_incoming();
	transport_kick_all();
	task_timer_set(look_timer, clock_deadline(LOOK_EVERY));
}

void
qmgr_start(void)
{
	char path[256];

	/* Before anybody can free a slot. */
	queue_slots_recover(qmgr.queue);
	qmgr.active_limit = active_limit();
	service_path(path, sizeof(path), "private", qmgr.values->bounce_service_name);
	qmgr.bounce = ipc_pool_new(path, NOTICE_IDLE, NOTICE_IDLE_TIME);
	intake_start();
	outcome_start();
	look_timer = task_timer_new(look, NULL);
	task_timer_set(look_timer, clock_deadline(LOOK_EVERY));
}

void
qmgr_wakeup(void)
{
	indexing_start();
	deferred_start();
	scan_incoming();
	scan_hold();
	settle_stalled();
	transport_kick_all();
}

static void
finish_now(void *context)
{
	(void)context;
	dispatch_cancel_all();
}

static void
withdraw_all(void)
{
	struct hash_iter it = { 0 };

	while (hash_next(qmgr.active, &it)) {
		struct message *m = it.value;

		if (m->step == MESSAGE_DELIVERING)
			message_withdraw(m);
	}
}

void
qmgr_finish(void)
{
	qmgr.finishing = true;
	task_timer_set(look_timer, DEADLINE_NEVER);
	finish_timer = task_timer_new(finish_now, NULL);
	task_timer_set(finish_timer, clock_deadline(FINISH_TIME));
	active_wake();
	deferred_finish();
	indexing_finish();
	withdraw_all();
}
