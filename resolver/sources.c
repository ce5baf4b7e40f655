/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of sources, and the files behind them. All files are read before the jail, where
 * none can be opened; whether one has changed can still be seen. Then this process asks to be
 * replaced, and its successor reads them again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/packet.h"
#include "resolver/resolver.h"

#define RESOLV_CONF  "/etc/resolv.conf"
#define HOSTS        "/etc/hosts"
#define FILE_MAX     (16 * 1024 * 1024) /* bytes of one file */
#define FILES_MAX    32                 /* that are watched for changes */
#define LOOK_EVERY   (5 * SECOND)
#define FORWARD_NONE "static"
#define FORWARD_ROOT "root"

struct watched {
	char *path;
	struct stat state; /* zeroed when it is not there */
};

static struct sources {
	struct zone *hosts, *records;
	bool only_records; /* nobody is asked */
	bool validates, may_be_stripped;
	struct watched files[FILES_MAX];
	size_t file_count;
	nanoseconds looked;
	bool changed;
} sources;

static void
watch(const char *path)
{
	struct watched *w = &sources.files[sources.file_count];

	if (sources.file_count == FILES_MAX)
		return;
	sources.file_count++;
	w->path = mem_strdup(path);
	if (stat(path, &w->state) < 0)
		memset(&w->state, 0, sizeof(w->state));
}

static bool
has_changed(const struct watched *w)
{
	struct stat now = { 0 };

	if (stat(w->path, &now) < 0)
		memset(&now, 0, sizeof(now));
	return now.st_ino != w->state.st_ino || now.st_dev != w->state.st_dev ||
	    now.st_size != w->state.st_size || now.st_mtim.tv_sec != w->state.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != w->state.st_mtim.tv_nsec;
}

bool
resolver_files_changed(void)
{
	nanoseconds now = clock_now();

	if (sources.changed || now - sources.looked < LOOK_EVERY)
		return false;
	sources.looked = now;
	for (size_t i = 0; i < sources.file_count; i++)
		if (has_changed(&sources.files[i])) {
			log_info("%s has changed: starting anew", sources.files[i].path);
			sources.changed = true;
		}
	return sources.changed;
}

/* Of a system file, that may be missing. */
static void
read_system_file(const char *path, struct buf *out)
{
	watch(path);
	if (!file_read_at(AT_FDCWD, path, out) && errno != ENOENT)
		log_warn("%s: %s", path, strerror(errno));
}

static void
read_records_file(const char *path)
{
	struct buf text = BUF_INIT(FILE_MAX);
	const char *why = NULL;
	size_t line;

	watch(path);
	if (!file_read_at(AT_FDCWD, path, &text))
		log_fatal("resolver_static_records: %s: %s", path, strerror(errno));
	if (!zone_add_text(sources.records, buf_view(&text), &line, &why))
		log_fatal("%s, line %zu: %s", path, line, why);
	buf_done(&text);
}

/* Words are names of files, or a line in braces each. */
static void
read_records(struct view rest)
{
	struct view word;
	const char *why = NULL;

	while (view_next_braced(&rest, ", \t\r\n", &word)) {
		if (word.p[0] == '/') {
			char *path = mem_dup(word.p, word.n);

			read_records_file(path);
			mem_free(path);
			continue;
		}
		if (word.p[0] != '{' || word.n < 2 || word.p[word.n - 1] != '}')
			log_fatal("resolver_static_records: \"%.*s\": expected /PATH or { NAME "
				  "TYPE DATA }",
			    VIEW_ARG(word));
		word = view_trim(view_sub(word, 1, word.n - 2));
		if (!zone_add_line(sources.records, word, &why))
			log_fatal("resolver_static_records: \"%.*s\": %s", VIEW_ARG(word), why);
	}
}

static void
open_upstream(const struct conf_values *v)
{
	bool root = strcmp(v->resolver_forwarders, FORWARD_ROOT) == 0;
	struct upstream_settings settings = {
		.trust_anchors = v->resolver_trust_anchor_file,
		.insecure = v->resolver_insecure_domains,
		.cache_size = (size_t)v->resolver_cache_size,
		.query_limit = (size_t)v->resolver_query_limit,
		.debug = log_verbose() > 0,
	};
	struct buf resolv_conf = BUF_INIT(FILE_MAX);
	char *why = NULL;

	if (v->resolver_forwarders[0] == '\0')
		read_system_file(RESOLV_CONF, &resolv_conf);
	settings.forwarders = forwarders_parse(
	    root ? VIEW("") : view_of(v->resolver_forwarders), buf_view(&resolv_conf), &why);
	if (settings.forwarders == NULL)
		log_fatal("resolver_forwarders: %s", why);
	if (settings.trust_anchors[0] && access(settings.trust_anchors, R_OK) < 0) {
		log_warn("resolver_trust_anchor_file %s: %s: answers are not validated",
		    settings.trust_anchors, strerror(errno));
		settings.trust_anchors = "";
	}
	settings.may_be_stripped =
	    v->resolver_forwarders[0] == '\0' && settings.forwarders[0] != NULL;
	sources.validates = settings.trust_anchors[0] != '\0';
	sources.may_be_stripped = settings.may_be_stripped;
	if (!upstream_open(&settings, &why))
		log_fatal("%s", why);
	forwarders_free(&settings.forwarders);
	buf_done(&resolv_conf);
}

void
resolver_open(const struct conf_values *v)
{
	struct buf hosts = BUF_INIT(FILE_MAX);

	sources.hosts = zone_new();
	sources.records = zone_new();
	sources.looked = clock_now();
	read_system_file(HOSTS, &hosts);
	zone_add_hosts(sources.hosts, buf_view(&hosts));
	buf_done(&hosts);
	read_records(view_of(v->resolver_static_records));
	sources.only_records = strcmp(v->resolver_forwarders, FORWARD_NONE) == 0;
	if (!sources.only_records)
		open_upstream(v);
}

static void
answer_no_such_name(struct dns_answer *out)
{
	out->result = DNS_NO_SUCH_NAME;
	out->secure = false;
	out->why = dns_result_text(out->result);
}

/* In /etc/hosts a name without an address of this family may have one in the DNS. */
static bool
answer_from_hosts(
    struct dns_name *name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	struct dns_answer found = { .name = out->name };

	if (zone_find(sources.hosts, name, type, arena, &found) != ZONE_ANSWER ||
	    found.result != DNS_FOUND)
		return false;
	*out = found;
	return true;
}

bool
resolver_answer(const struct dns_name *asked, enum dns_type type, bool native,
    struct arena *arena, struct dns_answer *out, nanoseconds deadline)
{
	struct dns_name name = *asked;
	bool chain_is_secure = true;

	*out = (struct dns_answer){ .name = arena_view(arena, dns_name_view(&name)) };
	if (native && answer_from_hosts(&name, type, arena, out))
		return true;
	for (size_t aliases = 0; aliases <= DNS_ALIASES_MAX; aliases++) {
		struct dns_answer step = { .name = arena_view(arena, dns_name_view(&name)) };
		enum zone_answer found;

		step.secure = true;
		found = zone_find(sources.records, &name, type, arena, &step);
		if (found == ZONE_ALIAS) {
			chain_is_secure = chain_is_secure && step.secure;
			continue;
		}
		if (found == ZONE_UNKNOWN && sources.only_records)
			answer_no_such_name(&step);
		else if (found == ZONE_UNKNOWN &&
		    !upstream_ask(&name, type, arena, &step, deadline))
			return false;
		step.secure = step.secure && chain_is_secure;
		if (found == ZONE_UNKNOWN && sources.validates)
			validation_note(&step, sources.may_be_stripped);
		*out = step;
		return true;
	}
	out->result = DNS_TRY_AGAIN;
	out->why = "Too many aliases for this name";
	return true;
}
