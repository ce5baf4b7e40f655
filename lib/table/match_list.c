/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list is taken apart once, when it is opened: names, networks, tables, each with or without
 * "!" in front; /file/name members are read then and stand where the file's name stood. The
 * first member that matches decides.
 *
 * Such lists say who may relay. So what cannot be read, parsed or looked up never matches by
 * accident: a malformed member spoils the whole list, which then answers "cannot tell".
 */
#include "table/match_list.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/match.h"
#include "table/aliases.h"
#include "table/table_private.h"

#define SEPARATORS ", \t\r\n"
#define FILE_MAX   ((size_t)16 * 1024 * 1024)
#define DEPTH_MAX  20 /* files that name files */
#define NAME_MAX_  512

enum member_kind { MEMBER_NAME, MEMBER_NETWORK, MEMBER_TABLE };

struct member {
	enum member_kind kind;
	bool negated;
	char *name; /* lower case */
	struct cidr network;
	struct table *table;
};

struct match_list {
	char *parameter;
	const struct conf *conf;
	bool parents; /* "example.com" also means its subdomains; otherwise ".example.com" does
		       */
	bool exact;   /* neither: mydestination and its like */
	struct member *members;
	size_t count;
	char *broken; /* why every answer is "cannot tell" */
};

/* Lists whose names are compared as a whole, as Postfix does. */
static const char *const exact_parameters[] = {
	"mydestination",
	"virtual_alias_domains",
	"virtual_mailbox_domains",
	"smtpd_forbidden_commands",
};

static void list_read(struct match_list *l, struct view text, bool negated, unsigned depth);

__attribute__((format(printf, 2, 3))) static void
list_break(struct match_list *l, const char *format, ...)
{
	char text[300];
	va_list ap;

	if (l->broken != NULL)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	l->broken = mem_printf("%s: %s", l->parameter, text);
	log_error("%s", l->broken);
}

static struct member *
member_add(struct match_list *l, enum member_kind kind, bool negated)
{
	struct member *m;

	if ((l->count & (l->count - 1)) == 0)
		l->members =
		    mem_resize(l->members, l->count == 0 ? 1 : 2 * l->count, sizeof(*m));
	m = &l->members[l->count++];
	*m = (struct member){ .kind = kind, .negated = negated };
	return m;
}

static void
add_file(struct match_list *l, struct view path, bool negated, unsigned depth)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct table_error e = { "" };
	struct source_lines lines;
	char *name = mem_dup(path.p, path.n);

	if (depth >= DEPTH_MAX) {
		list_break(l, "%s: files are nested too deeply", name);
	} else if (!table_read_file(name, &text, &e)) {
		list_break(l, "%s", e.text);
	} else {
		source_lines_init(&lines, buf_view(&text));
		while (source_lines_next(&lines)) {
			if (lines.text.overflow)
				list_break(l, "%s, line %u: too long", name, lines.line);
			list_read(l, buf_view(&lines.text), negated, depth + 1);
		}
		source_lines_done(&lines);
	}
	buf_done(&text);
	mem_free(name);
}

static void
add_table(struct match_list *l, struct view word, bool negated)
{
	char *name = mem_dup(word.p, word.n);

	member_add(l, MEMBER_TABLE, negated)->table = table_open(name, l->conf);
	mem_free(name);
}

/* Only digits, dots, hexadecimal digits, colons, brackets, a slash: meant as an address. */
static bool
looks_like_address(struct view word)
{
	bool dots = true;

	if (word.n == 0 || word.p[0] == '[')
		return word.n > 0;
	for (size_t i = 0; i < word.n; i++)
		dots =
		    dots && (char_is_digit(word.p[i]) || word.p[i] == '.' || word.p[i] == '/');
	return dots || view_find(word, '/') < word.n;
}

/* IPv6 addresses stand in brackets; "2001:db8::/32" without would be a table. */
static bool
looks_like_table(struct view word)
{
	size_t colon = view_find(word, ':');

	return colon < word.n && word.p[0] != '[';
}

static void
add_word(struct match_list *l, struct view word, bool negated, unsigned depth)
{
	struct cidr network;
	struct member *m;
	const char *why = "malformed";

	if (word.n == 0) {
		list_break(l, "no pattern after '!'");
	} else if (word.p[0] == '/') {
		add_file(l, word, negated, depth);
	} else if (looks_like_table(word)) {
		add_table(l, word, negated);
	} else if (!l->exact && looks_like_address(word)) {
		if (!cidr_parse(word, &network, &why)) {
			list_break(l, "bad net/mask pattern \"%.*s\": %s", VIEW_ARG(word), why);
			return;
		}
		m = member_add(l, MEMBER_NETWORK, negated);
		m->network = network;
		m->name = mem_dup(word.p, word.n);
	} else {
		m = member_add(l, MEMBER_NAME, negated);
		m->name = mem_dup(word.p, word.n);
		for (size_t i = 0; i < word.n; i++)
			m->name[i] = char_lower(m->name[i]);
	}
}

static void
list_read(struct match_list *l, struct view text, bool negated, unsigned depth)
{
	struct view word;

	while (view_next_braced(&text, SEPARATORS, &word)) {
		bool not = negated;

		while (word.n > 0 && word.p[0] == '!') {
			not = !not ;
			word = view_sub(word, 1, word.n);
		}
		add_word(l, word, not, depth);
	}
}

/* parent_domain_matches_subdomains names parameters; a file or table in it is not supported. */
static bool
matches_subdomains(const struct conf *c, const char *parameter)
{
	struct view rest, word;

	rest = view_of(conf_values_of(c)->parent_domain_matches_subdomains);
	while (view_next_word(&rest, SEPARATORS, &word)) {
		if (view_eq(word, view_of(parameter)))
			return true;
	}
	return false;
}

struct match_list *
match_list_open(const char *parameter, const char *text, const struct conf *c)
{
	struct match_list *l = NEW(struct match_list);

	l->parameter = mem_strdup(parameter);
	l->conf = c;
	for (size_t i = 0; i < ARRAY_LEN(exact_parameters); i++) {
		if (strcmp(parameter, exact_parameters[i]) == 0)
			l->exact = true;
	}
	l->parents = !l->exact && matches_subdomains(c, parameter);
	list_read(l, view_of(text), false, 0);
	return l;
}

void
match_list_free(struct match_list **l)
{
	if (*l == NULL)
		return;
	for (size_t i = 0; i < (*l)->count; i++) {
		table_free(&(*l)->members[i].table);
		mem_free((*l)->members[i].name);
	}
	mem_free((*l)->members);
	mem_free((*l)->parameter);
	mem_free((*l)->broken);
	mem_free(*l);
	*l = NULL;
}

static bool
name_matches(const struct match_list *l, const char *pattern, struct view name)
{
	struct view p = view_of(pattern);

	if (view_eq_nocase(p, name))
		return true;
	if (l->exact || name.n <= p.n || p.n == 0)
		return false;
	if (l->parents)
		return view_has_suffix_nocase(name, p) && name.p[name.n - p.n - 1] == '.';
	return p.p[0] == '.' && view_has_suffix_nocase(name, p);
}

/* Tasks may wait in here at the same time, so each has a buffer of its own. */
static enum table_result
table_has_key(struct table *t, struct view key, const char **why)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result result = table_find(t, key, &value, why);

	buf_done(&value);
	return result;
}

/*
 * The name, then its parents: "example.com" or ".example.com" by the style of the list. A
 * pattern says itself what it means by a subdomain.
 */
static enum table_result
table_has_name(struct match_list *l, struct table *t, struct view name, const char **why)
{
	bool has_parents = !l->exact && table_keys(t) == TABLE_KEYS_FIXED;
	enum table_result result;
	size_t dot;

	result = table_has_key(t, name, why);
	while (result == TABLE_NOT_FOUND && has_parents && name.n > 0) {
		dot = 1 + view_find(view_sub(name, 1, name.n), '.');
		if (dot >= name.n)
			break;
		name = view_sub(name, dot + (l->parents ? 1 : 0), name.n);
		result = table_has_key(t, name, why);
	}
	return result;
}

static enum table_result
verdict(const struct member *m)
{
	return m->negated ? TABLE_NOT_FOUND : TABLE_FOUND;
}

static enum table_result
broken(const struct match_list *l, const char **why)
{
	if (why != NULL)
		*why = l->broken;
	return TABLE_CANNOT_TELL;
}

enum table_result
match_list_has_name(struct match_list *l, struct view name, const char **why)
{
	enum table_result result;

	if (l->broken != NULL)
		return broken(l, why);
	if (name.n == 0 || name.n > NAME_MAX_)
		return TABLE_NOT_FOUND;
	for (size_t i = 0; i < l->count; i++) {
		const struct member *m = &l->members[i];

		if (m->kind == MEMBER_TABLE) {
			result = table_has_name(l, m->table, name, why);
			if (result == TABLE_CANNOT_TELL)
				return result;
			if (result == TABLE_FOUND)
				return verdict(m);
		} else if (name_matches(l, m->name, name)) {
			return verdict(m);
		}
	}
	return TABLE_NOT_FOUND;
}

/* The text form under which a table knows the address: IPv4 also when it came mapped. */
static struct view
address_text(const uint8_t address[16], char out[46])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = memcmp(address, mapped, sizeof(mapped)) == 0;

	if (inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? address + 12 : address, out, 46) ==
	    NULL)
		return VIEW_NONE;
	return view_of(out);
}

/* Whether one member matches the client: by address, or by its verified name. */
static enum table_result
member_has_client(struct match_list *l, const struct member *m, const uint8_t address[16],
    struct view text, struct view name, const char **why)
{
	enum table_result result;

	switch (m->kind) {
	case MEMBER_NETWORK:
		return cidr_has(&m->network, address) ? TABLE_FOUND : TABLE_NOT_FOUND;
	case MEMBER_NAME:
		return name.n > 0 && name_matches(l, m->name, name) ? TABLE_FOUND
								    : TABLE_NOT_FOUND;
	default:
		result = table_has_key(m->table, text, why);
		if (result == TABLE_NOT_FOUND && name.n > 0)
			result = table_has_name(l, m->table, name, why);
		return result;
	}
}

enum table_result
match_list_has_address(struct match_list *l, const struct sockaddr *peer,
    struct view client_name, const char **why)
{
	enum table_result result;
	uint8_t address[16];
	char text[46];
	struct view text_view;

	if (l->broken != NULL)
		return broken(l, why);
	if (!cidr_from_sockaddr(peer, address))
		return TABLE_NOT_FOUND;
	text_view = address_text(address, text);
	if (client_name.n > NAME_MAX_ || view_eq_nocase(client_name, VIEW("unknown")))
		client_name = VIEW_NONE;
	for (size_t i = 0; i < l->count; i++) {
		const struct member *m = &l->members[i];

		result = member_has_client(l, m, address, text_view, client_name, why);
		if (result == TABLE_CANNOT_TELL)
			return result;
		if (result == TABLE_FOUND)
			return verdict(m);
	}
	return TABLE_NOT_FOUND;
}
