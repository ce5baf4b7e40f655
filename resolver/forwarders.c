/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom libunbound asks: what main.cf says, or else the name servers of resolv.conf(5). There
 * the last ones are ignored beyond a few, here as in libc; words that are no address are
 * ignored as well, because libc does so.
 */
#include <arpa/inet.h>

#include "base/mem.h"
#include "base/number.h"
#include "resolver/resolver.h"

#define FORWARDERS_MAX 8
#define DNS_PORT       53
#define ZONE_ID_MAX    16 /* of a link-local address: fe80::1%eth0 */

static bool
address_is_valid(struct view text)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char ignored[16];
	size_t percent = view_find(text, '%');

	if (percent < text.n && text.n - percent > ZONE_ID_MAX)
		return false;
	text = view_sub(text, 0, percent);
	if (text.n == 0 || text.n >= sizeof(copy) || view_find(text, '\0') < text.n)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(AF_INET, copy, ignored) == 1 ||
	    inet_pton(AF_INET6, copy, ignored) == 1;
}

static char *
forwarder_make(struct view address, struct view port)
{
	uint64_t number = DNS_PORT;

	if (!address_is_valid(address))
		return NULL;
	if (port.p != NULL && (!number_parse(port, 65535, &number) || number == 0))
		return NULL;
	return mem_printf("%.*s@%u", VIEW_ARG(address), (unsigned)number);
}

static char *
forwarder_parse(struct view word)
{
	size_t at = view_find(word, '@'), colon = view_find(word, ':'), close;

	if (word.n > 0 && word.p[0] == '[') {
		close = view_find(word, ']');
		if (close == word.n)
			return NULL;
		if (close + 1 == word.n)
			return forwarder_make(view_sub(word, 1, close - 1), VIEW_NONE);
		if (word.p[close + 1] != ':')
			return NULL;
		return forwarder_make(
		    view_sub(word, 1, close - 1), view_sub(word, close + 2, word.n));
	}
	if (at < word.n)
		return forwarder_make(view_sub(word, 0, at), view_sub(word, at + 1, word.n));
	if (colon < word.n && view_find_last(word, ':') == colon)
		return forwarder_make(
		    view_sub(word, 0, colon), view_sub(word, colon + 1, word.n));
	return forwarder_make(word, VIEW_NONE);
}

static void
take_resolv_conf(struct view text, char **list)
{
	size_t count = 0;

	while (text.n > 0 && count < FORWARDERS_MAX) {
		size_t end = view_find(text, '\n');
		struct view line = view_sub(text, 0, end), word;

		text = view_sub(text, end + 1, text.n);
		if (!view_next_word(&line, " \t\r", &word) ||
		    !view_eq(word, VIEW("nameserver")) ||
		    !view_next_word(&line, " \t\r", &word))
			continue;
		list[count] = forwarder_make(word, VIEW_NONE);
		count += list[count] != NULL;
	}
}

char **
forwarders_parse(struct view list, struct view resolv_conf, char **why)
{
	char **found = mem_zero(FORWARDERS_MAX + 1, sizeof(*found));
	struct view word;
	size_t count = 0;

	while (view_next_word(&list, ", \t\r\n", &word)) {
		if (count == FORWARDERS_MAX) {
			*why = mem_printf("more than %d forwarders", FORWARDERS_MAX);
		} else {
			found[count] = forwarder_parse(word);
			if (found[count++] == NULL)
				*why = mem_printf("\"%.*s\": expected ADDRESS, ADDRESS@PORT or "
						  "[ADDRESS]:PORT",
				    VIEW_ARG(word));
		}
		if (*why != NULL) {
			forwarders_free(&found);
			return NULL;
		}
	}
	if (count == 0)
		take_resolv_conf(resolv_conf, found);
	return found;
}

void
forwarders_free(char ***list)
{
	for (char **f = *list; f && *f; f++)
		mem_free(*f);
	mem_free(*list);
	*list = NULL;
}
