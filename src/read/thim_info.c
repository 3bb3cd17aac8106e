/* Looking into a program: what each step is, and its weights, decoded. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../rt/core/fields.h"
#include "eval/lower.h"
#include "read/thim_parts.h"

static const char *const coder_names[THR_CODER_COUNT] = {
#define THR_CODER(id, name, decode) #name,
#include "../../rt/decode/coders.def"
#undef THR_CODER
};

/* The step's record, parsed, and its length. The program has been checked: steps below th_thim_steps() exist. */
static uint32_t find_step(const th_thim *p, int step, thr_parsed_step *parsed) {
  const thr_model *m = &p->model;
  thr_cursor c = {m->blob + m->steps_at, m->blob + m->blob_bytes, 0};
  const uint8_t *before = c.at;
  for (int i = 0; i <= step; i++) {
    before = c.at;
    if (thr_step_parse(m, &c, parsed) != THR_OK) return 0;
  }
  return (uint32_t)(c.at - before);
}

static uint64_t macs_of(const thr_step *step) {
  uint32_t rows, row_elems;
  thr_step_weight_rows(step, &rows, &row_elems);
  const uint64_t weights = (uint64_t)rows * row_elems;
  if (thr_kernel_params(step->kernel) == THR_PARAMS_lstm) return weights * (uint64_t)step->p.lstm.time;
  if (thr_kernel_params(step->kernel) != THR_PARAMS_conv2d || rows == 0) return weights;
  return weights * (uint64_t)step->p.conv2d.out_y * (uint64_t)step->p.conv2d.out_x;
}

int th_thim_steps(const th_thim *p) {
  return p->model.steps;
}

th_thim_step th_thim_step_info(const th_thim *p, int step) {
  thr_parsed_step parsed;
  th_thim_step info = {.bytes = find_step(p, step, &parsed)};
  info.kernel = th_kernel_name(parsed.step.kernel);
  info.scratch_bytes = thr_step_scratch_bytes(&parsed.step);
  thr_step_weight_rows(&parsed.step, &info.rows, &info.row_elems);
  if (!parsed.weighted) return info;
  const thr_weights *w = thr_step_weights(&parsed.step);
  info.coder = coder_names[parsed.coder];
  info.weight_bytes = w->bytes;
  info.table_bytes = w->table_bytes;
  info.macs = macs_of(&parsed.step);
  return info;
}

th_status th_thim_step_weights(const th_thim *p, int step, th_arena *arena, const int8_t **weights) {
  thr_parsed_step parsed;
  thr_stream stream;
  *weights = NULL;
  find_step(p, step, &parsed);
  if (!parsed.weighted) return TH_OK;
  const thr_weights *w = thr_step_weights(&parsed.step);
  uint32_t rows, row_elems;
  thr_step_weight_rows(&parsed.step, &rows, &row_elems);
  if ((uint64_t)rows * row_elems > INT32_MAX)
    return th_fail(TH_ERR_INPUT, "step %d: %u x %u weights are too many to decode", step, rows, row_elems);
  int8_t *out = th_arena_array(arena, rows, row_elems);
  if (!out) return TH_ERR_RESOURCE;
  if (w->decode) {
    void *memory = th_arena_alloc(arena, w->memory);
    if (!memory) return TH_ERR_RESOURCE;
    thr_stream_begin(&stream, w, memory);
    w->decode(&stream, out, rows * row_elems);
  } else {
    memcpy(out, w->data, w->bytes);
  }
  *weights = out;
  return TH_OK;
}
