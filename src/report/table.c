/* Text tables. See table.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MAX_COLUMNS 16

struct th_table {
  th_arena *arena;
  int columns;
  const char *header[MAX_COLUMNS];
  bool left[MAX_COLUMNS];
  const char **cells; /* row after row */
  int n_cells, capacity;
};

th_table *th_table_create(th_arena *arena, const char *columns) {
  th_table *t = TH_NEW(arena, th_table);
  char *text = th_arena_strdup(arena, columns);
  if (!t || !text) return NULL;
  t->arena = arena;
  while (text && t->columns < MAX_COLUMNS) {
    char *bar = strchr(text, '|');
    if (bar) *bar++ = '\0';
    t->left[t->columns] = *text == '<';
    t->header[t->columns++] = text + (*text == '<');
    text = bar;
  }
  return t;
}

void th_table_cell(th_table *t, const char *fmt, ...) {
  if (!t) return;
  char text[256];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (t->n_cells == t->capacity) {
    int capacity = t->capacity ? 2 * t->capacity : 64;
    const char **cells = TH_ARRAY(t->arena, const char *, capacity);
    if (!cells) return;
    if (t->n_cells) memcpy(cells, t->cells, (size_t)t->n_cells * sizeof *cells);
    t->cells = cells;
    t->capacity = capacity;
  }
  const char *own = th_arena_strdup(t->arena, text);
  if (own) t->cells[t->n_cells++] = own;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static int text_width(const char *s) {
  int n = 0;
  for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
  return n;
}

static void print_cell(th_buf *out, const char *text, int width, bool left, bool last) {
  int pad = width - text_width(text);
  if (left)
    th_buf_printf(out, "%s%*s", text, last ? 0 : pad, "");
  else
    th_buf_printf(out, "%*s%s", pad, "", text);
  th_buf_printf(out, last ? "\n" : "  ");
}

void th_table_print(const th_table *t, th_buf *out) {
  if (!t) return;
  int width[MAX_COLUMNS];
  for (int c = 0; c < t->columns; c++) width[c] = text_width(t->header[c]);
  for (int i = 0; i < t->n_cells; i++) {
    int w = text_width(t->cells[i]), c = i % t->columns;
    if (w > width[c]) width[c] = w;
  }
  for (int c = 0; c < t->columns; c++) print_cell(out, t->header[c], width[c], t->left[c], c == t->columns - 1);
  int rows = (t->n_cells + t->columns - 1) / t->columns;
  for (int i = 0; i < rows * t->columns; i++) {
    int c = i % t->columns;
    print_cell(out, i < t->n_cells ? t->cells[i] : "", width[c], t->left[c], c == t->columns - 1);
  }
}

const char *th_thousands(char buf[32], long long v) {
  char digits[32];
  int n = snprintf(digits, sizeof digits, "%lld", v < 0 ? -v : v), at = 0;
  if (v < 0) buf[at++] = '-';
  for (int i = 0; i < n && at < 30; i++) {
    if (i && (n - i) % 3 == 0) buf[at++] = ',';
    buf[at++] = digits[i];
  }
  buf[at] = '\0';
  return buf;
}
