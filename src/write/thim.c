/* The .thim writer: header, multipliers, inputs and outputs, one record per step. See thim.h and docs/format.md.
 *
 * Parameters are written by the runtime's own table of fields (rt/core/fields.def), so writer and interpreter cannot
 * disagree about one. SPDX-License-Identifier: Apache-2.0 */
#include "write/thim.h"

#include <string.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "write/thim_parts.h"

typedef struct writer {
  const th_program *program;
  const th_program_step *step; /* being written */
  th_buf *out;
  size_t start;  /* of the blob in `out` */
  int32_t *mult; /* pool of multipliers */
  uint32_t mults;
  uint32_t *first; /* per step: its first multiplier */
  uint32_t *fresh; /* per step: multipliers that no earlier step has */
  th_thim_step_bytes bytes;
} writer;

/* --- multipliers --- */

static uint32_t find_run(const int32_t *pool, uint32_t n, const int32_t *run, uint32_t count) {
  for (uint32_t at = 0; at + count <= n; at++)
    if (memcmp(pool + at, run, count * sizeof *run) == 0) return at;
  return n;
}

/* Steps whose multipliers another step has already brought along point at those. */
static th_status pool_mults(writer *w, th_arena *arena) {
  size_t most = 0;
  for (int i = 0; i < w->program->n_steps; i++) most += w->program->steps[i].requant_count;
  w->mult = TH_ARRAY(arena, int32_t, most + 1);
  w->first = TH_ARRAY(arena, uint32_t, w->program->n_steps + 1);
  w->fresh = TH_ARRAY(arena, uint32_t, w->program->n_steps + 1);
  if (!w->mult || !w->first || !w->fresh) return TH_ERR_RESOURCE;
  for (int i = 0; i < w->program->n_steps; i++) {
    const th_program_step *s = &w->program->steps[i];
    thr_step step = s->step;
    if (s->requant_count == 0 || thr_step_requant(&step)->decode) continue;
    w->first[i] = find_run(w->mult, w->mults, s->mult, s->requant_count);
    if (w->first[i] < w->mults) continue;
    memcpy(w->mult + w->mults, s->mult, s->requant_count * sizeof *s->mult);
    w->mults += s->requant_count;
    w->fresh[i] = s->requant_count;
  }
  return TH_OK;
}

/* --- header, inputs, outputs --- */

static int count_states(const th_program *p) {
  int n = 0;
  for (int i = 0; i < p->n_values; i++) n += p->values[i].state;
  return n;
}

static void put_header(writer *w) {
  th_thim_put_header(w->out, THR_KIND_PROGRAM, (uint8_t)count_states(w->program));
  th_buf_u32(w->out, w->program->arena_bytes);
  th_buf_u16(w->out, (uint16_t)w->program->n_steps);
  th_buf_u8(w->out, (uint8_t)w->program->n_inputs);
  th_buf_u8(w->out, (uint8_t)w->program->n_outputs);
  th_buf_u32(w->out, w->mults);
  for (uint32_t i = 0; i < w->mults; i++) th_buf_u32(w->out, (uint32_t)w->mult[i]);
}

static void put_states(writer *w) {
  for (int i = 0; i < w->program->n_values; i++) {
    const th_value *v = &w->program->values[i];
    if (!v->state) continue;
    th_thim_put_varint(w->out, v->offset);
    th_thim_put_varint(w->out, v->bytes << 1 | (v->initial != NULL));
    if (v->initial)
      th_buf_append(w->out, v->initial, v->bytes);
    else
      th_buf_u8(w->out, v->fill);
  }
}

/* `tensor`: the graph's own, whose shape and scale the user knows; `value` says where it is. */
static void put_io(writer *w, int tensor, const th_value *value) {
  const th_tensor *t = &w->program->graph->tensors[tensor];
  th_thim_put_varint(w->out, value->offset);
  th_buf_u8(w->out, th_runtime_dtype(t->dtype));
  th_buf_u8(w->out, (uint8_t)t->shape.rank);
  for (int i = 0; i < t->shape.rank; i++) th_thim_put_varint(w->out, (uint32_t)t->shape.dim[i]);
  th_buf_f32(w->out, t->quant.count ? t->quant.scale[0] : 1.0f);
  th_thim_put_svarint(w->out, t->quant.count && t->quant.zero ? t->quant.zero[0] : 0);
}

static void put_inputs_outputs(writer *w) {
  const th_program *p = w->program;
  for (int i = 0; i < p->n_inputs; i++) put_io(w, p->graph->inputs[i], &p->values[p->inputs[i]]);
  for (int i = 0; i < p->n_outputs; i++) put_io(w, p->graph->outputs[i], &p->values[p->outputs[i]]);
}

/* --- steps --- */

static uint32_t load_field(const void *params, const thr_field *f) {
  const uint8_t *at = (const uint8_t *)params + f->offset;
  int32_t word;
  int16_t half;
  if (f->bytes == 1) return f->coding == THR_FIELD_SINT ? (uint32_t)(int32_t)(int8_t)*at : *at;
  memcpy(&half, at, sizeof half);
  if (f->bytes == 2) return (uint32_t)(int32_t)half;
  memcpy(&word, at, sizeof word);
  return (uint32_t)word;
}

static void put_fields(th_buf *out, thr_params_id params_id, const void *params) {
  uint32_t count, mask = 0, v[THR_FIELDS_MOST];
  const thr_field *fields = thr_fields(params_id, &count);
  for (uint32_t i = 0; i < count; i++) {
    const int32_t constant = fields[i].value;
    v[i] = load_field(params, &fields[i]);
    if (v[i] != (fields[i].rule == THR_FIELD_SAME ? v[constant] : (uint32_t)constant)) mask |= 1u << i;
  }
  th_thim_put_varint(out, mask);
  for (uint32_t i = 0; i < count; i++) {
    if (!(mask >> i & 1)) continue;
    if (fields[i].coding == THR_FIELD_UINT) th_thim_put_varint(out, v[i]);
    if (fields[i].coding == THR_FIELD_SINT) th_thim_put_svarint(out, (int32_t)v[i]);
    if (fields[i].coding == THR_FIELD_RAW) th_buf_u32(out, v[i]);
  }
}

static void put_operand(writer *w, const th_value *value) {
  if (!value->data) {
    th_thim_put_varint(w->out, value->offset << 1);
    return;
  }
  const uint32_t elem_bytes = thr_dtype_bytes(thr_kernel_about(w->step->step.kernel)->in_type);
  th_thim_put_varint(w->out, value->bytes << 1 | 1u);
  th_buf_zeros(w->out, thr_operand_padding(elem_bytes, w->out->size - w->start));
  th_buf_append(w->out, value->data, value->bytes);
  w->bytes.constants += value->bytes;
}

static thr_coder coder_of(const thr_weights *weights) {
  for (thr_coder c = THR_CODER_RAW + 1; c < THR_CODER_COUNT && weights->decode; c++)
    if (thr_coder_decode(c) == weights->decode) return c;
  return THR_CODER_RAW;
}

static void put_weights(writer *w, const thr_weights *weights) {
  w->bytes.coder = coder_of(weights);
  w->bytes.elems = w->step->weight_count;
  w->bytes.weights = weights->bytes;
  w->bytes.table = weights->table_bytes;
  th_buf_u8(w->out, (uint8_t)w->bytes.coder);
  if (w->bytes.coder != THR_CODER_RAW) {
    if (thr_kernel_about(w->step->step.kernel)->scratch_align <= 1) th_thim_put_varint(w->out, w->step->scratch_offset);
    th_thim_put_varint(w->out, weights->table_bytes);
    th_thim_put_varint(w->out, weights->bytes);
    th_buf_append(w->out, weights->table, weights->table_bytes);
  }
  th_buf_append(w->out, weights->data, weights->bytes);
}

static void put_coded_channels(writer *w, const thr_requant *r) {
  th_buf_u8(w->out, THR_CODED_CHANNELS);
  th_thim_put_varint(w->out, r->coded_bytes);
  th_buf_append(w->out, r->coded, r->coded_bytes);
  w->bytes.requant = r->coded_bytes;
}

static void put_channels(writer *w, const thr_bias *bias, uint32_t rows, uint32_t first, uint32_t fresh) {
  const th_program_step *s = w->step;
  const uint32_t in_type = thr_kernel_about(s->step.kernel)->in_type;
  unsigned width = 0;
  while (width < 3 && thr_bias_width(width, in_type) != bias->width) width++;
  th_buf_u8(w->out, (uint8_t)(width | (unsigned)bias->shift << 2 | (s->index ? 128u : 0u)));
  w->bytes.bias = rows * bias->width;
  th_buf_append(w->out, bias->data, w->bytes.bias);
  th_thim_put_varint(w->out, first);
  th_thim_put_varint(w->out, s->requant_count);
  th_buf_append(w->out, s->shift, s->requant_count);
  if (s->index) th_buf_append(w->out, s->index, rows);
  w->bytes.requant = 4 * fresh + s->requant_count + (s->index ? rows : 0);
}

/* What a stage of a chain has besides a step. */
static void put_stage(writer *w, int i) {
  const th_program *p = w->program;
  const th_program_step *s = &p->steps[i];
  const th_segment *segment = p->segments;
  while (i > segment->last) segment++;
  th_thim_put_varint(w->out, (uint32_t)(segment->last - i));
  th_thim_put_varint(w->out, s->rows);
  th_thim_put_varint(w->out, i < segment->last ? p->values[s->out].kept : s->rows);
  for (int k = 0; k < s->n_in; k++) {
    int from = i - 1;
    while (from >= segment->first && p->steps[from].out != s->in[k]) from--;
    th_thim_put_varint(w->out, from < segment->first ? 0 : (uint32_t)(from - segment->first + 1));
    if (from >= segment->first) th_thim_put_varint(w->out, p->values[s->in[k]].kept);
  }
}

/* Appends the record of step `i` and fills w->bytes. */
static void put_step(writer *w, int i) {
  const th_program_step *s = &w->program->steps[i];
  thr_step step = s->step;
  uint32_t rows, row_elems;
  const size_t before = w->out->size;
  w->step = s;
  w->bytes = (th_thim_step_bytes){.name = s->name, .kernel = step.kernel};
  th_buf_u8(w->out, (uint8_t)(step.kernel | (s->rows ? THR_CHAINED : 0)));
  if (s->rows) put_stage(w, i);
  for (int k = 0; k < s->n_in; k++) put_operand(w, &w->program->values[s->in[k]]);
  th_thim_put_varint(w->out, w->program->values[s->out].offset);
  if (thr_kernel_about(step.kernel)->scratch_align > 1) th_thim_put_varint(w->out, s->scratch_offset);
  if (thr_step_is_depthwise(&step)) step.p.conv2d.groups = 1; /* implied: the input channels */
  put_fields(w->out, thr_kernel_params(step.kernel), &step.p);
  thr_step_weight_rows(&s->step, &rows, &row_elems);
  if (thr_step_weights(&step)) {
    put_weights(w, thr_step_weights(&step));
    if (thr_step_requant(&step)->decode)
      put_coded_channels(w, thr_step_requant(&step));
    else
      put_channels(w, thr_step_bias(&step), rows, w->first[i], w->fresh[i]);
  }
  const th_thim_step_bytes *b = &w->bytes;
  w->bytes.head =
      (uint32_t)(w->out->size - before) + 4 * w->fresh[i] - b->weights - b->table - b->bias - b->requant - b->constants;
}

static th_status put_steps(writer *w, th_thim_step_bytes *bytes) {
  for (int i = 0; i < w->program->n_steps; i++) {
    const th_program_step *s = &w->program->steps[i];
    if (s->step.kernel == THR_KERNEL_NONE || (uint32_t)s->n_in != thr_kernel_inputs(s->step.kernel))
      return th_fail(TH_ERR_INPUT, "%s: runs on the host only", s->name);
    put_step(w, i);
    bytes[i] = w->bytes;
  }
  return TH_OK;
}

/* --- the whole --- */

static th_status check_limits(const th_program *p) {
  if (p->n_steps > UINT16_MAX || p->n_inputs > 255 || p->n_outputs > 255 || count_states(p) > 255)
    return th_fail(TH_ERR_INPUT,
                   "%d steps, %d inputs, %d outputs, %d variables: a .thim file holds 65535, 255, 255, 255", p->n_steps,
                   p->n_inputs, p->n_outputs, count_states(p));
  for (int i = 0; i < p->n_inputs + p->n_outputs; i++) {
    const th_tensor *t = &p->graph->tensors[i < p->n_inputs ? p->graph->inputs[i] : p->graph->outputs[i - p->n_inputs]];
    if (!th_runtime_dtype(t->dtype))
      return th_fail(TH_ERR_INPUT, "%s: a .thim file has no inputs and outputs of type %s", t->name,
                     th_dtype_name(t->dtype));
  }
  for (int i = 0; i < p->n_values; i++)
    if (!p->values[i].data && p->values[i].offset > INT32_MAX)
      return th_fail(TH_ERR_USAGE, "%s has no place in the arena: plan the program before writing it",
                     p->values[i].name);
  return TH_OK;
}

/* Opens the finished blob as the device will, and names the layer that it would refuse. */
static th_status check_opens(const writer *w) {
  const uint8_t *blob = w->out->data + w->start;
  const size_t size = w->out->size - w->start;
  void *aligned = th_alloc(size); /* the blob may start anywhere in `out` */
  thr_model model;
  if (!aligned) return TH_ERR_RESOURCE;
  memcpy(aligned, blob, size);
  const thr_status status = thr_open(&model, aligned, size);
  const th_status result = status == THR_OK ? TH_OK : th_thim_name_bad_step(w->program, aligned, size, status);
  th_free(aligned);
  return result;
}

th_status th_write_thim_program(const th_program *program, th_arena *arena, th_buf *out, th_thim_report *report) {
  writer w = {.program = program, .out = out, .start = out->size};
  th_thim_report r = {.n_steps = program->n_steps};
  TH_TRY(check_limits(program));
  TH_TRY(pool_mults(&w, arena));
  r.steps = TH_ARRAY(arena, th_thim_step_bytes, program->n_steps + 1);
  if (!r.steps) return TH_ERR_RESOURCE;
  put_header(&w);
  put_inputs_outputs(&w);
  put_states(&w);
  r.header = (uint32_t)(out->size - w.start - 4 * (size_t)w.mults);
  TH_TRY(put_steps(&w, r.steps));
  TH_TRY(th_thim_finish(out, w.start));
  r.total = (uint32_t)(out->size - w.start);
  if (report) *report = r;
  return check_opens(&w);
}
