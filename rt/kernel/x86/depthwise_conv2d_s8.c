/* Depthwise convolution, int8, one output channel per input channel (with a single input channel: an ordinary one).
 *
 * The staged image has its columns in phases of the horizontal stride, so that an output row is a flat list of (x, c)
 * in which the tap kx of result j is value j + a constant. Four rows of the image at a time are interleaved into lines
 * of dwords: dword j has the four values that lie above each other in column and channel j, and a kernel column is one
 * dword of weights. Where four rows serve several output rows, each of these has weights of its own, moved down.
 * Channel and weights of vector v repeat after `patterns` vectors. SPDX-License-Identifier: Apache-2.0 */
#include "scale.h"
#include "stage.h"
#include "x86.h"

#define HALVES (4 / THR_GROUP) /* dwords that hold the values of four rows */
enum { MOST_PATTERNS = 128, TOGETHER = 3 };

typedef struct shape {
  int32_t phases, phase_columns; /* of a staged row */
  int32_t flat, vectors;         /* results of an output row */
  int32_t patterns;
  int32_t quads, rows; /* groups of four rows of a window; output rows that share a group */
  size_t row;          /* values of a staged row */
  size_t line;         /* dwords of an interleaved line, with room to read beyond */
} shape;

static int32_t common_divisor(int32_t a, int32_t b) {
  while (b != 0) {
    const int32_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

static shape shape_of(const thr_conv2d_params *p) {
  shape s;
  s.phases = p->stride_x;
  s.phase_columns = p->out_x + (p->kernel_x - 1) * p->dilation_x / p->stride_x;
  s.flat = p->out_x * p->out_c;
  s.vectors = (s.flat + THR_LANES - 1) / THR_LANES;
  s.patterns = p->out_c / common_divisor(p->out_c, THR_LANES);
  s.quads = (p->kernel_y + 3) / 4;
  s.rows = p->kernel_y <= 4 && p->dilation_y == 1 ? 1 + (4 - p->kernel_y) / p->stride_y : 1;
  s.row = (size_t)s.phases * (size_t)s.phase_columns * (size_t)p->out_c;
  s.line = s.row + 2 * THR_QUAD;
  return s;
}

typedef struct head {
  int32_t shifted, unused[15];
} head;

/* Packed: head, scales of the patterns, where the kernel columns are, weights (row, pattern, quad, kx, half). */
static size_t taps_bytes(const thr_conv2d_params *p) {
  return thr_align((size_t)p->kernel_x * sizeof(int32_t));
}
static size_t weight_vectors(const thr_conv2d_params *p, const shape *s) { /* of a pattern */
  return (size_t)s->quads * (size_t)p->kernel_x * HALVES;
}

static int32_t staged_rows(const thr_conv2d_params *p, const shape *s) {
  const int32_t groups = (p->out_y + s->rows - 1) / s->rows;
  return (groups - 1) * s->rows * p->stride_y + (s->quads * 4 - 1) * p->dilation_y + 1;
}

static size_t image_bytes(const thr_conv2d_params *p, const shape *s) {
  return thr_align(((size_t)staged_rows(p, s) * s->row + THR_QUAD) * sizeof(thr_staged));
}

static int own_channels(const thr_conv2d_params *p) {
  return p->in_c == p->out_c && p->in_c > 1;
}

int THR_X86_NAME(depthwise_conv2d_s8_need)(const thr_conv2d_params *p, thr_need *need) {
  thr_scale_lane one;
  if (p->in_c == 1) return THR_X86_NAME(conv2d_s8_need)(p, need);
  if (!thr_stage_fits(p)) return 0;
  const int32_t taps = p->kernel_y * p->kernel_x;
  const shape s = shape_of(p);
  if (!own_channels(p) || p->weights.decode || p->lo > p->hi || s.patterns > MOST_PATTERNS) return 0;
  for (int32_t c = 0; c < p->out_c; c++) {
    const int8_t *w = (const int8_t *)p->weights.data + (size_t)c * (size_t)taps;
    if (!thr_scale_channel(&p->requant, &p->bias, c, w, taps, p->in_zero, p->out_zero, &one)) return 0;
  }
  need->packed_bytes = sizeof(head) + (size_t)s.patterns * sizeof(thr_scales) + taps_bytes(p) +
                       (size_t)s.rows * (size_t)s.patterns * weight_vectors(p, &s) * sizeof(thr_vec);
  need->scratch_bytes = image_bytes(p, &s) + thr_align((size_t)s.quads * HALVES * s.line * 4);
  return 1;
}

/* --- packing --- */

static void pack_scales(const thr_conv2d_params *p, int32_t pattern, thr_scales *scales, head *h) {
  const int32_t taps = p->kernel_y * p->kernel_x;
  for (int32_t lane = 0; lane < THR_LANES; lane++) {
    const int32_t c = (pattern * THR_LANES + lane) % p->out_c;
    const int8_t *w = (const int8_t *)p->weights.data + (size_t)c * (size_t)taps;
    thr_scale_lane one = {0};
    thr_scale_channel(&p->requant, &p->bias, c, w, taps, p->in_zero, p->out_zero, &one);
    thr_scales_set(scales, lane, thr_staged_bias(&p->bias, c, w, taps, p->in_zero), &one);
    if (one.left) h->shifted = 1;
  }
}

/* A vector: kernel column kx, half `half` of quad `quad`, for the output row `row` of those that share it. */
static void pack_vector(const thr_conv2d_params *p, int32_t row, int32_t pattern, int32_t quad, int32_t kx,
                        int32_t half, thr_packed *to) {
  for (int32_t i = 0; i < THR_LANES * THR_GROUP; i++) {
    const int32_t c = (pattern * THR_LANES + i / THR_GROUP) % p->out_c;
    const int32_t ky = quad * 4 + half * THR_GROUP + i % THR_GROUP - row * p->stride_y;
    to[i] = 0;
    if (ky >= 0 && ky < p->kernel_y)
      to[i] = ((const int8_t *)p->weights.data)[(c * p->kernel_y + ky) * p->kernel_x + kx];
  }
}

/* Where the dwords of kernel column kx begin. */
static int32_t tap_at(const thr_conv2d_params *p, const shape *s, int32_t kx) {
  const int32_t column = kx * p->dilation_x;
  return ((column % s->phases) * s->phase_columns + column / s->phases) * p->out_c;
}

void THR_X86_NAME(depthwise_conv2d_s8_pack)(const thr_conv2d_params *p, void *packed) {
  head *h = packed;
  if (p->in_c == 1) {
    THR_X86_NAME(conv2d_s8_pack)(p, packed);
    return;
  }
  const shape s = shape_of(p);
  thr_scales *scales = (thr_scales *)(void *)(h + 1);
  int32_t *taps = (int32_t *)(void *)(scales + s.patterns);
  thr_packed *to = (thr_packed *)(void *)((uint8_t *)taps + taps_bytes(p));
  memset(h, 0, sizeof *h);
  for (int32_t kx = 0; kx < p->kernel_x; kx++) taps[kx] = tap_at(p, &s, kx);
  for (int32_t pattern = 0; pattern < s.patterns; pattern++) pack_scales(p, pattern, &scales[pattern], h);
  for (int32_t row = 0; row < s.rows; row++)
    for (int32_t pattern = 0; pattern < s.patterns; pattern++)
      for (int32_t quad = 0; quad < s.quads; quad++)
        for (int32_t kx = 0; kx < p->kernel_x; kx++)
          for (int32_t half = 0; half < HALVES; half++, to += THR_LANES * THR_GROUP)
            pack_vector(p, row, pattern, quad, kx, half, to);
}

/* --- staging --- */

/* Columns of one phase: column i of the phase is column i * phases + phase - pad_x of the image. */
static void stage_phase(const thr_conv2d_params *p, const shape *s, const int8_t *in, int32_t phase, thr_staged *to) {
  const size_t c = (size_t)p->in_c;
  const int32_t zero = p->in_zero + THR_OFFSET, first = phase - p->pad_x;
  int32_t begin = first < 0 ? (-first + s->phases - 1) / s->phases : 0;
  int32_t end = p->in_x > first ? (p->in_x - first + s->phases - 1) / s->phases : 0;
  begin = begin < s->phase_columns ? begin : s->phase_columns;
  end = end < begin ? begin : end < s->phase_columns ? end : s->phase_columns;
  thr_stage_fill(to, zero, (size_t)begin * c);
  if (s->phases == 1 && end > begin) {
    thr_stage(to + (size_t)begin * c, in + (size_t)(first + begin) * c, (size_t)(end - begin) * c);
  } else {
    for (int32_t i = begin; i < end; i++) thr_stage(to + (size_t)i * c, in + (size_t)(first + i * s->phases) * c, c);
  }
  thr_stage_fill(to + (size_t)end * c, zero, (size_t)(s->phase_columns - end) * c);
}

static void stage_image(const thr_conv2d_params *p, const shape *s, const int8_t *in, thr_staged *to) {
  const int32_t rows = staged_rows(p, s);
  for (int32_t r = 0; r < rows; r++, to += s->row) {
    const int32_t y = r - p->pad_y;
    if (y < 0 || y >= p->in_y) {
      thr_stage_fill(to, p->in_zero + THR_OFFSET, s->row);
      continue;
    }
    const int8_t *line = in + (size_t)y * (size_t)p->in_x * (size_t)p->in_c;
    for (int32_t phase = 0; phase < s->phases; phase++)
      stage_phase(p, s, line, phase, to + (size_t)phase * (size_t)s->phase_columns * (size_t)p->in_c);
  }
}

/* --- computing --- */

typedef struct line_job {
  const thr_conv2d_params *p;
  const shape *s;
  const thr_scales *scales;
  const thr_packed *weights; /* of this output row */
  const int32_t *taps, *lines;
  int8_t *out;
  int32_t shifted;
  thr_vec lo, hi;
} line_job;

/* Vector v of `count` blocks that lie `step` dwords apart. */
THR_INLINE void run_vectors(const line_job *j, int32_t v, size_t step, thr_vec *acc, int count) {
  const shape *s = j->s;
  const int32_t pattern = v % s->patterns;
  const thr_packed *w = j->weights + (size_t)pattern * weight_vectors(j->p, s) * (THR_LANES * THR_GROUP);
  const thr_scaler scaler = thr_scaler_load(&j->scales[pattern]);
  const int32_t *from = j->lines + v * THR_LANES;
  THR_UNROLL
  for (int i = 0; i < count; i++) acc[i] = thr_v_load(j->scales[pattern].bias);
  for (int32_t quad = 0; quad < s->quads; quad++) {
    for (int32_t kx = 0; kx < j->p->kernel_x; kx++) {
      const int32_t *tap = from + j->taps[kx];
      for (int half = 0; half < HALVES; half++, w += THR_LANES * THR_GROUP, tap += s->line) {
        const thr_vec weight = thr_v_load(w);
        THR_UNROLL
        for (int i = 0; i < count; i++) acc[i] = thr_v_dot(acc[i], thr_v_load(tap + (size_t)i * step), weight);
      }
    }
    from += HALVES * s->line;
  }
  if (j->shifted)
    for (int i = 0; i < count; i++) acc[i] = thr_v_shl(acc[i], thr_v_load(j->scales[pattern].left));
  THR_UNROLL
  for (int i = 0; i < count; i++) acc[i] = thr_rescale(acc[i], &scaler);
}

/* `count` blocks of four vectors, from vector `first` on. */
THR_INLINE void run_blocks(const line_job *j, int32_t first, int32_t step, int count) {
  thr_vec acc[4][TOGETHER];
  THR_UNROLL
  for (int v = 0; v < 4; v++) run_vectors(j, first + v, (size_t)(step * THR_LANES), acc[v], count);
  THR_UNROLL
  for (int i = 0; i < count; i++) {
    const thr_vec q = thr_v_narrow(acc[0][i], acc[1][i], acc[2][i], acc[3][i], j->lo, j->hi);
    const int32_t at = (first + i * step) * THR_LANES, left = j->s->flat - at;
    if (left >= THR_QUAD) {
      thr_v_store(j->out + at, q);
    } else {
      int8_t bytes[THR_QUAD];
      thr_v_store(bytes, q);
      memcpy(j->out + at, bytes, (size_t)left);
    }
  }
}

/* One output row. Blocks whose vectors have the same patterns go together. */
static void run_line(const line_job *j) {
  const int32_t step = 4 * (j->s->patterns / common_divisor(j->s->patterns, 4));
  for (int32_t start = 0; start < step && start < j->s->vectors; start += 4) {
    for (int32_t v = start; v < j->s->vectors;) {
      const int32_t left = (j->s->vectors - v + step - 1) / step;
      const int32_t n = left < TOGETHER || left == TOGETHER + 1 ? (left > 2 ? 2 : left) : TOGETHER;
      if (n == 3) run_blocks(j, v, step, 3);
      if (n == 2) run_blocks(j, v, step, 2);
      if (n == 1) run_blocks(j, v, step, 1);
      v += n * step;
    }
  }
}

/* The four rows from `row` on, `dilation` apart, as lines of dwords. */
static void interleave(const shape *s, const thr_staged *row, size_t dilation, int32_t *line) {
  const thr_staged *r[4];
  for (size_t i = 0; i < 4; i++) r[i] = row + i * dilation * s->row;
  for (size_t i = 0; i < s->row; i += 16) thr_interleave(r[0] + i, r[1] + i, r[2] + i, r[3] + i, line + i, s->line);
}

static void run_sample(const thr_conv2d_params *p, const shape *s, line_job *j, const thr_staged *image, int32_t *lines,
                       int8_t *out, const thr_packed *weights) {
  const size_t row_weights = (size_t)s->patterns * weight_vectors(p, s) * (THR_LANES * THR_GROUP);
  for (int32_t y = 0; y < p->out_y; y += s->rows) {
    const thr_staged *top = image + (size_t)(y * p->stride_y) * s->row;
    for (int32_t quad = 0; quad < s->quads; quad++)
      interleave(s, top + (size_t)(quad * 4 * p->dilation_y) * s->row, (size_t)p->dilation_y,
                 lines + (size_t)quad * HALVES * s->line);
    for (int32_t row = 0; row < s->rows && y + row < p->out_y; row++) {
      j->weights = weights + (size_t)row * row_weights;
      j->out = out + (size_t)(y + row) * (size_t)s->flat;
      run_line(j);
    }
  }
}

void THR_X86_NAME(depthwise_conv2d_s8)(const thr_conv2d_params *p, const void *packed, const thr_batch *b,
                                       void *scratch) {
  if (p->in_c == 1) {
    THR_X86_NAME(conv2d_s8)(p, packed, b, scratch);
    return;
  }
  const shape s = shape_of(p);
  const head *h = packed;
  const thr_scales *scales = (const thr_scales *)(const void *)(h + 1);
  const int32_t *taps = (const int32_t *)(const void *)(scales + s.patterns);
  thr_staged *image = scratch;
  int32_t *lines = (int32_t *)(void *)((uint8_t *)scratch + image_bytes(p, &s));
  line_job j = {.p = p, .s = &s, .scales = scales, .taps = taps, .lines = lines, .shifted = h->shifted};
  j.lo = thr_v_set8(p->lo);
  j.hi = thr_v_set8(p->hi);
  for (int32_t i = 0; i < b->samples; i++) {
    stage_image(p, &s, b->in[0] + (size_t)i * b->in_step[0], image);
    run_sample(p, &s, &j, image, lines, b->out + (size_t)i * b->out_step,
               (const thr_packed *)(const void *)((const uint8_t *)taps + taps_bytes(p)));
  }
}
