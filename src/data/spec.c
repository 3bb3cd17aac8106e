/* Parsing DATA arguments: two tables, one of keys and one of augmentations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/spec.h"

#include <string.h>

#include "base/str.h"

enum { MAX_ITEMS = 8 };

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

static th_status key_test(th_data_spec *s, const assignment *a) {
  return single(a, 0.001, 0.9, &s->test);
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

static const char *const key_names[] = {"scale", "mean", "std", "val", "test", "limit", "seed", "augment"};
static key_fn *const key_functions[] = {key_scale, key_mean,  key_std,  key_val,
                                        key_test,  key_limit, key_seed, key_augment};
enum { KEYS = sizeof key_names / sizeof key_names[0] };

static th_status apply(th_data_spec *spec, const assignment *a) {
  if (!a->key) return TH_OK;
  for (int i = 0; i < KEYS; ++i)
    if (strcmp(a->key, key_names[i]) == 0) return key_functions[i](spec, a);
  const char *close = th_str_closest(a->key, key_names, KEYS);
  if (close) return th_fail(TH_ERR_USAGE, "data: unknown key '%s': did you mean '%s'?", a->key, close);
  return th_fail(TH_ERR_USAGE, "data: unknown key '%s': expected scale, mean, std, val, test, limit, seed or augment",
                 a->key);
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
