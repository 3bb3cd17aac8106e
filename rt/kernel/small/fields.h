/* Two sums in one register: products of int8 added up in the halves of a word, for processors whose only multiplication
 * is 32 x 32 -> 32.
 *
 * A word of weights holds those of two output channels, w = a + b * 2^16. Then x * w = x * a + x * b * 2^16, so one
 * multiplication and one addition serve both channels as long as neither half leaves 16 bits. How many taps that is,
 * the table knows: weights come in blocks of so few taps that the sum of |w| * 128 stays below 2^15, and after each
 * block the halves go to sums of 32 bits. Values of a window are words too, in scratch, so that one LDM loads several.
 *
 * Table of four channels (the last ones may be of no weight): blocks, then four scales. A block: weights of two taps,
 * the word `skip`, weights of up to THR_FIELDS_MORE further pairs of taps. Weights of a tap are two words. `skip` is
 * how many pairs of the most are missing, times THR_FIELDS_STEP: the length of a pair's code on Armv6-M, where the
 * block jumps into an unrolled loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_SMALL_FIELDS_H
#define THR_SMALL_FIELDS_H

#include "narrow.h"

#define THR_FIELDS_CHANNELS 4
#define THR_FIELDS_MORE 7  /* pairs after a block's first */
#define THR_FIELDS_STEP 22 /* bytes of code: 11 instructions */
#define THR_FIELDS_END (THR_FIELDS_MORE * THR_FIELDS_STEP)

typedef struct thr_fields_scale {
  int32_t bias;   /* the input's zero point taken out */
  int32_t lo, hi; /* sums that give the least and the largest result; all beyond give the same */
  int32_t round;  /* the output's zero point in it */
  uint16_t m0, m1, m2, shift;
} thr_fields_scale;

/* zero + scale(sum + bias), clamped: thr_narrow_scale() on the part of the sums that matters. `least`: the result of
 * sums up to `lo`, which relu makes the most frequent one. */
static inline int8_t thr_fields_finish(const thr_fields_scale *s, int32_t sum, int32_t least) {
  int32_t x = thr_wrap_add(sum, s->bias);
  if (x <= s->lo) return (int8_t)least;
  if (x > s->hi) x = s->hi;
  const int32_t middle = (((x * s->m0) >> 10) + x * s->m1) >> 10;
  return (int8_t)((middle + x * s->m2 + s->round + ((x >> 31) & -((int32_t)1 << 11))) >> s->shift);
}

/* Pairs of taps of a window of `taps`. */
static inline int32_t thr_fields_pairs(int32_t taps) {
  return (taps + 1) / 2;
}

/* Values as words; returns where the next ones go. */
int32_t *thr_fields_widen(int32_t *to, const int8_t *from, int32_t n);

/* All channels of one window: x[0..2 pairs) times the table. `out_c` results from `out` on. */
void thr_fields_window(const int32_t *x, int32_t pairs, const void *packed, int32_t out_c, int32_t least, int8_t *out);

/* --- on the host --- */

/* The constants of a layer, `elems` weights to a channel. */
typedef struct thr_fields_layer {
  const thr_weights *weights;
  const thr_bias *bias;
  const thr_requant *requant;
  int32_t elems, out_c, in_zero, out_zero, lo, hi;
} thr_fields_layer;

/* Bytes of the table; 0: the numbers do not fit. */
size_t thr_fields_bytes(const thr_fields_layer *l);
void thr_fields_pack(const thr_fields_layer *l, void *packed);
/* The scale of a channel whose weights add up to `sum`; 0: it does not fit. */
int thr_fields_scale_of(const thr_fields_layer *l, int32_t channel, int32_t sum, thr_fields_scale *scale);

#endif
