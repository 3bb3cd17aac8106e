/* Sum of two tensors, for Armv8.1-M MVE: four elements at a time where both operands are as long as the result. What
 * broadcasts, or has multipliers of 1 and more, is left to the reference. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/elementwise.h"
#include "requantize.h"

typedef struct constants {
  thr_q32 unit, lo, hi;
  int32_t off_a, off_b, mult_a, mult_b, mult, right_a, right_b, right, zero;
} constants;

static inline void add_4(const constants *k, const int8_t *a, const int8_t *b, int8_t *out, int32_t n, int relu) {
  const thr_q32 on_a = thr_q32_line(thr_q32_load_bytes(a, n), k->unit, k->off_a);
  const thr_q32 on_b = thr_q32_line(thr_q32_load_bytes(b, n), k->unit, k->off_b);
  const thr_q32 scaled_a = thr_q32_scale_n(on_a, k->mult_a, k->right_a, 0);
  const thr_q32 sum = thr_q32_add(scaled_a, thr_q32_scale_n(on_b, k->mult_b, k->right_b, 0));
  const thr_q32 x = thr_q32_add_n(thr_q32_scale_n(sum, k->mult, k->right, relu), k->zero);
  thr_q32_store_bytes(out, thr_q32_min(thr_q32_max(x, k->lo), k->hi), n);
}

/* Which operand needs a shift to the right, and what relu is, is known where this is inlined. */
static inline void add_flat(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out, int32_t n,
                            int shift_a, int shift_b, int relu) {
  const constants k = {.unit = thr_q32_all(thr_wrap_shl(1, p->left_shift)),
                       .lo = thr_q32_all(p->lo),
                       .hi = thr_q32_all(p->hi),
                       .off_a = thr_wrap_shl(-p->a_zero, p->left_shift),
                       .off_b = thr_wrap_shl(-p->b_zero, p->left_shift),
                       .mult_a = p->mult[0],
                       .mult_b = p->mult[1],
                       .mult = p->mult[2],
                       .right_a = shift_a ? p->shift[0] : 0,
                       .right_b = shift_b ? p->shift[1] : 0,
                       .right = p->shift[2],
                       .zero = p->out_zero};
  for (int32_t fours = n >> 2; fours > 0; fours--, a += 4, b += 4, out += 4) add_4(&k, a, b, out, 4, relu);
  if (n & 3) add_4(&k, a, b, out, n & 3, relu);
}

void thr_add_s8_mve(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  const int32_t n = p->dim[0] * p->dim[1] * p->dim[2] * p->dim[3];
  const int relu = p->lo >= p->out_zero;
  if (!thr_is_flat(p, p->stride_a) || !thr_is_flat(p, p->stride_b) || p->shift[0] > 0 || p->shift[1] > 0 ||
      p->shift[2] >= 0)
    thr_add_s8_ref(p, a, b, out);
  else if (p->shift[0] < 0 && p->shift[1] < 0)
    add_flat(p, a, b, out, n, 1, 1, 0);
  else if (p->shift[0] < 0)
    add_flat(p, a, b, out, n, 1, 0, 0);
  else if (relu)
    add_flat(p, a, b, out, n, 0, 1, 1);
  else
    add_flat(p, a, b, out, n, 0, 1, 0);
}
