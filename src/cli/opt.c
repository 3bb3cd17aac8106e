/* Parser and help of option tables; see opt.h. The one idea: a row says where its value lies, so that one switch over
 * the kind of value is all the code there is. SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define HELP_COLUMN 30
#define HELP_WIDTH 100
#define MAX_NAMES 96

static void *place(const opt_group *g, const opt_row *row) {
  return (char *)g->values + row->at;
}

/* --- values --- */

static th_status bad_value(const opt_row *row, const char *text, const char *wanted) {
  return th_fail(TH_ERR_USAGE, "--%s: '%s' is not %s", row->name, text, wanted);
}

static th_status set_int(const opt_row *row, const char *text, int *value) {
  long long v;
  if (!th_str_int(text, &v)) return bad_value(row, text, "a whole number");
  if (v < row->lo || v > row->hi)
    return th_fail(TH_ERR_USAGE, "--%s: %s is outside %d to %d", row->name, text, row->lo, row->hi);
  *value = (int)v;
  return TH_OK;
}

static th_status set_seed(const opt_row *row, const char *text, opt_seed *seed) {
  long long v;
  if (!th_str_int(text, &v) || v < 0) return bad_value(row, text, "a whole number from 0 up");
  *seed = (opt_seed){(uint64_t)v, true};
  return TH_OK;
}

static th_status add_item(const opt_row *row, const char *text, opt_list *list) {
  if (list->count == OPT_LIST_MAX)
    return th_fail(TH_ERR_USAGE, "--%s: given more than %d times", row->name, OPT_LIST_MAX);
  list->item[list->count++] = text;
  return TH_OK;
}

static bool is_flag(const opt_row *row) {
  return !row->arg;
}

static th_status set_value(const opt_group *g, const opt_row *row, const char *text) {
  void *at = place(g, row);
  switch (row->kind) {
    case OPT_FLAG:
      *(bool *)at = true;
      return TH_OK;
    case OPT_STRING:
    case OPT_FILE:
      *(const char **)at = text;
      return TH_OK;
    case OPT_SETTING:
      *(const char **)at = text ? text : "true";
      return TH_OK;
    case OPT_FILES:
      return add_item(row, text, at);
    case OPT_INT:
      return set_int(row, text, at);
    case OPT_SEED:
      return set_seed(row, text, at);
  }
  return TH_ERR_INTERNAL;
}

/* --- parsing --- */

typedef struct match {
  const opt_group *group;
  const opt_row *row;
} match;

static match find_long(const opt_group *groups, int n_groups, const char *name, size_t length) {
  for (int i = 0; i < n_groups; i++)
    for (const opt_row *r = groups[i].rows; r->name; r++)
      if (strlen(r->name) == length && memcmp(r->name, name, length) == 0) return (match){&groups[i], r};
  return (match){NULL, NULL};
}

static match find_letter(const opt_group *groups, int n_groups, char letter) {
  for (int i = 0; i < n_groups; i++)
    for (const opt_row *r = groups[i].rows; r->name; r++)
      if (r->letter == letter) return (match){&groups[i], r};
  return (match){NULL, NULL};
}

static th_status unknown_long(const opt_group *groups, int n_groups, const char *name) {
  const char *names[MAX_NAMES];
  int n = 0;
  for (int i = 0; i < n_groups; i++)
    for (const opt_row *r = groups[i].rows; r->name && n < MAX_NAMES; r++) names[n++] = r->name;
  const char *near = th_str_closest(name, names, n);
  if (near) return th_fail(TH_ERR_USAGE, "unknown option '--%s', did you mean '--%s'?", name, near);
  return th_fail(TH_ERR_USAGE, "unknown option '--%s'", name);
}

/* --no-NAME of a flag that the library knows; it may be on by default. */
static bool switched_off(const opt_group *groups, int n_groups, const char *name) {
  if (!th_str_starts(name, "no-")) return false;
  match m = find_long(groups, n_groups, name + 3, strlen(name + 3));
  if (!m.row || m.row->kind != OPT_SETTING || !is_flag(m.row)) return false;
  *(const char **)place(m.group, m.row) = "false";
  return true;
}

/* The word after an option is its value unless it looks like the next option; -1 is a number, - a file name. A value
 * that begins with a dash can be given as --name=-value. */
static const char *next_word(int argc, char **argv, int i) {
  const char *word = i + 1 < argc ? argv[i + 1] : NULL;
  if (!word || word[0] != '-' || !word[1]) return word;
  return strchr("0123456789.", word[1]) ? word : NULL;
}

/* Handles argv[*i], a long option; moves *i on when the value is the next word. */
static th_status parse_long(const opt_group *groups, int n_groups, int argc, char **argv, int *i) {
  const char *name = argv[*i] + 2;
  size_t length = strcspn(name, "=");
  const char *value = name[length] == '=' ? name + length + 1 : NULL;
  match m = find_long(groups, n_groups, name, length);
  if (!m.row && switched_off(groups, n_groups, name)) return TH_OK;
  if (!m.row) {
    argv[*i][2 + length] = 0;
    return unknown_long(groups, n_groups, name);
  }
  if (is_flag(m.row) && value) return th_fail(TH_ERR_USAGE, "--%s takes no value", m.row->name);
  if (!is_flag(m.row) && !value) {
    value = next_word(argc, argv, (*i)++);
    if (!value) return th_fail(TH_ERR_USAGE, "--%s needs a value: %s", m.row->name, m.row->arg);
  }
  return set_value(m.group, m.row, value);
}

/* Handles argv[*i], one or more letters: -q, -oFILE, -o FILE, -qo FILE. */
static th_status parse_letters(const opt_group *groups, int n_groups, int argc, char **argv, int *i) {
  for (const char *p = argv[*i] + 1; *p; p++) {
    match m = find_letter(groups, n_groups, *p);
    if (!m.row) return th_fail(TH_ERR_USAGE, "unknown option '-%c'", *p);
    if (is_flag(m.row)) {
      TH_TRY(set_value(m.group, m.row, NULL));
      continue;
    }
    if (p[1]) return set_value(m.group, m.row, p + 1);
    const char *value = next_word(argc, argv, (*i)++);
    if (!value) return th_fail(TH_ERR_USAGE, "-%c needs a value: %s", *p, m.row->arg);
    return set_value(m.group, m.row, value);
  }
  return TH_OK;
}

th_status opt_parse(const opt_group *groups, int n_groups, int argc, char **argv, int *n_words) {
  bool options = true;
  *n_words = 0;
  for (int i = 0; i < argc; i++) {
    if (options && strcmp(argv[i], "--") == 0)
      options = false;
    else if (options && strncmp(argv[i], "--", 2) == 0)
      TH_TRY(parse_long(groups, n_groups, argc, argv, &i));
    else if (options && argv[i][0] == '-' && argv[i][1])
      TH_TRY(parse_letters(groups, n_groups, argc, argv, &i));
    else
      argv[(*n_words)++] = argv[i];
  }
  return TH_OK;
}

/* --- help --- */

static void append_default(const opt_group *g, const opt_row *row, th_buf *out) {
  if (!g->values) return;
  const void *at = place(g, row);
  const char *const *string = at;
  if ((row->kind == OPT_STRING || row->kind == OPT_FILE) && *string) th_buf_printf(out, " [%s]", *string);
  if (row->kind == OPT_INT && *(const int *)at >= 0) th_buf_printf(out, " [%d]", *(const int *)at);
  if (row->kind == OPT_SEED) th_buf_printf(out, " [%" PRIu64 "]", ((const opt_seed *)at)->value);
}

/* Breaks text at spaces so that it stays right of HELP_COLUMN. */
static void append_wrapped(th_buf *out, const char *text) {
  int column = HELP_COLUMN;
  while (*text) {
    int n = (int)strcspn(text, " ");
    if (column + n > HELP_WIDTH && column > HELP_COLUMN) {
      th_buf_printf(out, "\n%*s", HELP_COLUMN, "");
      column = HELP_COLUMN;
    }
    th_buf_printf(out, "%.*s", n, text);
    text += n;
    column += n + 1;
    if (*text == ' ') text++;
    if (*text && column + (int)strcspn(text, " ") <= HELP_WIDTH) th_buf_u8(out, ' ');
  }
}

void opt_help(const opt_group *group, th_buf *out) {
  th_buf text = {0};
  th_buf_printf(out, "\n%s:\n", group->title);
  for (const opt_row *r = group->rows; r->name; r++) {
    size_t begin = out->size;
    const char *no = r->kind == OPT_SETTING && is_flag(r) ? "[no-]" : "";
    if (r->letter)
      th_buf_printf(out, "  -%c, --%s", r->letter, r->name);
    else
      th_buf_printf(out, "      --%s%s", no, r->name);
    if (r->arg) th_buf_printf(out, " %s", r->arg);
    int used = (int)(out->size - begin);
    if (used + 2 > HELP_COLUMN)
      th_buf_printf(out, "\n%*s", HELP_COLUMN, "");
    else
      th_buf_printf(out, "%*s", HELP_COLUMN - used, "");
    text.size = 0;
    th_buf_printf(&text, "%s", r->help);
    append_default(group, r, &text);
    append_wrapped(out, th_buf_cstr(&text));
    th_buf_u8(out, '\n');
  }
  th_buf_free(&text);
}
