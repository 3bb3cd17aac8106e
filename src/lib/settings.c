/* Settings: rows of params.def with values. See settings.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/settings.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "lib/devices.h"

typedef enum param_type { INT, FLOAT, FLAG, TEXT, LIST, CHOICE, DEVICE } param_type;

typedef struct param_row {
  const char *stages, *name;
  param_type type;
  const char *placeholder, *def;
  double lowest, highest;
  const char *help;
} param_row;

static const param_row rows[] = {
#define TH_PARAM(stages, name, type, placeholder, def, lowest, highest, help) \
  {stages, name, type, placeholder, def, lowest, highest, help},
#include "lib/params.def"
#undef TH_PARAM
};
#define N_ROWS ((int)(sizeof rows / sizeof *rows))

static const char *const stage_names[TH_STAGE_COUNT] = {
#define TH_STAGE(id, name, letter, check, run) name,
#include "lib/stages.def"
#undef TH_STAGE
};

/* Those of the `stages` column. */
static const char stage_letters[TH_STAGE_COUNT] = {
#define TH_STAGE(id, name, letter, check, run) letter,
#include "lib/stages.def"
#undef TH_STAGE
};

struct th_settings {
  th_stage_id stage;
  char *value[N_ROWS]; /* NULL: default, or not a parameter of this stage */
};

static bool row_is_of(const param_row *row, int stage) {
  return strchr(row->stages, stage_letters[stage]) != NULL;
}

static int find_stage(const char *name) {
  int i = 0;
  while (i < TH_STAGE_COUNT && !th_str_eq(stage_names[i], name)) i++;
  return i;
}

const char *th_stage_name(int i) {
  return i >= 0 && i < TH_STAGE_COUNT ? stage_names[i] : NULL;
}

bool th_stage_param(const char *stage, int i, th_param *param) {
  int id = find_stage(stage);
  for (int r = 0; r < N_ROWS && id < TH_STAGE_COUNT; r++) {
    if (!row_is_of(&rows[r], id) || i-- > 0) continue;
    *param = (th_param){rows[r].name, rows[r].placeholder, rows[r].def, rows[r].help, rows[r].type == FLAG};
    return true;
  }
  return false;
}

static th_status unknown(const char *what, const char *name, const char *const *known, int n) {
  const char *close = th_str_closest(name, known, n);
  if (!close) return th_fail(TH_ERR_INPUT, "%s \"%s\"", what, name);
  return th_fail(TH_ERR_INPUT, "%s \"%s\"; did you mean \"%s\"?", what, name, close);
}

th_status th_settings_create(const char *stage, th_settings **settings) {
  int id = find_stage(stage);
  if (id == TH_STAGE_COUNT) return unknown("unknown stage", stage, stage_names, TH_STAGE_COUNT);
  th_settings *s = th_alloc(sizeof *s);
  if (!s) return TH_ERR_RESOURCE;
  s->stage = (th_stage_id)id;
  *settings = s;
  return TH_OK;
}

th_status th_settings_copy(const th_settings *s, th_settings **copy) {
  TH_TRY(th_settings_create(stage_names[s->stage], copy));
  th_status status = TH_OK;
  for (int i = 0; i < N_ROWS && status == TH_OK; i++)
    if (s->value[i]) status = th_settings_set(*copy, rows[i].name, s->value[i]);
  if (status != TH_OK) th_settings_free(*copy);
  return status;
}

void th_settings_free(th_settings *s) {
  for (int i = 0; s && i < N_ROWS; i++) th_free(s->value[i]);
  th_free(s);
}

static int find_row(const th_settings *s, const char *name) {
  int i = 0;
  while (i < N_ROWS && !(th_str_eq(rows[i].name, name) && row_is_of(&rows[i], (int)s->stage))) i++;
  return i;
}

static th_status unknown_param(const th_settings *s, const char *name) {
  const char *names[N_ROWS];
  char what[64] = "no parameter";
  int n = 0;
  for (int i = 0; i < N_ROWS; i++)
    if (row_is_of(&rows[i], (int)s->stage)) names[n++] = rows[i].name;
  strcpy(what, stage_names[s->stage]);
  strcat(what, " has no parameter");
  return unknown(what, name, names, n);
}

/* Position of `value` in "a|b|c", or -1. */
static int choice_of(const char *choices, const char *value) {
  size_t n = strlen(value);
  for (int i = 0;; i++) {
    size_t m = strcspn(choices, "|");
    if (m == n && !memcmp(choices, value, n)) return i;
    if (!choices[m]) return -1;
    choices += m + 1;
  }
}

static th_status check_value(const param_row *row, const char *value) {
  double v = 0;
  long long k;
  switch (row->type) {
    case INT:
      if (!th_str_int(value, &k))
        return th_fail(TH_ERR_INPUT, "%s: an integer expected, found \"%s\"", row->name, value);
      v = (double)k;
      break;
    case FLOAT:
      if (!th_str_double(value, &v))
        return th_fail(TH_ERR_INPUT, "%s: a number expected, found \"%s\"", row->name, value);
      break;
    case FLAG:
      if (th_str_eq(value, "true") || th_str_eq(value, "false")) return TH_OK;
      return th_fail(TH_ERR_INPUT, "%s: true or false expected, found \"%s\"", row->name, value);
    case TEXT:
    case LIST:   /* see keep_list */
    case DEVICE: /* see follow_device */
      return TH_OK;
    case CHOICE:
      if (choice_of(row->placeholder, value) >= 0) return TH_OK;
      return th_fail(TH_ERR_INPUT, "%s: one of %s expected, found \"%s\"", row->name, row->placeholder, value);
  }
  if (v >= row->lowest && v <= row->highest) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: %s is outside %g to %g", row->name, value, row->lowest, row->highest);
}

static th_status keep_value(th_settings *s, int i, const char *value) {
  char *copy = th_alloc(strlen(value) + 1);
  if (!copy) return TH_ERR_RESOURCE;
  strcpy(copy, value);
  th_free(s->value[i]);
  s->value[i] = copy;
  return TH_OK;
}

/* In place: without the blanks around entries. Whether all entries have something. */
static bool tidy(char *list) {
  char *to = list;
  for (const char *part = list;;) {
    const char *end = part + strcspn(part, ",");
    const bool is_last = !*end;
    size_t n = (size_t)(end - part);
    while (n && isspace((unsigned char)*part)) part++, n--;
    while (n && isspace((unsigned char)part[n - 1])) n--;
    if (!n) return false;
    memmove(to, part, n);
    to += n;
    *to++ = is_last ? '\0' : ',';
    if (is_last) return true;
    part = end + 1;
  }
}

static th_status keep_list(th_settings *s, int i, const char *value) {
  TH_TRY(keep_value(s, i, value));
  if (!*value || tidy(s->value[i])) return TH_OK;
  th_free(s->value[i]);
  s->value[i] = NULL;
  return th_fail(TH_ERR_INPUT, "%s: \"%s\" has an empty entry, at a comma too many", rows[i].name, value);
}

/* A device and a target, both given, must be of each other. */
static th_status check_pair(const th_device *d, const char *target) {
  if (th_str_eq(d->target, target)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "device %s (%s) runs code for target %s, not for %s", d->name, d->core, d->target,
                 target);
}

/* A device decides the target. */
static th_status set_device(th_settings *s, int i, const char *value) {
  const int target = find_row(s, "target");
  if (!*value) return keep_value(s, i, value);
  const th_device *d = th_device_find(value);
  if (!d) return TH_ERR_INPUT;
  TH_TRY(th_device_need_target(d));
  if (s->value[target]) TH_TRY(check_pair(d, s->value[target]));
  TH_TRY(keep_value(s, target, d->target));
  return keep_value(s, i, d->name);
}

static const th_device *device_of(const th_settings *s) {
  return s->stage == TH_STAGE_COMPILE ? th_device_of(s) : NULL;
}

th_status th_settings_set(th_settings *s, const char *name, const char *value) {
  int i = find_row(s, name);
  if (i == N_ROWS) return unknown_param(s, name);
  TH_TRY(check_value(&rows[i], value));
  if (rows[i].type == DEVICE) return set_device(s, i, value);
  if (rows[i].type == LIST) return keep_list(s, i, value);
  if (th_str_eq(name, "target") && device_of(s)) TH_TRY(check_pair(device_of(s), value));
  return keep_value(s, i, value);
}

th_stage_id th_settings_stage(const th_settings *s) {
  return s->stage;
}
bool th_settings_has(const th_settings *s, const char *name) {
  return find_row(s, name) < N_ROWS;
}

const char *th_settings_text(const th_settings *s, const char *name) {
  int i = find_row(s, name);
  assert(i < N_ROWS);
  return s->value[i] ? s->value[i] : rows[i].def;
}

bool th_settings_is_default(const th_settings *s, const char *name) {
  int i = find_row(s, name);
  assert(i < N_ROWS);
  return !s->value[i] || th_str_eq(s->value[i], rows[i].def);
}

bool th_settings_is_set(const th_settings *s, const char *name) {
  int i = find_row(s, name);
  return i < N_ROWS && s->value[i];
}

double th_settings_number(const th_settings *s, const char *name) {
  double v = 0;
  if (!th_str_double(th_settings_text(s, name), &v)) assert(!"not a number");
  return v;
}

bool th_settings_flag(const th_settings *s, const char *name) {
  return th_str_eq(th_settings_text(s, name), "true");
}

int th_settings_choice(const th_settings *s, const char *name) {
  return choice_of(rows[find_row(s, name)].placeholder, th_settings_text(s, name));
}

/* Defaults count as values: a later version may have others. */
uint64_t th_settings_hash(const th_settings *s) {
  uint64_t hash = 0;
  for (int i = 0; i < N_ROWS; i++) {
    if (!row_is_of(&rows[i], (int)s->stage)) continue;
    if (th_str_eq(rows[i].name, "checkpoint") || th_str_eq(rows[i].name, "resume")) continue;
    const char *value = s->value[i] ? s->value[i] : rows[i].def;
    hash = (hash * 31 + th_hash64(rows[i].name, strlen(rows[i].name))) * 31 + th_hash64(value, strlen(value));
  }
  return hash * 31 + (uint64_t)s->stage;
}
