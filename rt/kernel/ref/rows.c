/* The driver of row streaming; see thr_rows.h. It copies one stage at a time, so the stages may lie anywhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "thr_flash.h"
#include "thr_rows.h"

#include <string.h>

void thr_stage_of_table(const void *from, uint32_t i, thr_stage *stage) {
  thr_flash_copy(stage, (const thr_stage *)from + i, sizeof *stage);
}

/* The stage that must first make lines for line y of this one; -1 when all it needs is there. */
static int32_t lacking(const thr_stage *stage, int32_t y, const uint16_t *made) {
  for (uint32_t k = 0; k < stage->inputs; k++) {
    const thr_stage_input *in = &stage->in[k];
    if (in->from >= 0 && made[in->from] < thr_window_end(in, y)) return in->from;
  }
  return -1;
}

uint32_t thr_rows_next(thr_stage_get *get, const void *from, uint32_t stages, const uint16_t *made, thr_stage *stage) {
  uint32_t i = stages - 1u;
  get(from, i, stage);
  for (int32_t need = lacking(stage, made[i], made); need >= 0; need = lacking(stage, made[i], made)) {
    i = (uint32_t)need; /* always an earlier one, so this ends */
    get(from, i, stage);
  }
  return i;
}

static uint8_t *line_at(const thr_lines *lines, uint8_t *arena, int32_t y) {
  return arena + lines->at + (uint32_t)(y % lines->kept) * lines->bytes;
}

static void make_line(const thr_stage *stage, int32_t y, uint8_t *arena) {
  const int8_t *line[THR_STAGE_LINES];
  uint32_t n = 0;
  for (uint32_t k = 0; k < stage->inputs; k++) {
    const thr_stage_input *in = &stage->in[k];
    int32_t from = thr_window_first(in, y);
    for (int32_t ky = 0; ky < in->kernel && n < THR_STAGE_LINES; ky++, from += in->dilation) {
      const int inside = from >= 0 && from < in->lines.rows;
      line[n++] = in->data ? in->data : inside ? (const int8_t *)line_at(&in->lines, arena, from) : NULL;
    }
  }
  const int8_t *weights = stage->coded ? (const int8_t *)arena + stage->weights : NULL;
  stage->row(stage->params, weights, line, (int8_t *)line_at(&stage->out, arena, y));
}

void thr_rows_run(thr_stage_get *get, const void *from, uint32_t stages, void *arena) {
  uint16_t made[THR_STAGES_MOST];
  thr_stage stage;
  if (stages < 1u || stages > THR_STAGES_MOST) return;
  memset(made, 0, sizeof made);
  get(from, stages - 1u, &stage);
  const uint16_t rows = stage.out.rows;
  while (made[stages - 1u] < rows) {
    const uint32_t i = thr_rows_next(get, from, stages, made, &stage);
    make_line(&stage, made[i], (uint8_t *)arena);
    made[i]++;
  }
}
