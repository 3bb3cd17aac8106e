/* Sum of two tensors of the same shape, int8, with left_shift = 20; broadcasting is left to the reference.
 *
 * For x of 8 bits and m = 2^16 mh + ml the first product needs no 64 bits:
 *
 *   HM(x 2^20, m) = floor((x m + 2^10) / 2^11) = 2^5 mh x + ((ml x + 2^10) >> 11)
 *
 * An operand whose multiplier is exactly 1/2, as that of the coarser scale is, needs only a shift. Whatever does not
 * depend on x (zero points, roundings) is added once. SPDX-License-Identifier: Apache-2.0 */
#include "scale.h"
#include "stage.h"
#include "x86.h"

static int32_t elems_of(const thr_elementwise_params *p) {
  return p->dim[0] * p->dim[1] * p->dim[2] * p->dim[3];
}

/* The operand has the output's shape: strides of a dense tensor wherever a dimension is more than 1. */
static int dense(const int32_t dim[4], const int32_t stride[4]) {
  int32_t expected = 1;
  for (int d = 3; d >= 0; d--) {
    if (dim[d] > 1 && stride[d] != expected) return 0;
    expected *= dim[d];
  }
  return 1;
}

static int scales_of(const thr_elementwise_params *p, thr_scale_lane s[3]) {
  const int64_t most = (int64_t)255 << p->left_shift;
  return thr_scale_of(p->mult[0], p->shift[0], most, 0, &s[0]) &&
         thr_scale_of(p->mult[1], p->shift[1], most, 0, &s[1]) && p->shift[0] <= 0 && p->shift[1] <= 0 &&
         thr_scale_of(p->mult[2], p->shift[2], 2 * most, p->out_zero, &s[2]);
}

int THR_X86_NAME(add_s8_need)(const thr_elementwise_params *p, thr_need *need) {
  thr_scale_lane s[3];
  need->packed_bytes = need->scratch_bytes = 0;
  return p->lo <= p->hi && p->left_shift == 20 && p->mult[0] >= 0 && p->mult[1] >= 0 && p->shift[0] >= -28 &&
         p->shift[1] >= -28 && dense(p->dim, p->stride_a) && dense(p->dim, p->stride_b) && scales_of(p, s);
}

void THR_X86_NAME(add_s8_pack)(const thr_elementwise_params *p, void *packed) {
  (void)p;
  (void)packed;
}

typedef struct operand {
  int half;
  thr_vec high, low, round_low; /* factors of x; 2^10 and the zero point's part */
  thr_vec raised, below, right; /* half of the second rounding and the zero point's part; see scale.h */
} operand;

static operand operand_of(const thr_elementwise_params *p, int i, int32_t zero) {
  const int32_t high = p->mult[i] >> 16 << 5, low = p->mult[i] & 0xffff, right = -p->shift[i];
  const int32_t half = right > 0 ? (int32_t)1 << (right - 1) : 0;
  operand o;
  o.half = p->mult[i] == 1 << 30 && right == 0;
  o.high = thr_v_set(high);
  o.low = thr_v_set(low);
  o.round_low = thr_v_set((1 << 10) - zero * low);
  o.raised = thr_v_set(half - zero * high);
  o.below = thr_v_set(right > 0 ? half : INT32_MIN);
  o.right = thr_v_set(right);
  return o;
}

/* x 2^19 of an operand that is halved still lacks the zero point. */
THR_INLINE thr_vec scaled(const operand *o, const int8_t *from) {
  const thr_vec x = thr_v_widen(from);
  if (o->half) return thr_v_shift(x, 19);
  const thr_vec low = thr_v_shift_right(thr_v_add(thr_v_mul(x, o->low), o->round_low), 11);
  return thr_v_round(thr_v_add(thr_v_add(thr_v_mul(x, o->high), o->raised), low), o->below, o->right);
}

typedef struct sum {
  operand a, b;
  thr_scaler scaler;
  thr_vec offset, lo, hi;
} sum;

THR_INLINE void add_quad(const sum *s, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_vec v[4];
  THR_UNROLL
  for (int i = 0; i < 4; i++) {
    const thr_vec both = thr_v_add(scaled(&s->a, a + i * THR_LANES), scaled(&s->b, b + i * THR_LANES));
    v[i] = thr_rescale(thr_v_add(both, s->offset), &s->scaler);
  }
  thr_v_store(out, thr_v_narrow(v[0], v[1], v[2], v[3], s->lo, s->hi));
}

static void add_all(const sum *s, const int8_t *a, const int8_t *b, int8_t *out, int32_t n) {
  int32_t i = 0;
  for (; i + THR_QUAD <= n; i += THR_QUAD) add_quad(s, a + i, b + i, out + i);
  if (i == n) return;
  int8_t rest[3][THR_QUAD] = {{0}};
  memcpy(rest[0], a + i, (size_t)(n - i));
  memcpy(rest[1], b + i, (size_t)(n - i));
  add_quad(s, rest[0], rest[1], rest[2]);
  memcpy(out + i, rest[2], (size_t)(n - i));
}

void THR_X86_NAME(add_s8)(const thr_elementwise_params *p, const void *packed, const thr_batch *batch, void *scratch) {
  thr_scale_lane lane[3];
  sum s;
  (void)packed;
  (void)scratch;
  scales_of(p, lane);
  s.a = operand_of(p, 0, p->a_zero);
  s.b = operand_of(p, 1, p->b_zero);
  s.scaler = thr_scaler_one(&lane[2]);
  s.offset =
      thr_v_set(lane[2].offset - (s.a.half ? p->a_zero * (1 << 19) : 0) - (s.b.half ? p->b_zero * (1 << 19) : 0));
  s.lo = thr_v_set8(p->lo);
  s.hi = thr_v_set8(p->hi);
  for (int32_t i = 0; i < batch->samples; i++) {
    const size_t k = (size_t)i;
    add_all(&s, batch->in[0] + k * batch->in_step[0], batch->in[1] + k * batch->in_step[1],
            batch->out + k * batch->out_step, elems_of(p));
  }
}
