/* Windows times weights: what convolution and fully connected layers have in common.
 *
 * A window is `lines` runs of staged values; it gives `channels` results that lie side by side. Weights are packed in
 * blocks of up to four vectors of channels: first the block's scales, then, dword by dword of a window, a vector each.
 * Where channels fill less than a vector, `fold` neighbouring windows, `fold_step` values apart, are taken as one
 * longer window with fold times the channels. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_X86_MATRIX_H
#define THR_X86_MATRIX_H

#include "scale.h"

enum {
  THR_BLOCK = 4,
  THR_TILE = 16,
  THR_WINDOWS = 96
}; /* vectors of a block; windows of a tile, and of a run, at most */

typedef struct thr_matrix {
  const thr_weights *weights; /* raw: (channels, lines, run) */
  const thr_bias *bias;
  const thr_requant *requant;
  int32_t channels, lines, run;
  int32_t fold, fold_step;
  int32_t in_zero, out_zero, lo, hi;
} thr_matrix;

/* Windows and where their results go. */
typedef struct thr_windows {
  const thr_staged *in[THR_WINDOWS + THR_TILE];
  int8_t *out[THR_WINDOWS + THR_TILE];
  size_t step;      /* from one window to the next at least, in values; 0: not known */
  size_t line_step; /* from one line of a window to the next, in values */
} thr_windows;

/* Values that lines of a window are read beyond their end, at most. */
#define THR_SLACK THR_GROUP

int THR_X86_NAME(matrix_fits)(const thr_matrix *m);
size_t THR_X86_NAME(matrix_bytes)(const thr_matrix *m);
void THR_X86_NAME(matrix_pack)(const thr_matrix *m, void *packed);
void THR_X86_NAME(matrix_run)(const thr_matrix *m, const void *packed, thr_windows *w, int32_t count);

#endif
