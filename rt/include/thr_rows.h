/* Row streaming: a chain of layers that hands single lines on, so that no whole map lies between them.
 *
 * A stage makes one map, line after line, from windows of lines that earlier stages have made or that lie complete in
 * the arena. Of a map that only stages read, no more lines are kept than their windows need: line y lies at place y
 * modulo that number. Work goes by demand: the last stage's next line is wanted, and whoever lacks a line for it (or
 * for a line lacking there) makes one. So every stage stays as far behind as it can, which keeps the rings small, and
 * the finished lines may be written over lines of the chain's own input that nobody reads any more.
 * The offsets, and how many lines a ring needs, come from the planner, which runs the same schedule without data.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_ROWS_H
#define THR_ROWS_H

#include "thr_kernels.h"

#define THR_STAGES_MOST 24 /* of one chain */
#define THR_STAGE_LINES 16 /* of all windows of a stage */
enum { THR_STAGE_INPUTS = 2 };

/* Makes one line of the output. `params`: those of the kernel, whose vertical members are not looked at. `weights`: in
 * storage order, those that were coded; NULL: raw ones lie where the parameters say. `line`: the lines of the window,
 * NULL for those outside the map; then those of the second operand. */
typedef void thr_row_fn(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out);

static inline const int8_t *thr_row_weights(const thr_conv2d_params *p, const int8_t *decoded) {
  return decoded ? decoded : (const int8_t *)p->weights.data;
}

typedef struct thr_lines { /* line y lies in the arena at `at` + (y % kept) * bytes */
  uint32_t at, bytes;
  uint16_t rows, kept;
} thr_lines;

typedef struct thr_stage_input {
  thr_lines lines;
  const int8_t *data;                    /* a constant that serves every line; NULL: `lines` */
  int8_t from;                           /* the stage that makes them, an earlier one; -1: they are complete */
  int16_t kernel, stride, dilation, pad; /* of the window, vertically */
} thr_stage_input;

typedef struct thr_stage {
  thr_row_fn *row;
  const void *params;
  thr_lines out;
  thr_stage_input in[THR_STAGE_INPUTS];
  uint32_t weights; /* where coded ones lie decoded in the arena */
  uint8_t inputs, coded;
} thr_stage;

/* How the stages of a chain are found: copies number `i` to *stage. They may lie in a table or be read from a blob. */
typedef void thr_stage_get(const void *from, uint32_t i, thr_stage *stage);
thr_stage_get thr_stage_of_table; /* `from`: const thr_stage[] */

/* Runs a chain of `stages` (at most THR_STAGES_MOST) to the last line of its last stage. Weights that are coded have
 * been decoded before, by thr_unpack(): once, not once per line. */
void thr_rows_run(thr_stage_get *get, const void *from, uint32_t stages, void *arena);

/* The stage whose turn it is, copied to *stage, when stage i has made made[i] lines and the last is not done. */
uint32_t thr_rows_next(thr_stage_get *get, const void *from, uint32_t stages, const uint16_t *made, thr_stage *stage);

/* The lines of an input in the window of output line y: from `first` (may be negative) to before `end` (cut at the
 * map's). */
static inline int32_t thr_window_first(const thr_stage_input *in, int32_t y) {
  return y * in->stride - in->pad;
}
static inline int32_t thr_window_end(const thr_stage_input *in, int32_t y) {
  const int32_t end = thr_window_first(in, y) + (in->kernel - 1) * in->dilation + 1;
  return end < in->lines.rows ? end : in->lines.rows;
}

/* Those of AVR read `params` in program memory (thr_flash.h). */
#define THR_ROW_VARIANT(kernel, name, folder) thr_row_fn thr_##name##_row_##folder;
#include "../kernel/row_variants.def"
#undef THR_ROW_VARIANT

thr_row_fn thr_conv2d_s8_row_ref, thr_depthwise_conv2d_s8_row_ref, thr_max_pool2d_s8_row_ref, thr_avg_pool2d_s8_row_ref;

#endif
