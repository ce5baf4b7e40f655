/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail addresses. Inside the suite an address is in internal form: the local part without
 * quoting, '@', and the domain; the LAST '@' separates them. The null address is the empty
 * string. External form (RFC 5321 4.1.2) has the local part quoted where needed. The local part
 * is opaque: '%', '!' and a quoted '@' in it mean nothing, and it is never parsed again.
 *
 * What a parser here hands out always holds: no control characters (C0, DEL, C1), well-formed
 * UTF-8, a local part that is not empty, at most ADDRESS_MAX bytes, a domain that
 * domain_is_valid accepts; and without a domain no '@' at all, so that `"v@x"` never becomes v
 * at x.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/view.h"

#define ADDRESS_MAX       1000 /* bytes of an address anywhere in the suite, internal form */
#define ADDRESS_ROUTE_MAX 100  /* hosts of a source route that are read over */
#define DOMAIN_MAX        255
#define LABEL_MAX         63

/* "<...>" of MAIL and RCPT. */
struct path {
	struct view text;    /* external form as given, without < > and source route */
	struct view address; /* internal form, from the arena; empty: the null path "<>" */
	bool is_utf8;        /* has bytes above 127 (well-formed UTF-8) */
};

enum path_flags {
	PATH_STRICT = 1, /* strict_rfc821_envelopes: brackets needed, no blanks inside them */
	PATH_UTF8 = 2,   /* bytes above 127 are allowed (RFC 6531) */
};

/*
 * Takes a path off the cursor, up to the blank or the end behind it. Source routes are skipped
 * (RFC 5321 3.6.1). A domain may be missing. Without PATH_STRICT angle brackets may be missing
 * and blanks may stand inside them. Comments and phrases, a second '@' (unless quoted) and an
 * empty local part are always refused. False: *why is a constant; *out is untouched.
 */
bool path_parse(
    struct cursor *c, unsigned flags, struct arena *arena, struct path *out, const char **why);

/* Internal form split at its last '@'; domain is empty when there is none. */
void address_split(struct view address, struct view *local, struct view *domain);

/*
 * Appends the external form: quotes the local part where RFC 5321 wants it. Bytes that no
 * parser here hands out (control characters; blanks and angle brackets in the domain) become
 * '?', so that what is printed never ends a line or a path early.
 */
void address_quote(struct buf *out, struct view address);

/*
 * Appends the internal form of an external one (no angle brackets); "" is the null address.
 * False when it is malformed (stray quote, control character, second '@', over ADDRESS_MAX,
 * domain that domain_is_valid refuses); out is then unchanged.
 */
bool address_unquote(struct buf *out, struct view external);

/*
 * Letters, digits, hyphen (not first or last), underscore in labels of 1..63 bytes, at most
 * 255, no empty label, no dot at the end; with utf8 also well-formed non-ASCII without what no
 * domain can hold (other dots, full-width forms, controls, invisible characters); or an address
 * literal.
 */
bool domain_is_valid(struct view domain, bool utf8);
bool hostname_is_valid(struct view name);           /* LDH only, not all-numeric */
bool address_literal_is_valid(struct view literal); /* with brackets: [1.2.3.4] [IPv6:...] */

/* The binary form of an address literal, IPv4 mapped into IPv6. */
bool address_literal_parse(struct view literal, unsigned char out[16]);

/* Equal but for the case of ASCII letters in the domain and the local part. */
bool address_eq_nocase(struct view a, struct view b);

/*
 * user+ext: the extension behind the first delimiter of the set, which may be empty; false when
 * there is none or nothing stands before it. Never splits mailer-daemon and postmaster, nor
 * "owner-..." and "...-request" when '-' is in the set.
 */
bool address_split_extension(
    struct view local, const char *delimiters, struct view *user, struct view *extension);

#endif
