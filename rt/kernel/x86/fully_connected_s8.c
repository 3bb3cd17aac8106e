/* Fully connected layer, int8: a window is a sample, so a batch is a product of matrices (matrix.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "matrix.h"
#include "stage.h"
#include "x86.h"

static thr_matrix matrix_of(const thr_fully_connected_params *p) {
  const thr_matrix m = {.weights = &p->weights,
                        .bias = &p->bias,
                        .requant = &p->requant,
                        .channels = p->out_n,
                        .lines = 1,
                        .run = p->in_n,
                        .fold = 1,
                        .in_zero = p->in_zero,
                        .out_zero = p->out_zero,
                        .lo = p->lo,
                        .hi = p->hi};
  return m;
}

static size_t row_elems(const thr_fully_connected_params *p) {
  return (size_t)((p->in_n + THR_GROUP - 1) / THR_GROUP * THR_GROUP);
}

int THR_X86_NAME(fully_connected_s8_need)(const thr_fully_connected_params *p, thr_need *need) {
  const thr_matrix m = matrix_of(p);
  if (!THR_X86_NAME(matrix_fits)(&m)) return 0;
  need->packed_bytes = THR_X86_NAME(matrix_bytes)(&m);
  need->scratch_bytes = thr_align(THR_WINDOWS * row_elems(p) * sizeof(thr_staged));
  return 1;
}

void THR_X86_NAME(fully_connected_s8_pack)(const thr_fully_connected_params *p, void *packed) {
  const thr_matrix m = matrix_of(p);
  THR_X86_NAME(matrix_pack)(&m, packed);
}

void THR_X86_NAME(fully_connected_s8)(const thr_fully_connected_params *p, const void *packed, const thr_batch *b,
                                      void *scratch) {
  const thr_matrix m = matrix_of(p);
  thr_staged *rows = scratch;
  thr_windows w;
  int32_t count = 0;
  w.line_step = w.step = 0;
  for (int32_t i = 0; i < b->samples; i++) {
    thr_staged *row = rows + (size_t)count * row_elems(p);
    thr_stage(row, b->in[0] + (size_t)i * b->in_step[0], (size_t)p->in_n);
    w.in[count] = row;
    w.out[count] = b->out + (size_t)i * b->out_step;
    if (++count < THR_WINDOWS && i + 1 < b->samples) continue;
    THR_X86_NAME(matrix_run)(&m, packed, &w, count);
    count = 0;
  }
}
