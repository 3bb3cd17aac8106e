/* Scanning C. See ctoken.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/ctoken.h"

#include <string.h>

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}

th_cscan th_cscan_begin(const char *text, size_t bytes) {
  return (th_cscan){.at = text, .end = text + bytes};
}

static void skip_comment(th_cscan *s) {
  s->at += 2;
  while (s->at + 1 < s->end && !(s->at[0] == '*' && s->at[1] == '/')) s->at++;
  s->at = s->at + 2 <= s->end ? s->at + 2 : s->end;
}

static void skip_literal(th_cscan *s) {
  const char quote = *s->at++;
  while (s->at < s->end && *s->at != quote) s->at += *s->at == '\\' && s->at + 1 < s->end ? 2 : 1;
  if (s->at < s->end) s->at++;
}

static void skip_number(th_cscan *s) {
  while (s->at < s->end && (is_word(*s->at) || *s->at == '.')) s->at++;
}

/* Moves to the next token: past blanks, comments, literals and numbers. */
static void skip_rest(th_cscan *s) {
  while (s->at < s->end) {
    const char c = *s->at, next = s->at + 1 < s->end ? s->at[1] : 0;
    if (c == '\n') {
      s->in_directive = false;
      s->at++;
    } else if (c == '\\' && next == '\n') {
      s->at += 2;
    } else if (c == '/' && next == '*') {
      skip_comment(s);
    } else if (c == '"' || c == '\'') {
      skip_literal(s);
    } else if (c >= '0' && c <= '9') {
      skip_number(s);
    } else if (c == ' ' || c == '\t' || c == '\r') {
      s->at++;
    } else {
      return;
    }
  }
}

th_ctoken th_cscan_next(th_cscan *s) {
  skip_rest(s);
  if (s->at >= s->end) return (th_ctoken){0};
  th_ctoken t = {.at = s->at, .bytes = 1};
  if (*s->at == '#') s->in_directive = true;
  t.in_directive = s->in_directive;
  if (is_letter(*s->at)) {
    t.is_name = true;
    while (s->at + t.bytes < s->end && is_word(s->at[t.bytes])) t.bytes++;
  } else if (!t.in_directive) {
    s->depth += (*s->at == '{') - (*s->at == '}');
  }
  s->at += t.bytes;
  return t;
}

bool th_ctoken_is(const th_ctoken *t, const char *text) {
  return t->at && t->bytes == strlen(text) && memcmp(t->at, text, t->bytes) == 0;
}

bool th_ctoken_starts(const th_ctoken *t, const char *prefix) {
  return t->at && t->bytes >= strlen(prefix) && memcmp(t->at, prefix, strlen(prefix)) == 0;
}
