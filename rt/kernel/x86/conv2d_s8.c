/* Convolution, int8, without groups: the windows of the staged image times the packed weights (matrix.h).
 * A kernel row is one run of kernel_x * in_c neighbouring values. SPDX-License-Identifier: Apache-2.0 */
#include "matrix.h"
#include "stage.h"
#include "x86.h"

enum { STAGE_BYTES = 1 << 16 }; /* samples are staged together up to this size */

/* Neighbouring outputs that share a vector: as many as fill it. */
static int32_t fold_of(const thr_conv2d_params *p) {
  int32_t fold = THR_LANES / p->out_c;
  while (fold > 1 && (p->out_x % fold != 0 || THR_LANES % (fold * p->out_c) != 0)) fold--;
  return fold < 1 ? 1 : fold;
}

static thr_matrix matrix_of(const thr_conv2d_params *p) {
  const thr_matrix m = {.weights = &p->weights,
                        .bias = &p->bias,
                        .requant = &p->requant,
                        .channels = p->out_c,
                        .lines = p->kernel_y,
                        .run = p->kernel_x * p->in_c,
                        .fold = fold_of(p),
                        .fold_step = p->stride_x * p->in_c,
                        .in_zero = p->in_zero,
                        .out_zero = p->out_zero,
                        .lo = p->lo,
                        .hi = p->hi};
  return m;
}

static size_t line_elems(const thr_conv2d_params *p) {
  return (size_t)thr_stage_columns(p) * (size_t)p->in_c;
}

static size_t image_elems(const thr_conv2d_params *p) {
  return (size_t)thr_stage_rows(p) * line_elems(p);
}

static int32_t samples_together(const thr_conv2d_params *p) {
  const size_t n = STAGE_BYTES / (image_elems(p) * sizeof(thr_staged));
  return n < 1 ? 1 : n > 64 ? 64 : (int32_t)n;
}

int THR_X86_NAME(conv2d_s8_need)(const thr_conv2d_params *p, thr_need *need) {
  if ((p->groups != 1 && p->in_c != 1) || (p->dilation_x != 1 && p->kernel_x != 1) || !thr_stage_fits(p)) return 0;
  const thr_matrix m = matrix_of(p);
  if (!THR_X86_NAME(matrix_fits)(&m)) return 0;
  need->packed_bytes = THR_X86_NAME(matrix_bytes)(&m);
  need->scratch_bytes = thr_align(((size_t)samples_together(p) * image_elems(p) + THR_SLACK) * sizeof(thr_staged));
  return 1;
}

void THR_X86_NAME(conv2d_s8_pack)(const thr_conv2d_params *p, void *packed) {
  const thr_matrix m = matrix_of(p);
  THR_X86_NAME(matrix_pack)(&m, packed);
}

static void stage_row(const thr_conv2d_params *p, const int8_t *in, int32_t y, thr_staged *to) {
  const int32_t columns = thr_stage_columns(p), zero = p->in_zero + THR_OFFSET;
  const size_t c = (size_t)p->in_c;
  if (y < 0 || y >= p->in_y) {
    thr_stage_fill(to, zero, (size_t)columns * c);
    return;
  }
  const int32_t before = p->pad_x < columns ? p->pad_x : columns;
  const int32_t inside = columns - before < p->in_x ? columns - before : p->in_x;
  thr_stage_fill(to, zero, (size_t)before * c);
  thr_stage(to + (size_t)before * c, in + (size_t)y * (size_t)p->in_x * c, (size_t)inside * c);
  thr_stage_fill(to + (size_t)(before + inside) * c, zero, (size_t)(columns - before - inside) * c);
}

static void stage_image(const thr_conv2d_params *p, const int8_t *in, thr_staged *to) {
  const int32_t rows = thr_stage_rows(p), columns = thr_stage_columns(p);
  if (p->pad_y == 0 && p->pad_x == 0 && columns == p->in_x && rows <= p->in_y && p->stride_y == 1) {
    thr_stage(to, in, image_elems(p));
    return;
  }
  for (int32_t y = 0; y < rows; y++, to += line_elems(p)) {
    if (p->kernel_y == 1 && y % p->stride_y != 0) continue; /* no window has it */
    stage_row(p, in, y - p->pad_y, to);
  }
}

/* Windows of `samples` staged images, THR_WINDOWS at a time. */
static void run_windows(const thr_conv2d_params *p, const thr_matrix *m, const void *packed, const thr_staged *images,
                        int32_t samples, int8_t *out, size_t out_step) {
  thr_windows w;
  int32_t count = 0;
  const size_t step_x = (size_t)(p->stride_x * m->fold * p->in_c), out_c = (size_t)(m->fold * p->out_c);
  const size_t step_y = (size_t)p->stride_y * line_elems(p);
  const int32_t across = p->out_x / m->fold;
  w.step = p->kernel_x >= p->stride_x ? step_x : 0;
  w.line_step = (size_t)p->dilation_y * line_elems(p);
  for (int32_t i = 0; i < samples; i++) {
    int8_t *o = out + (size_t)i * out_step;
    const thr_staged *line = images + (size_t)i * image_elems(p);
    for (int32_t y = 0; y < p->out_y; y++, line += step_y) {
      for (int32_t x = 0; x < across;) {
        const int32_t n = across - x < THR_WINDOWS - count ? across - x : THR_WINDOWS - count;
        for (int32_t k = 0; k < n; k++) {
          w.in[count + k] = line + (size_t)(x + k) * step_x;
          w.out[count + k] = o + (size_t)k * out_c;
        }
        x += n;
        o += (size_t)n * out_c;
        count += n;
        if (count < THR_WINDOWS) continue;
        THR_X86_NAME(matrix_run)(m, packed, &w, count);
        count = 0;
      }
    }
  }
  if (count > 0) THR_X86_NAME(matrix_run)(m, packed, &w, count);
}

void THR_X86_NAME(conv2d_s8)(const thr_conv2d_params *p, const void *packed, const thr_batch *b, void *scratch) {
  const thr_matrix m = matrix_of(p);
  const int32_t most = samples_together(p);
  thr_staged *images = scratch;
  for (int32_t i = 0; i < b->samples; i += most) {
    const int32_t n = b->samples - i < most ? b->samples - i : most;
    for (int32_t k = 0; k < n; k++)
      stage_image(p, b->in[0] + (size_t)(i + k) * b->in_step[0], images + (size_t)k * image_elems(p));
    run_windows(p, &m, packed, images, n, b->out + (size_t)i * b->out_step, b->out_step);
  }
}
