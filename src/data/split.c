/* Stratified splitting: a counting sort by class, one shuffle per class from a stream of its own, a mark per item.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/split.h"

#include <math.h>

#include "base/rng.h"

/* Positions 0..count-1 grouped by class; begin[c]..begin[c+1] is class c. */
static void group(const int32_t *items, int count, const int32_t *labels, int classes, int32_t *begin, int32_t *order) {
  for (int i = 0; i < count; ++i) begin[(labels ? labels[items ? items[i] : i] : 0) + 1]++;
  for (int c = 0; c < classes; ++c) begin[c + 1] += begin[c];
  for (int i = 0; i < count; ++i) order[begin[labels ? labels[items ? items[i] : i] : 0]++] = i;
  for (int c = classes; c > 0; --c) begin[c] = begin[c - 1];
  begin[0] = 0;
}

static int mark(const int32_t *begin, int32_t *order, int classes, double fraction, uint64_t seed, uint8_t *taken) {
  int total = 0;
  for (int c = 0; c < classes; ++c) {
    int32_t n = begin[c + 1] - begin[c];
    th_rng rng = th_rng_init(seed, 0x73706c6974000000u + (uint64_t)c); /* "split" */
    th_rng_shuffle(&rng, order + begin[c], n);
    int take = (int)floor(n * fraction + 0.5);
    for (int i = 0; i < take; ++i) taken[order[begin[c] + i]] = 1;
    total += take;
  }
  return total;
}

th_status th_split_draw(th_arena *arena, const int32_t *items, int count, const int32_t *labels, int classes,
                        double fraction, uint64_t seed, int32_t **part, int *n_part, int32_t **rest, int *n_rest) {
  if (!labels || classes < 1) {
    labels = NULL;
    classes = 1;
  }
  *part = TH_ARRAY(arena, int32_t, count);
  *rest = TH_ARRAY(arena, int32_t, count);
  th_arena_pos pos = th_arena_mark(arena);
  int32_t *begin = TH_ARRAY(arena, int32_t, classes + 1);
  int32_t *order = TH_ARRAY(arena, int32_t, count);
  uint8_t *taken = TH_ARRAY(arena, uint8_t, count);
  if (!*part || !*rest || !begin || !order || !taken) return TH_ERR_RESOURCE;
  group(items, count, labels, classes, begin, order);
  mark(begin, order, classes, fraction, seed, taken);
  *n_part = *n_rest = 0;
  for (int i = 0; i < count; ++i) {
    int32_t item = items ? items[i] : i;
    if (taken[i])
      (*part)[(*n_part)++] = item;
    else
      (*rest)[(*n_rest)++] = item;
  }
  th_arena_release(arena, pos);
  return TH_OK;
}
