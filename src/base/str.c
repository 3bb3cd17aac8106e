/* Text helpers. See str.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool th_str_eq(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}
bool th_str_starts(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool th_str_ends(const char *s, const char *suffix) {
  size_t n = strlen(s), m = strlen(suffix);
  return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *th_str_part(const char **list, size_t *n) {
  const char *part = *list;
  if (!*part) return NULL;
  *n = strcspn(part, ",");
  *list = part + *n + (part[*n] == ',');
  return part;
}

bool th_str_in_list(const char *list, const char *name) {
  const char *part;
  size_t n;
  while ((part = th_str_part(&list, &n)) != NULL)
    if (strlen(name) == n && !memcmp(part, name, n)) return true;
  return false;
}

bool th_str_int(const char *s, long long *value) {
  if (!*s || isspace((unsigned char)*s)) return false;
  char *end;
  errno = 0;
  long long v = strtoll(s, &end, 10);
  if (*end || errno) return false;
  *value = v;
  return true;
}

bool th_str_double(const char *s, double *value) {
  if (!*s || isspace((unsigned char)*s) || strpbrk(s, "xXnN")) return false; /* no hex, no nan, no inf */
  char *end;
  errno = 0;
  double v = strtod(s, &end); /* the tool never calls setlocale, so '.' is the decimal point */
  if (*end || !isfinite(v)) return false;
  *value = v;
  return true;
}

bool th_str_size(const char *s, long long *bytes) {
  char *end;
  if (!isdigit((unsigned char)*s)) return false;
  errno = 0;
  long long v = strtoll(s, &end, 10), unit = 1;
  if (errno) return false;
  if (*end == 'k' || *end == 'K')
    unit = 1024, end++;
  else if (*end == 'm' || *end == 'M')
    unit = 1024 * 1024, end++;
  if (*end == 'B') end++;
  if (*end || v > INT64_MAX / unit) return false;
  *bytes = v * unit;
  return true;
}

#define LONGEST_WORD 48

/* Optimal string alignment distance (restricted Damerau-Levenshtein), or a large number for long words. */
static int edits(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > LONGEST_WORD || m > LONGEST_WORD) return 1000;
  int d[LONGEST_WORD + 1][LONGEST_WORD + 1];
  for (size_t i = 0; i <= n; i++) d[i][0] = (int)i;
  for (size_t j = 0; j <= m; j++) d[0][j] = (int)j;
  for (size_t i = 1; i <= n; i++) {
    for (size_t j = 1; j <= m; j++) {
      int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  }
  return d[n][m];
}

const char *th_str_closest(const char *s, const char *const *candidates, int count) {
  const char *best = NULL;
  int best_edits = 3;
  for (int i = 0; i < count; i++) {
    int e = edits(s, candidates[i]);
    if (e < best_edits && e < (int)strlen(s)) best = candidates[i], best_edits = e;
  }
  return best;
}

uint64_t th_hash64(const void *data, size_t bytes) {
  const uint8_t *p = data;
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, 64 bit: offset basis and prime of the definition */
  for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * 0x100000001b3u;
  return h;
}

/* Bytes of the printable character at `s`, 0: there is none. */
static int character_bytes(const char *s) {
  const uint8_t *p = (const uint8_t *)s;
  if (*p < 0x80) return (*p >= ' ' && *p != 0x7f) || *p == '\n' || *p == '\t';
  const int n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
  if (*p < 0xc2 || *p > 0xf4) return 0;
  for (int i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0; /* a NUL too */
  const bool is_control = p[0] == 0xc2 && p[1] < 0xa0;
  const bool is_overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
  const bool is_outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
  return is_control || is_overlong || is_outside ? 0 : n;
}

void th_str_clean(char *s) {
  while (*s) {
    const int n = character_bytes(s);
    if (!n) *s = '?';
    s += n ? n : 1;
  }
}
