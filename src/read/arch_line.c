/* Splitting lines of architecture text and reading their values. Every message says file, line, layer, what was found
 * and what was expected.
 * SPDX-License-Identifier: Apache-2.0 */
#include "read/arch_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *const th_arch_key_names[KEY_COUNT] = {
    "name",       "from",  "kernel", "stride",  "dilation", "padding", "groups", "multiplier", "bias",
    "activation", "alpha", "beta",   "epsilon", "momentum", "axis",    "axes",   "keep_dims"};

th_status th_arch_fail(const arch_line *l, const char *fmt, ...) {
  char text[600];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return th_fail(TH_ERR_INPUT, "%s:%d: %s: %s", l->what, l->line, l->word, text);
}

static th_status set_key(arch_line *l, char *word, char *equals) {
  *equals = 0;
  for (int k = 0; k < KEY_COUNT; ++k) {
    if (strcmp(word, th_arch_key_names[k]) != 0) continue;
    if (l->value[k]) return th_arch_fail(l, "%s= is given twice", word);
    if (!equals[1]) return th_arch_fail(l, "%s= has no value", word);
    l->value[k] = equals + 1;
    return TH_OK;
  }
  const char *close = th_str_closest(word, th_arch_key_names, KEY_COUNT);
  return th_arch_fail(l, "unknown key '%s'%s%s%s", word, close ? ": did you mean '" : "", close ? close : "",
                      close ? "'?" : "");
}

th_status th_arch_line_split(char *text, arch_line *l) {
  text[strcspn(text, "#")] = 0;
  char *state = NULL;
  for (char *word = strtok_r(text, " \t\r", &state); word; word = strtok_r(NULL, " \t\r", &state)) {
    char *equals = strchr(word, '=');
    if (!l->word && equals)
      return th_fail(TH_ERR_INPUT, "%s:%d: a line begins with a layer, found '%s'", l->what, l->line, word);
    if (!l->word) {
      l->word = word;
    } else if (equals) {
      TH_TRY(set_key(l, word, equals));
    } else if (l->argument) {
      return th_arch_fail(l, "unexpected '%s' after '%s': expected key=value", word, l->argument);
    } else {
      l->argument = word;
    }
  }
  return TH_OK;
}

th_status th_arch_int(const arch_line *l, const char *role, const char *text, int lo, int hi, int *out) {
  long long v;
  if (!th_str_int(text, &v)) return th_arch_fail(l, "%s is '%s', expected a whole number", role, text);
  if (v < lo || v > hi) return th_arch_fail(l, "%s is %lld, expected %d to %d", role, v, lo, hi);
  *out = (int)v;
  return TH_OK;
}

th_status th_arch_float(const arch_line *l, const char *role, const char *text, double lo, double hi, float *out) {
  double v;
  if (!th_str_double(text, &v)) return th_arch_fail(l, "%s is '%s', expected a number", role, text);
  if (v < lo || v > hi) return th_arch_fail(l, "%s is %g, expected %g to %g", role, v, lo, hi);
  *out = (float)v;
  return TH_OK;
}

th_status th_arch_pair(const arch_line *l, const char *role, const char *text, int lo, int hi, int out[2]) {
  char first[16];
  size_t n = strcspn(text, "x");
  if (n >= sizeof first) return th_arch_fail(l, "%s is '%s', expected a number or two as in 3x5", role, text);
  memcpy(first, text, n);
  first[n] = 0;
  TH_TRY(th_arch_int(l, role, first, lo, hi, &out[0]));
  out[1] = out[0];
  return text[n] ? th_arch_int(l, role, text + n + 1, lo, hi, &out[1]) : TH_OK;
}

th_status th_arch_yes(const arch_line *l, const char *role, const char *text, bool *out) {
  static const char *const words[] = {"no", "yes", "false", "true"};
  for (int i = 0; i < 4; ++i)
    if (th_str_eq(text, words[i])) {
      *out = i & 1;
      return TH_OK;
    }
  return th_arch_fail(l, "%s is '%s', expected yes or no", role, text);
}

th_status th_arch_shape(const arch_line *l, const char *role, const char *text, int max_rank, th_shape *out) {
  int64_t elems = 1;
  bool ok = th_shape_parse(text, out) && out->rank >= 1 && out->rank <= max_rank;
  for (int i = 0; ok && i < out->rank; ++i) {
    ok = out->dim[i] >= 1 && out->dim[i] <= 1 << 20;
    elems *= ok ? out->dim[i] : 1;
    ok = ok && elems <= 1 << 26;
  }
  if (ok) return TH_OK;
  return th_arch_fail(l, "%s is '%s', expected 1 to %d sizes as in 28x28x1", role, text, max_rank);
}

th_status th_arch_list(const arch_line *l, const char *role, const char *text, th_arena *arena, const char **items,
                       int limit, int *count) {
  char *state = NULL, *copy = th_arena_strdup(arena, text);
  if (!copy) return TH_ERR_RESOURCE;
  *count = 0;
  for (char *word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state)) {
    if (*count == limit) return th_arch_fail(l, "%s has more than %d items", role, limit);
    items[(*count)++] = word;
  }
  return *count ? TH_OK : th_arch_fail(l, "%s is empty", role);
}
