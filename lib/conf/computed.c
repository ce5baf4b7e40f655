/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults that no table can hold: host name, domain, trusted networks, process. Each is made
 * when first asked for, from what the other parameters say by then, and forgotten when a
 * parameter is set. While one is made, asking for another yields "": "myhostname =
 * mail.$mydomain" with mydomain unset is a file's mistake and not a loop of ours.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf_private.h"
#include "conf/own_address.h"

#define DEFAULT_DOMAIN "localdomain"

/* The expanded value of a parameter; what cannot be expanded is reported elsewhere. */
static char *
value_of(const struct conf *c, const char *name)
{
	struct buf out = BUF_INIT(CONF_VALUE_MAX);
	const char *text = conf_text(c, name, NULL);
	char *why = NULL;

	if (!conf_expand(c, view_of(text), &out, &why)) {
		mem_free(why);
		buf_clear(&out);
	}
	return buf_steal(&out);
}

static char *
make_myhostname(const struct conf *c)
{
	char host[256] = "";
	bool domain_is_default;

	if (gethostname(host, sizeof(host) - 1) < 0 || host[0] == '\0')
		memcpy(host, "localhost", sizeof("localhost"));
	if (strchr(host, '.'))
		return mem_strdup(host);
	conf_text(c, "mydomain", &domain_is_default);
	char *domain = domain_is_default ? mem_strdup(DEFAULT_DOMAIN) : value_of(c, "mydomain");
	char *name = mem_printf("%s.%s", host, domain);
	mem_free(domain);
	return name;
}

static char *
make_mydomain(const struct conf *c)
{
	bool is_default;

	conf_text(c, "myhostname", &is_default);
	char *host = is_default ? make_myhostname(c) : value_of(c, "myhostname");
	const char *dot = strchr(host, '.');
	char *domain = mem_strdup(dot && dot[1] != '\0' ? dot + 1 : DEFAULT_DOMAIN);
	mem_free(host);
	return domain;
}

static char *
make_mynetworks(const struct conf *c)
{
	char *interfaces = value_of(c, "inet_interfaces");
	char *protocols = value_of(c, "inet_protocols");
	char *style = value_of(c, "mynetworks_style");
	struct buf out = BUF_INIT(CONF_VALUE_MAX);

	own_networks(interfaces, protocols, style, &out);
	mem_free(interfaces);
	mem_free(protocols);
	mem_free(style);
	return buf_steal(&out);
}

static const char *
make_once(const struct conf *c, char **place, char *(*make)(const struct conf *))
{
	if (!*place) {
		if (c->computed->busy)
			return "";
		c->computed->busy = true;
		*place = make(c);
		c->computed->busy = false;
	}
	return *place;
}

static char *
make_process_id(const struct conf *c)
{
	(void)c;
	return mem_printf("%ld", (long)getpid());
}

const char *
conf_computed(const struct conf *c, const struct conf_parameter *p)
{
	struct conf_computed *computed = c->computed;

	switch (p->offset) {
	case offsetof(struct conf_values, myhostname):
		return make_once(c, &computed->myhostname, make_myhostname);
	case offsetof(struct conf_values, mydomain):
		return make_once(c, &computed->mydomain, make_mydomain);
	case offsetof(struct conf_values, mynetworks):
		return make_once(c, &computed->mynetworks, make_mynetworks);
	case offsetof(struct conf_values, process_id):
		return make_once(c, &computed->process_id, make_process_id);
	case offsetof(struct conf_values, process_name):
		return program_invocation_short_name;
	default:
		return NULL;
	}
}

void
conf_computed_forget(struct conf_computed *computed)
{
	mem_free(computed->myhostname);
	mem_free(computed->mydomain);
	mem_free(computed->mynetworks);
	mem_free(computed->process_id);
	*computed = (struct conf_computed){ 0 };
}
