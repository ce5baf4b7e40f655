/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions between two transactions, so that the next message to the same server goes out at
 * once. The key of a place is where the connection really leads: address and port. The youngest
 * session of a place is handed out first, so that in quiet times the surplus grows old.
 *
 * On demand means that a session is kept when its place was used not long before, or is being
 * used by others: a lone message to a server leaves nothing behind there. One timer closes what
 * was idle for too long, and forgets places.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "smtp/client.h"

#define SESSIONS_MAX 1000 /* idle ones */
#define PLACES_MAX   20000
#define KEY_SIZE     (ENDPOINT_TEXT_SIZE + 20)

struct place {
	struct list link; /* of cache.places, the one unused for longest first */
	struct list idle; /* sessions, the youngest first */
	char key[KEY_SIZE];
	size_t in_use;      /* sessions that are not idle */
	nanoseconds used;   /* last */
	nanoseconds wanted; /* until then sessions are kept */
};

static struct {
	struct hash *by_key;
	struct list places;
	struct list ages; /* idle sessions, the oldest first */
	size_t idle;
	struct task_timer *timer;
	bool timer_is_set;
} cache;

static void
cache_init(void)
{
	if (cache.by_key)
		return;
	cache.by_key = hash_new();
	list_init(&cache.places);
	list_init(&cache.ages);
}

static void
place_free(struct place *p)
{
	hash_remove(cache.by_key, view_of(p->key));
	list_remove(&p->link);
	mem_free(p);
}

static bool
place_is_free(const struct place *p)
{
	return p->in_use == 0 && list_is_empty(&p->idle);
}

static struct place *
place_of(const struct endpoint *e)
{
	char address[ENDPOINT_TEXT_SIZE], key[KEY_SIZE];
	struct place *p;

	cache_init();
	endpoint_text(e, address);
	snprintf(key, sizeof(key), "%s %u", address, endpoint_port(e));
	p = hash_find(cache.by_key, view_of(key));
	if (p)
		return p;
	p = NEW(struct place);
	memcpy(p->key, key, sizeof(key));
	list_init(&p->idle);
	p->used = clock_now() - DEADLINE_NEVER / 2;
	hash_put(cache.by_key, view_of(p->key), p);
	list_append(&cache.places, &p->link);
	return p;
}

static void
session_remove(struct session *s)
{
	list_remove(&s->link);
	list_remove(&s->age);
	cache.idle--;
}

static struct session *
oldest_session(void)
{
	return list_is_empty(&cache.ages) ? NULL
					  : LIST_ITEM(cache.ages.next, struct session, age);
}

static void
oldest_quit(void)
{
	struct session *s = oldest_session();

	session_remove(s);
	session_quit(&s);
}

static void
places_forget(nanoseconds limit)
{
	list_for_each_safe (link, next, &cache.places) {
		struct place *p = LIST_ITEM(link, struct place, link);
		bool is_recent = clock_now() - p->used < limit;

		if (is_recent && hash_count(cache.by_key) <= PLACES_MAX)
			break;
		if (place_is_free(p))
			place_free(p);
	}
}

static void
drop_old(void *context)
{
	nanoseconds now = clock_now(), limit = client.options.connection_cache_time_limit;
	struct session *s;

	(void)context;
	while ((s = oldest_session()) && now - s->idle_since >= limit)
		oldest_quit();
	places_forget(limit);
	cache.timer_is_set = !list_is_empty(&cache.places);
	if (cache.timer_is_set)
		task_timer_set(cache.timer, (s ? s->idle_since : now) + limit);
}

static void
timer_start(void)
{
	if (!cache.timer)
		cache.timer = task_timer_new(drop_old, NULL);
	if (!cache.timer_is_set)
		drop_old(NULL);
}

struct place *
place_enter(const struct endpoint *e)
{
	struct place *p = place_of(e);
	nanoseconds now = clock_now(), limit = client.options.connection_cache_time_limit;

	if (p->in_use > 0 || now - p->used < limit)
		p->wanted = now + limit;
	p->in_use++;
	return p;
}

struct session *
place_take(struct place *p)
{
	while (!list_is_empty(&p->idle)) {
		struct session *s = LIST_ITEM(p->idle.next, struct session, link);

		session_remove(s);
		if (stream_is_quiet(s->stream))
			return s;
		session_free(&s);
	}
	return NULL;
}

static bool
may_keep(const struct place *p, const struct session *s, bool is_listed)
{
	const struct client_options *o = &client.options;
	nanoseconds now = clock_now();

	bool is_wanted = is_listed || (o->connection_cache_on_demand && now < p->wanted);

	return !s->is_broken && is_wanted && now - s->born < o->connection_reuse_time_limit &&
	    (o->connection_reuse_count_limit == 0 ||
		s->uses < (unsigned)o->connection_reuse_count_limit) &&
	    !service_is_finishing();
}

void
place_leave(struct place *p, struct session **s, bool is_listed)
{
	p->in_use--;
	p->used = clock_now();
	list_remove(&p->link);
	list_append(&cache.places, &p->link);
	if (*s && may_keep(p, *s, is_listed)) {
		if (cache.idle == SESSIONS_MAX)
			oldest_quit();
		(*s)->idle_since = p->used;
		list_prepend(&p->idle, &(*s)->link);
		list_append(&cache.ages, &(*s)->age);
		cache.idle++;
		*s = NULL;
	} else if (*s) {
		session_quit(s);
	}
	timer_start();
}

void
cache_close(void)
{
	cache_init();
	while (oldest_session())
		oldest_quit();
	task_timer_free(&cache.timer);
	cache.timer_is_set = false;
}
