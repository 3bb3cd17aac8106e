/* Running an opened blob, and finding its inputs and outputs. Records are parsed as they are met; thr_open() has found
 * nothing wrong with them. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "parse.h"
#include "stage.h"

uint32_t thr_arena_bytes(const thr_model *model) {
  return model->arena_bytes;
}

static thr_cursor cursor_at(const thr_model *m, uint32_t at) {
  const thr_cursor c = {m->blob + at, m->blob + m->blob_bytes, 0};
  return c;
}

static void run_parsed(const thr_parsed_step *parsed, uint8_t *arena) {
  const void *in[THR_STEP_INPUTS] = {NULL, NULL, NULL, NULL};
  for (uint32_t i = 0; i < parsed->inputs; i++)
    in[i] = parsed->in[i].data ? parsed->in[i].data : arena + parsed->in[i].offset;
  thr_step_run(&parsed->step, in, arena + parsed->out, arena + parsed->scratch);
}

/* --- chains --- */

typedef struct chain {
  const thr_model *model;
  thr_parsed_step *parsed; /* of the stage that was asked for last */
  uint32_t record[THR_STAGES_MOST];
} chain;

static void stage_of_chain(const void *from, uint32_t i, thr_stage *stage) {
  const chain *x = (const chain *)from;
  thr_cursor c = cursor_at(x->model, x->record[i]);
  thr_step_parse(x->model, &c, x->parsed);
  thr_stage_of_parsed(x->parsed, stage);
}

static void unpack(thr_parsed_step *parsed, uint8_t *arena) {
  const thr_weights *w = thr_step_weights(&parsed->step);
  uint32_t rows, row;
  if (!w || !w->decode) return;
  thr_step_weight_rows(&parsed->step, &rows, &row);
  thr_unpack(w, rows * row, (int8_t *)arena + parsed->scratch);
}

/* Runs the chain whose first stage *parsed is, read from `record`; the cursor moves from behind it to behind the last.
 */
static void run_chain(const thr_model *model, thr_cursor *c, uint32_t record, thr_parsed_step *parsed, uint8_t *arena) {
  const uint32_t stages = parsed->left + 1u;
  chain x;
  x.model = model;
  x.parsed = parsed;
  x.record[0] = record;
  unpack(parsed, arena);
  for (uint32_t i = 1; i < stages && i < THR_STAGES_MOST; i++) {
    x.record[i] = (uint32_t)(c->at - model->blob);
    thr_step_parse(model, c, parsed);
    unpack(parsed, arena);
  }
  thr_rows_run(stage_of_chain, &x, stages, arena);
}

/* Runs the step at the cursor, or the chain that begins there, and moves behind it. Returns how many steps that were.
 */
static uint32_t run_next(const thr_model *model, thr_cursor *c, thr_parsed_step *parsed, int skip, uint8_t *arena) {
  const uint32_t record = (uint32_t)(c->at - model->blob);
  thr_step_parse(model, c, parsed);
  const uint32_t more = parsed->chained ? parsed->left : 0u;
  if (!skip && parsed->chained) {
    run_chain(model, c, record, parsed, arena);
    return more + 1u;
  }
  for (uint32_t i = 0; i < more; i++) thr_step_parse(model, c, parsed);
  if (!skip) run_parsed(parsed, arena);
  return more + 1u;
}

void thr_reset(const thr_model *model, void *arena) {
  thr_cursor c = cursor_at(model, model->states_at);
  thr_initial state;
  for (uint32_t i = 0; i < model->states && thr_state_parse(&c, &state) == THR_OK; i++) {
    uint8_t *to = (uint8_t *)arena + state.offset;
    if (state.data) {
      memcpy(to, state.data, state.bytes);
    } else {
      memset(to, state.fill, state.bytes);
    }
  }
}

void thr_run(const thr_model *model, void *arena) {
  thr_cursor c = cursor_at(model, model->steps_at);
  thr_parsed_step parsed;
  for (uint32_t i = 0; i < model->steps;) i += run_next(model, &c, &parsed, 0, (uint8_t *)arena);
}

void thr_run_step(const thr_model *model, void *arena, uint16_t step) {
  thr_cursor c = cursor_at(model, model->steps_at);
  thr_parsed_step parsed;
  for (uint32_t i = 0; i <= step && i < model->steps;) {
    thr_cursor after = c;
    const uint32_t steps = run_next(model, &after, &parsed, 1, (uint8_t *)arena);
    if (i + steps == step + 1u) run_next(model, &c, &parsed, 0, (uint8_t *)arena);
    c = after;
    i += steps;
  }
}

/* Entry `i` of the list inputs, then outputs; all zero when there is no such entry. */
static thr_io_info io_at(const thr_model *model, uint32_t i, uint32_t *offset) {
  thr_cursor c = cursor_at(model, model->io_at);
  thr_io_info info;
  memset(&info, 0, sizeof info);
  *offset = 0;
  if (i >= (uint32_t)model->inputs + model->outputs) return info;
  for (uint32_t k = 0; k <= i; k++) thr_io_parse(&c, &info, offset);
  return info;
}

/* Past the outputs, so that io_at finds nothing, when there is no output `i`. */
static uint32_t output_entry(const thr_model *model, uint16_t i) {
  return (uint32_t)model->inputs + i;
}
static uint32_t input_entry(const thr_model *model, uint16_t i) {
  return i < model->inputs ? i : UINT32_MAX;
}

thr_io_info thr_input_info(const thr_model *model, uint16_t i) {
  uint32_t offset;
  return io_at(model, input_entry(model, i), &offset);
}

thr_io_info thr_output_info(const thr_model *model, uint16_t i) {
  uint32_t offset;
  return io_at(model, output_entry(model, i), &offset);
}

void *thr_input(const thr_model *model, void *arena, uint16_t i) {
  uint32_t offset;
  const thr_io_info info = io_at(model, input_entry(model, i), &offset);
  return info.bytes ? (uint8_t *)arena + offset : NULL;
}

const void *thr_output(const thr_model *model, const void *arena, uint16_t i) {
  uint32_t offset;
  const thr_io_info info = io_at(model, output_entry(model, i), &offset);
  return info.bytes ? (const uint8_t *)arena + offset : NULL;
}
