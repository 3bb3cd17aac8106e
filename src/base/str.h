/* Small text helpers: comparing, parsing numbers, closest-match suggestions, hashing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_STR_H
#define TH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool th_str_eq(const char *a, const char *b);
bool th_str_starts(const char *s, const char *prefix);
bool th_str_ends(const char *s, const char *suffix);
/* The next of comma-separated parts, `*n` characters at the returned place; NULL when none is left. */
const char *th_str_part(const char **list, size_t *n);
bool th_str_in_list(const char *list, const char *name); /* is `name` one of the comma-separated parts? */
bool th_str_int(const char *s, long long *value);        /* whole string, decimal; false on junk or overflow */
bool th_str_double(const char *s, double *value);        /* whole string, finite, '.' whatever the locale */
bool th_str_size(const char *s, long long *bytes);       /* "64K", "1M", "500": K = 1024 */
/* The candidate within two edits of `s` (optimal string alignment), or NULL: for "did you mean". */
const char *th_str_closest(const char *s, const char *const *candidates, int count);
/* In place: what is neither printable UTF-8 nor a line end or tab becomes '?'. For messages that quote files. */
void th_str_clean(char *s);
uint64_t th_hash64(const void *data, size_t bytes); /* FNV-1a */

#endif
