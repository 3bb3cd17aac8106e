/* C text as the packages need to see it: identifiers and punctuation one by one, comments and literals skipped, with
 * the depth of braces and parentheses. Enough for sources that clang-format has laid out; no preprocessor.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_CTOKEN_H
#define TH_WRITE_CTOKEN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct th_ctoken {
  const char *at; /* NULL: the end */
  size_t bytes;
  bool is_name;      /* an identifier or keyword; else one character */
  bool in_directive; /* on a line that begins with # (or goes on from one with a backslash) */
} th_ctoken;

typedef struct th_cscan {
  const char *at, *end;
  int depth; /* of braces, the token that was given last included */
  bool in_directive;
} th_cscan;

th_cscan th_cscan_begin(const char *text, size_t bytes);
th_ctoken th_cscan_next(th_cscan *scan);
bool th_ctoken_is(const th_ctoken *token, const char *text);
bool th_ctoken_starts(const th_ctoken *token, const char *prefix);

#endif
