/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A borrowed run of bytes: pointer and length. It may hold any byte, NUL included, and is not
 * NUL-terminated. Whoever made it keeps the bytes alive. Case-insensitive forms fold A-Z only.
 */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct view {
	const char *p;
	size_t n;
};

#define VIEW(literal) ((struct view){ "" literal, sizeof(literal) - 1 })
#define VIEW_NONE     ((struct view){ NULL, 0 })

/* For printf: "%.*s" with VIEW_ARG(v); what is beyond INT_MAX bytes is not printed. */
#define VIEW_ARG(v) (int)((v).n < INT_MAX ? (v).n : INT_MAX), (v).n ? (v).p : ""

static inline struct view
view_of(const char *s)
{
	return (struct view){ s, s ? strlen(s) : 0 };
}

bool view_eq(struct view a, struct view b);
bool view_eq_nocase(struct view a, struct view b);
int view_compare(struct view a, struct view b);
bool view_has_prefix(struct view v, struct view prefix);
bool view_has_prefix_nocase(struct view v, struct view prefix);
bool view_has_suffix(struct view v, struct view suffix);
bool view_has_suffix_nocase(struct view v, struct view suffix);

/* The index of the first (last) byte c, or v.n when there is none. */
size_t view_find(struct view v, char c);
size_t view_find_last(struct view v, char c);

/* The part from byte `from`, at most n bytes; both are cut to what is there. */
struct view view_sub(struct view v, size_t from, size_t n);

/* Without leading and trailing blanks (space, tab, CR, LF, VT, FF). */
struct view view_trim(struct view v);

/*
 * Takes the next word off *rest: separators (any byte of the string) are skipped, the word ends
 * before the next one. False when nothing is left. For lists such as "a, b c".
 */
bool view_next_word(struct view *rest, const char *separators, struct view *word);

/* As view_next_word, but { } enclose text with separators; the braces stay in the word. */
bool view_next_braced(struct view *rest, const char *separators, struct view *word);

/* ASCII only, no locale; safe for every byte value. */
bool char_is_digit(char c);
bool char_is_alpha(char c);
bool char_is_alnum(char c);
bool char_is_blank(char c); /* space, tab, CR, LF, VT, FF */
char char_lower(char c);

#endif
