/* Reading rows of text tables. See csv.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/csv.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

static char find_separator(const char *at, const char *end) {
  static const char candidates[] = ",;\t";
  int found[3] = {0};
  bool quoted = false;
  for (; at < end && (quoted || *at != '\n'); at++) {
    quoted ^= *at == '"';
    const char *hit = quoted ? NULL : memchr(candidates, *at, 3);
    if (hit) found[hit - candidates]++;
  }
  int best = 0;
  for (int i = 1; i < 3; i++)
    if (found[i] > found[best]) best = i;
  return candidates[best];
}

th_csv th_csv_begin(const char *text, size_t size, const char *what) {
  th_csv c = {.what = what, .at = text, .end = text + size, .next_line = 1};
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) c.at += 3;
  c.separator = find_separator(c.at, c.end);
  return c;
}

int th_csv_width(const th_csv *c) {
  int n = 1;
  bool quoted = false, begun = false;
  for (const char *p = c->at; p < c->end && n < TH_CSV_COLUMNS && (quoted || *p != '\n' || !begun); p++) {
    quoted ^= *p == '"';
    begun |= *p != '\r' && *p != '\n';
    n += *p == c->separator;
  }
  return n;
}

/* From the opening quote to behind the closing one. */
static th_status read_quoted(th_csv *c, th_csv_field *f) {
  int line = c->next_line;
  f->quoted = true;
  f->text = ++c->at;
  for (;; c->at++) {
    if (c->at == c->end) return th_fail(TH_ERR_INPUT, "%s: line %d: a quote is never closed", c->what, line);
    c->next_line += *c->at == '\n';
    if (*c->at != '"') continue;
    if (c->at + 1 == c->end || c->at[1] != '"') break;
    c->at++;
  }
  f->size = (size_t)(c->at++ - f->text);
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\r')) c->at++;
  if (c->at < c->end && *c->at != c->separator && *c->at != '\n')
    return th_fail(TH_ERR_INPUT, "%s: line %d: text behind a closing quote", c->what, c->next_line);
  return TH_OK;
}

static th_status read_field(th_csv *c, th_csv_field *f) {
  *f = (th_csv_field){.text = c->at};
  const char *start = c->at;
  while (start < c->end && *start == ' ') start++;
  if (start < c->end && *start == '"') {
    c->at = start;
    return read_quoted(c, f);
  }
  while (c->at < c->end && *c->at != c->separator && *c->at != '\n') c->at++;
  f->size = (size_t)(c->at - f->text);
  return TH_OK;
}

static void skip_empty_lines(th_csv *c) {
  for (const char *p = c->at; p < c->end && (*p == '\r' || *p == '\n'); p++)
    if (*p == '\n') {
      c->at = p + 1;
      c->next_line++;
    }
  if (c->at + 1 == c->end && *c->at == '\r') c->at++;
}

th_status th_csv_row(th_csv *c, th_csv_field *fields, int most, int *count) {
  *count = 0;
  skip_empty_lines(c);
  c->line = c->next_line;
  if (c->at == c->end) return TH_OK;
  for (;;) {
    if (*count == most)
      return th_fail(TH_ERR_INPUT, "%s: line %d: more than %d fields%s", c->what, c->line, most,
                     most < TH_CSV_COLUMNS ? ", the first line has no more" : "");
    TH_TRY(read_field(c, &fields[(*count)++]));
    if (c->at == c->end) return TH_OK;
    if (*c->at++ == c->separator) continue;
    c->next_line++;
    return TH_OK;
  }
}

const char *th_csv_text(const th_csv *csv, const th_csv_field *field, char *buf, size_t buf_size) {
  const char *p = field->text, *end = p + field->size;
  size_t n = 0;
  (void)csv;
  while (!field->quoted && p < end && isspace((unsigned char)*p)) p++;
  while (!field->quoted && end > p && isspace((unsigned char)end[-1])) end--;
  for (; p < end && n + 1 < buf_size; p++) {
    buf[n++] = *p;
    if (field->quoted && *p == '"') p++; /* the second of two */
  }
  buf[n] = 0;
  return buf;
}

bool th_csv_number(const th_csv *csv, const th_csv_field *field, double *value) {
  char text[64];
  if (field->size >= sizeof text || memchr(field->text, 0, field->size)) return false;
  th_csv_text(csv, field, text, sizeof text);
  char *comma = csv->separator == ',' && !field->quoted ? NULL : strchr(text, ',');
  if (comma) *comma = '.';
  return th_str_double(text, value);
}

bool th_csv_is_missing(const th_csv *csv, const th_csv_field *field) {
  static const char *const words[] = {"", "na", "n/a", "nan", "null", "none", "?"};
  char text[8];
  if (field->size >= 64) return false;
  th_csv_text(csv, field, text, sizeof text);
  for (char *p = text; *p; p++) *p = (char)tolower((unsigned char)*p);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (th_str_eq(text, words[i])) return true;
  return false;
}
