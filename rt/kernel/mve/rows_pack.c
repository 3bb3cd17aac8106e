/* The table of rows. See rows.h. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

int thr_mve_can_pack(const thr_weights *weights, const thr_requant *requant, int32_t channels) {
  if (weights->decode || requant->decode) return 0;
  for (int32_t c = 0; c < channels; c++)
    if (requant->shift[thr_requant_entry(requant, c)] > 0) return 0;
  return 1;
}

static int32_t taps_of(const thr_mve_source *s) {
  return s->kernel_y * s->kernel_x * s->depth;
}

static size_t group_bytes(const thr_mve_source *s) {
  return 48 + 64 * (size_t)thr_mve_blocks(taps_of(s));
}

size_t thr_mve_rows_bytes(const thr_mve_source *s) {
  if (s->w_zero != 0 || !thr_mve_can_pack(s->weights, s->requant, s->channels)) return 0;
  return ((size_t)s->channels + 3) / 4 * group_bytes(s);
}

/* Lane `lane` of a group. */
static void put_row(const thr_mve_source *s, int32_t c, int32_t lane, int8_t *group) {
  const int32_t taps = taps_of(s), line = s->kernel_y * s->depth, e = thr_requant_entry(s->requant, c);
  const int8_t *row = (const int8_t *)s->weights->data + (size_t)c * (size_t)taps;
  int32_t words[3] = {thr_bias_at(s->bias, c), s->requant->mult[e], s->requant->shift[e]};
  for (int32_t t = 0; t < taps; t++) {
    const int32_t kx = t / line, ky = t % line / s->depth, ic = t % s->depth;
    const int8_t w = row[(ky * s->kernel_x + kx) * s->depth + ic];
    group[16 + 64 * (t / 16) + 16 * lane + t % 16] = w;
    words[0] = thr_wrap_sub(words[0], w * s->in_zero);
  }
  int8_t *tail = group + group_bytes(s) - 32;
  memcpy(group + 4 * lane, &words[0], 4);
  memcpy(tail + 4 * lane, &words[1], 4);
  memcpy(tail + 16 + 4 * lane, &words[2], 4);
}

void thr_mve_rows_pack(const thr_mve_source *s, void *packed) {
  int8_t *group = packed;
  memset(packed, 0, thr_mve_rows_bytes(s));
  for (int32_t c = 0; c < s->channels; c++) {
    put_row(s, c, c & 3, group);
    if ((c & 3) == 3) group += group_bytes(s);
  }
}
