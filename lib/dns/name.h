/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names in questions and answers. What these functions hand out has labels of 1 to 63
 * printable ASCII characters and nothing that means something in a zone file, a log line or a
 * command: no control character, no blank, no quote, no backslash. So a name with odd bytes,
 * which the DNS allows (RFC 2181 11), is no name to us.
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/cursor.h"
#include "base/view.h"
#include "dns/dns.h"

struct dns_name {
	size_t n;
	char text[DNS_NAME_MAX + 1]; /* without final dot, NUL-terminated; "" is the root */
};

/*
 * A name as somebody wrote it: a final dot is dropped, labels in UTF-8 become A-labels, "." is
 * the root. False when it cannot be asked for; *out is then untouched.
 */
bool dns_name_from_text(struct view text, struct dns_name *out);

/* The same without conversion, for a name that must be in the form of answers. */
bool dns_name_is_valid(struct view name);

/*
 * Takes a name off a packet, following compression (RFC 1035 4.1.4), whose pointers may only
 * lead towards the front. The cursor fails when the packet is malformed. False also when the
 * name has bytes that we do not take, or is too long: the cursor is then behind it all the
 * same.
 */
bool dns_name_take(struct view packet, struct cursor *c, struct dns_name *out);

static inline struct view
dns_name_view(const struct dns_name *name)
{
	return (struct view){ name->text, name->n };
}

/*
 * The name of a PTR record for an address in network order: 4 octets for AF_INET, 16 for
 * AF_INET6.
 */
void dns_name_of_address(int family, const unsigned char *address, struct dns_name *out);

/* The address of such a name; family is AF_INET or AF_INET6. */
bool dns_name_to_address(struct view name, int *family, unsigned char address[16]);

#endif
