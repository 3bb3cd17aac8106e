/* The loops of depthwise3.h. SPDX-License-Identifier: Apache-2.0 */
#include "depthwise3.h"

typedef struct fixed { /* what stays in registers */
  uint32_t pair0, pair1, pair2, third, third_right;
  int32_t apart;
} fixed;

static inline fixed fixed_of(const thr_line3 *line) {
  const thr_taps3 *t = &line->taps;
  const fixed f = {t->pair[0], t->pair[1], t->pair[2], t->third, t->third_right, line->apart};
  return f;
}

typedef struct column {
  uint32_t pair, last;
} column;

static inline column column_at(const int8_t *in, int32_t apart) {
  const column c = {thr_pkhbt((uint32_t)in[0], (uint32_t)in[apart]), (uint32_t)thr_byte_twice(in, apart)};
  return c;
}

static inline int32_t tap0(fixed f, column c, int32_t sum) {
  return thr_smlabb(c.last, f.third, thr_smlad(c.pair, f.pair0, sum));
}

static inline int32_t tap1(fixed f, column c, int32_t sum) {
  return thr_smlabt(c.last, f.third, thr_smlad(c.pair, f.pair1, sum));
}

static inline int32_t tap2(fixed f, column c, int32_t sum) {
  return thr_smlabt(c.last, f.third_right, thr_smlad(c.pair, f.pair2, sum));
}

static inline int8_t finish(const thr_line3 *line, uint32_t right, int32_t sum) {
  int32_t mult, round;
  THR_FETCH2(mult, round, line, taps.scale);
  return (int8_t)thr_ssat8(thr_asr(thr_smmlar(sum, mult, round + (sum >> 31)), right));
}

void thr_line3_of(thr_line3 *line, int32_t in_n, int32_t out_n, int32_t stride, int32_t pad) {
  const int32_t most = (out_n - 1) * stride + 3 - pad, columns = most < in_n ? most : in_n;
  const int32_t unborn = 3 - stride - pad; /* stride 1: 2 - pad; stride 2: 1 - pad */
  const int32_t rest = columns > unborn ? columns - unborn : 0, done = rest / stride;
  line->unborn = unborn < columns ? unborn : columns;
  line->bytes = done * stride * line->steps[0];
  if (stride == 1) {
    line->short_1 = columns >= unborn && done < out_n;
    line->short_2 = columns - 1 + pad < out_n;
  } else {
    line->short_1 = done < out_n && rest % 2 == 1;
    line->short_2 = done < out_n && rest % 2 == 0;
  }
}

/* Before column j, a belongs to output j - 2 + pad and b to the next one. */
void thr_line3_stride1(thr_line3 *line, const int8_t *in, int8_t *out) {
  const fixed f = fixed_of(line);
  const int8_t *stop;
  int32_t a = line->taps.begin[0], b = line->taps.begin[1], step, out_step;
  for (int32_t n = line->unborn; n > 0; n--, in += line->steps[0]) {
    const column c = column_at(in, f.apart);
    a = tap1(f, c, b);
    b = tap0(f, c, line->taps.bias);
  }
  line->stop = stop = in + line->bytes;
  if (in != stop) {
    do {
      const column c = column_at(in, f.apart);
      const int32_t done = tap2(f, c, a);
      a = tap1(f, c, b);
      THR_FETCH(b, line, taps.bias);
      b = tap0(f, c, b);
      *out = finish(line, f.third_right, done);
      THR_FETCH2(step, out_step, line, steps);
      in += step;
      out += out_step;
      THR_FETCH(stop, line, stop);
    } while (in != stop);
  }
  if (line->short_1) {
    *out = finish(line, f.third_right, a + line->taps.missing[0]);
    out += line->steps[1];
  }
  if (line->short_2) *out = finish(line, f.third_right, b + line->taps.missing[1]);
}

/* Each output takes two new columns, the second of which begins the next output too. */
void thr_line3_stride2(thr_line3 *line, const int8_t *in, int8_t *out) {
  const fixed f = fixed_of(line);
  const int8_t *stop;
  int32_t a = line->taps.begin[1], step, out_step;
  if (line->unborn > 0) {
    a = tap0(f, column_at(in, f.apart), line->taps.bias);
    in += line->steps[0];
  }
  line->stop = stop = in + line->bytes;
  if (in != stop) {
    do {
      THR_FETCH2(step, out_step, line, steps);
      a = tap1(f, column_at(in, f.apart), a);
      in += step;
      const column c = column_at(in, f.apart);
      in += step;
      const int32_t done = tap2(f, c, a);
      THR_FETCH(a, line, taps.bias);
      a = tap0(f, c, a);
      *out = finish(line, f.third_right, done);
      out += out_step;
      THR_FETCH(stop, line, stop);
    } while (in != stop);
  }
  if (line->short_1) *out = finish(line, f.third_right, tap1(f, column_at(in, f.apart), a) + line->taps.missing[0]);
  if (line->short_2) *out = finish(line, f.third_right, a + line->taps.missing[1]);
}
