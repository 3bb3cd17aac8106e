/* Fully connected layer for Armv7E-M, twins of weights. See fully_connected_twins_s8_dsp.h.
 *
 * The loop does 16 products in 14 instructions: the input's words, 4 words of weights, and for each of these SXTB16 and
 * two SMLAD. SPDX-License-Identifier: Apache-2.0 */
#include "thr_fast.h"

#include "fully_connected_twins_s8_dsp.h"

#include "thr_form.h"

/* acc[0..1]: both and second (twins.h) of the first pair of rows, acc[2..3] of the second one. quads >= 1. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define QUAD                  \
  "ldrd r2, r3, [r1], #8\n"   \
  "ldmia r0!, {r4-r7}\n"      \
  "sxtb16 r12, r4\n"          \
  "smlad r8, r4, r2, r8\n"    \
  "smlad r9, r12, r2, r9\n"   \
  "sxtb16 r12, r5\n"          \
  "smlad r8, r5, r3, r8\n"    \
  "smlad r9, r12, r3, r9\n"   \
  "sxtb16 r12, r6\n"          \
  "smlad r10, r6, r2, r10\n"  \
  "smlad r11, r12, r2, r11\n" \
  "sxtb16 r12, r7\n"          \
  "smlad r10, r7, r3, r10\n"  \
  "smlad r11, r12, r3, r11\n"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads them */
__attribute__((naked, noinline)) static void dot_4(const uint32_t *weights, const uint32_t *x, int32_t quads,
                                                   int32_t *acc) {
  __asm(THR_TWIN_LOOP(QUAD, 3));
}
#pragma GCC diagnostic pop

#else

static void dot_4(const uint32_t *weights, const uint32_t *x, int32_t quads, int32_t *acc) {
  for (int32_t i = 0; i < 2 * quads; i++, x++) {
    const uint32_t *w = weights + (i >> 1) * 4 + (i & 1);
    for (int32_t pair = 0; pair < 2; pair++) {
      acc[2 * pair] = thr_smlad(w[2 * pair], *x, acc[2 * pair]);
      acc[2 * pair + 1] = thr_smlad(thr_sxtb16(w[2 * pair]), *x, acc[2 * pair + 1]);
    }
  }
}

#endif

static void widen(const int8_t *in, int32_t n, uint32_t *to) {
  for (; n >= 4; n -= 4, in += 4, to += 2) {
    const uint32_t four = thr_load4(in);
    to[0] = thr_sxtb16(four);
    to[1] = thr_sxtb16_ror8(four);
  }
  if (n == 0) return;
  uint32_t rest = 0;
  memcpy(&rest, in, (size_t)n);
  to[0] = thr_sxtb16(rest);
  to[1] = thr_sxtb16_ror8(rest);
}

THR_ALWAYS_INLINE void all_rows(int32_t out_n, int32_t quads, const uint32_t *group, const uint32_t *x, int8_t *out,
                                const thr_twin_range range) {
  for (int32_t left = out_n; left > 0; left -= 4, out += 4) {
    int32_t acc[4] = {(int32_t)group[1], (int32_t)group[1], (int32_t)group[3], (int32_t)group[3]};
    const uint32_t *tail = group + thr_group_tail(quads);
    dot_4(group + THR_GROUP_WEIGHTS, x, quads, acc);
    const thr_twin_scale a = thr_twin_scale_of(tail, range.zero2);
    const thr_twin_scale b = thr_twin_scale_of(tail + THR_TWIN_TAIL, range.zero2);
    out[0] = thr_twin_finish(thr_twin_first(acc[0], acc[1], group[0]), &a, 0, range);
    if (left > 1) out[1] = thr_twin_finish(acc[1], &a, 1, range);
    if (left > 2) out[2] = thr_twin_finish(thr_twin_first(acc[2], acc[3], group[2]), &b, 0, range);
    if (left > 3) out[3] = thr_twin_finish(acc[3], &b, 1, range);
    group = tail + 2 * THR_TWIN_TAIL;
  }
}

void thr_fully_connected_twins_s8_dsp(const thr_fully_connected_params *p, const void *packed, const int8_t *in,
                                      int8_t *out, void *scratch) {
  const int32_t quads = thr_twin_quads(p->in_n);
  widen(in, p->in_n, scratch);
  THR_TWIN_BY_RANGE(p, all_rows, p->out_n, quads, packed, scratch, out);
}
