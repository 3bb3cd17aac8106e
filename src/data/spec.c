/* Parsing DATA arguments: two tables, one of keys and one of augmentations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/spec.h"

#include <string.h>

#include "base/str.h"

enum { MAX_ITEMS = TH_SPEC_ITEMS };

typedef struct assignment {
  const char *key;
  const char *item[MAX_ITEMS];
  int items;
} assignment;

typedef th_status key_fn(th_data_spec *spec, const assignment *a);

static th_status number(const assignment *a, const char *text, double lo, double hi, double *out) {
  if (th_str_double(text, out) && *out >= lo && *out <= hi) return TH_OK;
  return th_fail(TH_ERR_USAGE, "data: %s=%s: expected a number from %g to %g", a->key, text, lo, hi);
}

static th_status single(const assignment *a, double lo, double hi, double *out) {
  if (a->items != 1) return th_fail(TH_ERR_USAGE, "data: %s= takes one value, found %d", a->key, a->items);
  return number(a, a->item[0], lo, hi, out);
}

static th_status per_channel(const assignment *a, double lo, double hi, float out[4], int *count) {
  if (a->items > 4) return th_fail(TH_ERR_USAGE, "data: %s= takes 1 to 4 values, found %d", a->key, a->items);
  for (int i = 0; i < a->items; ++i) {
    double v;
    TH_TRY(number(a, a->item[i], lo, hi, &v));
    out[i] = (float)v;
  }
  *count = a->items;
  return TH_OK;
}

static th_status key_scale(th_data_spec *s, const assignment *a) {
  double v;
  TH_TRY(single(a, 1e-30, 1e30, &v));
  s->scale = (float)v;
  return TH_OK;
}

static th_status key_mean(th_data_spec *s, const assignment *a) {
  return per_channel(a, -1e30, 1e30, s->mean, &s->n_mean);
}

static th_status key_std(th_data_spec *s, const assignment *a) {
  return per_channel(a, 1e-30, 1e30, s->std, &s->n_std);
}

static th_status key_val(th_data_spec *s, const assignment *a) {
  return single(a, 0, 0.9, &s->val);
}

static th_status whole(const assignment *a, long long lo, long long hi, long long *out) {
  if (a->items == 1 && th_str_int(a->item[0], out) && *out >= lo && *out <= hi) return TH_OK;
  return th_fail(TH_ERR_USAGE, "data: %s=%s: expected a whole number from %lld to %lld", a->key, a->item[0], lo, hi);
}

static th_status key_limit(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, 1, 0x7fffffff, &v));
  s->limit = (int)v;
  return TH_OK;
}

static th_status key_seed(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, 0, 0x7fffffffffffffff, &v));
  s->seed = (uint64_t)v;
  return TH_OK;
}

static const char *const augment_names[] = {"shift", "flip", "rotate", "zoom", "crop", "erase"};
static const double augment_limits[] = {64, 0, 180, 0.9, 64, 256};

/* "shift2": a name and a number behind it ("flip" has none). */
static th_status augment_item(th_augment *g, const assignment *a, const char *item) {
  size_t letters = strspn(item, "abcdefghijklmnopqrstuvwxyz_");
  int kind = 0;
  while (kind < 6 && !(strlen(augment_names[kind]) == letters && strncmp(item, augment_names[kind], letters) == 0))
    ++kind;
  if (kind == 6) {
    return th_fail(TH_ERR_USAGE,
                   "data: augment=%s is unknown: expected shift2, flip, rotate10, zoom0.1, crop2, erase8 (the numbers "
                   "are yours), or another key=value",
                   item);
  }
  if (kind == 1 && item[letters]) return th_fail(TH_ERR_USAGE, "data: augment=%s: flip takes no number", item);
  double v = 1;
  if (kind != 1) TH_TRY(number(a, item + letters, 0, augment_limits[kind], &v));
  if (kind >= 4 && v != (int)v) return th_fail(TH_ERR_USAGE, "data: augment=%s: expected whole pixels", item);
  switch (kind) {
    case 0:
      g->shift = (float)v;
      break;
    case 1:
      g->flip = true;
      break;
    case 2:
      g->rotate = (float)v;
      break;
    case 3:
      g->zoom = (float)v;
      break;
    case 4:
      g->crop = (int)v;
      break;
    default:
      g->erase = (int)v;
      break;
  }
  return TH_OK;
}

static th_status key_augment(th_data_spec *s, const assignment *a) {
  for (int i = 0; i < a->items; ++i) TH_TRY(augment_item(&s->augment, a, a->item[i]));
  s->has_augment = true;
  return TH_OK;
}

static th_status text(const assignment *a, const char **out) {
  if (a->items != 1 || !a->item[0][0]) return th_fail(TH_ERR_USAGE, "data: %s= takes one value", a->key);
  *out = a->item[0];
  return TH_OK;
}

/* test=0.2 is a part of the training set, test=FILE a file of its own. */
static th_status key_test(th_data_spec *s, const assignment *a) {
  double v;
  TH_TRY(text(a, &s->test_file));
  if (!th_str_double(s->test_file, &v)) return TH_OK;
  s->test_file = NULL;
  return number(a, a->item[0], 0.001, 0.9, &s->test);
}

static th_status key_zero(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, -32768, 65535, &v));
  s->zero = (int32_t)v;
  s->has_zero = true;
  return TH_OK;
}

static th_status key_labels(th_data_spec *s, const assignment *a) {
  TH_TRY(text(a, &s->labels));
  if (strcmp(s->labels, "none") != 0) return TH_OK;
  s->no_labels = true;
  s->labels = NULL;
  return TH_OK;
}

static th_status key_test_labels(th_data_spec *s, const assignment *a) {
  return text(a, &s->test_labels);
}

static th_status key_positive(th_data_spec *s, const assignment *a) {
  return text(a, &s->positive);
}

static th_status key_shape(th_data_spec *s, const assignment *a) {
  const char *value = NULL;
  TH_TRY(text(a, &value));
  bool ok = th_shape_parse(value, &s->shape) && s->shape.rank >= 1 && s->shape.rank <= 3;
  int64_t elems = 1;
  for (int i = 0; ok && i < s->shape.rank; ++i) {
    ok = s->shape.dim[i] >= 1 && s->shape.dim[i] <= (1 << 24) / elems;
    elems *= s->shape.dim[i];
  }
  if (ok) return TH_OK;
  return th_fail(TH_ERR_USAGE,
                 "data: shape=%s: expected 1 to 3 sizes of one sample, such as 49x10x1, at most 2^24 values", value);
}

static th_status key_dtype(th_data_spec *s, const assignment *a) {
  return text(a, &s->dtype);
}

static th_status key_label(th_data_spec *s, const assignment *a) {
  return text(a, &s->label);
}

static th_status list(const assignment *a, th_spec_list *out) {
  memcpy(out->item, a->item, sizeof out->item);
  out->count = a->items;
  return TH_OK;
}

static th_status key_target(th_data_spec *s, const assignment *a) {
  return list(a, &s->target);
}

static th_status key_drop(th_data_spec *s, const assignment *a) {
  return list(a, &s->drop);
}

/* missing=drop,-200: what becomes of rows with a missing value, then numbers that stand for one. */
static th_status key_missing(th_data_spec *s, const assignment *a) {
  s->drop_missing = strcmp(a->item[0], "drop") == 0;
  if (!s->drop_missing && strcmp(a->item[0], "refuse") != 0)
    return th_fail(TH_ERR_USAGE, "data: missing=%s: expected drop or refuse, then numbers that stand for missing",
                   a->item[0]);
  if (a->items > 5) return th_fail(TH_ERR_USAGE, "data: missing= takes at most 4 numbers, found %d", a->items - 1);
  for (s->n_missing = 0; s->n_missing < a->items - 1; ++s->n_missing)
    TH_TRY(number(a, a->item[s->n_missing + 1], -1e38, 1e38, &s->missing[s->n_missing]));
  return TH_OK;
}

/* size=96: square; size=48x64: rows x columns. */
static th_status key_size(th_data_spec *s, const assignment *a) {
  const char *value = NULL;
  th_shape shape;
  TH_TRY(text(a, &value));
  bool ok = th_shape_parse(value, &shape) && (shape.rank == 1 || shape.rank == 2);
  for (int i = 0; ok && i < shape.rank; ++i) ok = shape.dim[i] >= 1 && shape.dim[i] <= 4096;
  if (!ok) return th_fail(TH_ERR_USAGE, "data: size=%s: expected rows x columns from 1 to 4096, such as 96x96", value);
  s->size_y = shape.dim[0];
  s->size_x = shape.dim[shape.rank - 1];
  return TH_OK;
}

static th_status key_channels(th_data_spec *s, const assignment *a) {
  const char *value = NULL;
  TH_TRY(text(a, &value));
  if (strcmp(value, "1") == 0 || strcmp(value, "gray") == 0 || strcmp(value, "grey") == 0)
    s->channels = 1;
  else if (strcmp(value, "3") == 0 || strcmp(value, "rgb") == 0)
    s->channels = 3;
  else
    return th_fail(TH_ERR_USAGE, "data: channels=%s: expected 1 (gray) or 3 (rgb)", value);
  return TH_OK;
}

static th_status key_features(th_data_spec *s, const assignment *a) {
  return text(a, &s->features);
}

static th_status key_rate(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, 1000, 192000, &v));
  s->rate = (int)v;
  return TH_OK;
}

static th_status key_length(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, 1, 600000, &v));
  s->length_ms = (int)v;
  return TH_OK;
}

static th_status key_window(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, 1, 1000, &v));
  s->window_ms = (int)v;
  return TH_OK;
}

static th_status key_step(th_data_spec *s, const assignment *a) {
  long long v;
  TH_TRY(whole(a, 1, 1000, &v));
  s->step_ms = (int)v;
  return TH_OK;
}

typedef struct key {
  const char *name;
  key_fn *take;
} key;

/* The first COMMON go with every data set. */
enum { COMMON = 11 };
static const key keys[] = {
    {"scale", key_scale},   {"zero", key_zero},         {"mean", key_mean},       {"std", key_std},
    {"val", key_val},       {"test", key_test},         {"limit", key_limit},     {"seed", key_seed},
    {"labels", key_labels}, {"positive", key_positive}, {"augment", key_augment}, {"test_labels", key_test_labels},
    {"shape", key_shape},   {"dtype", key_dtype},       {"label", key_label},     {"target", key_target},
    {"drop", key_drop},     {"missing", key_missing},   {"size", key_size},       {"channels", key_channels},
    {"rate", key_rate},     {"features", key_features}, {"length", key_length},   {"window", key_window},
    {"step", key_step}};
enum { KEYS = sizeof keys / sizeof keys[0] };

static th_status apply(th_data_spec *spec, const assignment *a) {
  const char *names[KEYS];
  if (!a->key) return TH_OK;
  for (int i = 0; i < KEYS; ++i) {
    names[i] = keys[i].name;
    if (strcmp(a->key, names[i]) != 0) continue;
    spec->given |= 1u << i;
    return keys[i].take(spec, a);
  }
  const char *close = th_str_closest(a->key, names, KEYS);
  if (close) return th_fail(TH_ERR_USAGE, "data: unknown key '%s': did you mean '%s'?", a->key, close);
  return th_fail(TH_ERR_USAGE,
                 "data: unknown key '%s': expected scale, zero, mean, std, val, test, limit, seed, labels, positive, "
                 "augment, or a key of one kind of data (docs/guide/data.md)",
                 a->key);
}

th_status th_data_spec_check(const th_data_spec *spec, const char *kind, const char *own) {
  for (int i = COMMON; i < KEYS; ++i) {
    if (!(spec->given & 1u << i)) continue;
    const char *found = strstr(own, keys[i].name);
    size_t length = strlen(keys[i].name);
    while (found && !(found > own && found[-1] == ' ' && found[length] == ' ')) found = strstr(found + 1, keys[i].name);
    if (!found) return th_fail(TH_ERR_USAGE, "data: %s= has no meaning for %s", keys[i].name, kind);
  }
  if (spec->labels && !strstr(own, " labels "))
    return th_fail(TH_ERR_USAGE, "data: labels=%s: %s has its own labels; only labels=none is possible", spec->labels,
                   kind);
  if (spec->test_file && !strstr(own, " test "))
    return th_fail(TH_ERR_USAGE, "data: test=%s: expected a number from 0.001 to 0.9", spec->test_file);
  return TH_OK;
}

/* One piece between commas; `piece` is writable. */
static th_status take_piece(th_data_spec *spec, assignment *a, char *piece) {
  char *equals = strchr(piece, '=');
  if (equals) {
    TH_TRY(apply(spec, a));
    *equals = 0;
    *a = (assignment){.key = piece};
    piece = equals + 1;
  }
  if (!a->key) return th_fail(TH_ERR_USAGE, "data: '%s' is not key=value (a path must not contain a comma)", piece);
  if (a->items == MAX_ITEMS) return th_fail(TH_ERR_USAGE, "data: %s= has more than %d values", a->key, MAX_ITEMS);
  a->item[a->items++] = piece;
  return TH_OK;
}

th_status th_data_spec_parse(th_arena *arena, const char *text, uint64_t seed, th_data_spec *spec) {
  *spec = (th_data_spec){.val = 0.1, .seed = seed};
  char *rest = th_arena_strdup(arena, text);
  if (!rest) return TH_ERR_RESOURCE;
  spec->source = rest;
  assignment a = {0};
  for (rest = strchr(rest, ','); rest;) {
    *rest++ = 0;
    char *piece = rest;
    rest = strchr(rest, ',');
    if (rest) *rest = 0;
    TH_TRY(take_piece(spec, &a, piece));
  }
  TH_TRY(apply(spec, &a));
  if (!spec->source[0]) return th_fail(TH_ERR_USAGE, "data: name or path is empty");
  return TH_OK;
}
