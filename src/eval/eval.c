/* The evaluator: runs the steps of a mixed program (eval/lower.h) over chunks of samples.
 *
 * A chunk is as many samples as keep its activations in a processor's cache; chunks are spread over threads, and each
 * thread has one buffer in which the values of a chunk lie at planned offsets. With keep_all every value has room for
 * all samples instead. SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval.h"

#include <string.h>

#include "base/parallel.h"
#include "eval/lower.h"
#include "eval/variant.h"
#include "op/op.h"

enum { MAX_CHUNK = 64, ALIGN = 64 };
#define CHUNK_BYTES ((size_t)1 << 20)

struct th_eval {
  const th_graph *graph;
  th_program *program;
  th_fast_step *fast; /* per step */
  double *seconds;    /* per step, the least of the timed runs */
  bool timed;
  bool keep_all;
  int chunk;                          /* samples */
  size_t *offset;                     /* of each value in a thread's buffer, for a whole chunk */
  int *input_of;                      /* graph input that a value is, or -1 */
  size_t values_bytes, scratch_bytes; /* of a thread's buffer, and of what operators need beside it */
  th_arena *run;                      /* of the last run: buffers and kept values */
  uint8_t **buffer;                   /* per thread */
  int threads;                        /* that have one */
  uint8_t **kept;                     /* per value, with keep_all; NULL before the first run */
  bool stream;                        /* states stay from sample to sample */
  uint8_t **state;                    /* per value: those of a stream; NULL else */
};

/* --- preparing --- */

static size_t aligned(size_t bytes) {
  return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static bool overlap_in_time(const th_value *a, const th_value *b) {
  return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* The lowest offset at which `size` bytes for value v meet none of the values placed before it. */
static size_t first_fit(const th_eval *e, const size_t *size, int v) {
  const th_value *values = e->program->values;
  size_t at = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (int i = 0; i < v; i++) {
      if (size[i] == 0 || !overlap_in_time(&values[i], &values[v])) continue;
      if (at < e->offset[i] + size[i] && e->offset[i] < at + size[v]) {
        at = e->offset[i] + size[i];
        moved = true;
      }
    }
  }
  return at;
}

/* Values that need room: not constants, and not inputs, which are read where the caller has them. */
static void plan(th_eval *e, size_t *size, int samples) {
  e->values_bytes = 0;
  for (int v = 0; v < e->program->n_values; v++) {
    const th_value *value = &e->program->values[v];
    size[v] = value->data || e->input_of[v] >= 0 ? 0 : aligned((size_t)value->bytes * (size_t)samples);
    e->offset[v] = size[v] ? first_fit(e, size, v) : 0;
    if (size[v] && e->offset[v] + size[v] > e->values_bytes) e->values_bytes = e->offset[v] + size[v];
  }
}

static size_t step_scratch(const th_eval *e, const th_program_step *s) {
  const th_node *n = &e->graph->nodes[s->node];
  const th_op *op = th_op_get(n->op);
  const size_t fast = e->fast[s - e->program->steps].scratch_bytes;
  if (s->step.kernel != THR_KERNEL_NONE) return aligned(fast > s->scratch_bytes ? fast : s->scratch_bytes);
  const size_t scratch = op->scratch_elems ? op->scratch_elems(e->graph, n, e->chunk) * sizeof(float) : 0;
  return aligned(scratch) + aligned(op->state_bytes ? op->state_bytes(e->graph, n, e->chunk) : 0);
}

static th_status prepare(th_eval *e, th_arena *arena, int variants) {
  const th_program *p = e->program;
  e->fast = TH_ARRAY(arena, th_fast_step, p->n_steps + 1);
  e->seconds = TH_ARRAY(arena, double, p->n_steps + 1);
  if (!e->fast || !e->seconds) return TH_ERR_RESOURCE;
  for (int i = 0; i < p->n_steps; i++) TH_TRY(th_fast_step_prepare(arena, &p->steps[i].step, variants, &e->fast[i]));
  size_t *size = TH_ARRAY(arena, size_t, p->n_values + 1);
  e->offset = TH_ARRAY(arena, size_t, p->n_values + 1);
  e->input_of = TH_ARRAY(arena, int, p->n_values + 1);
  if (!size || !e->offset || !e->input_of) return TH_ERR_RESOURCE;
  for (int v = 0; v < p->n_values; v++) e->input_of[v] = -1;
  for (int i = 0; i < p->n_inputs; i++) e->input_of[p->inputs[i]] = i;
  plan(e, size, 1);
  const size_t fit = CHUNK_BYTES / (e->values_bytes + 1);
  e->chunk = fit < 1 ? 1 : fit > MAX_CHUNK ? MAX_CHUNK : (int)fit;
  plan(e, size, e->chunk);
  for (int i = 0; i < p->n_steps; i++) {
    const size_t scratch = step_scratch(e, &p->steps[i]);
    if (scratch > e->scratch_bytes) e->scratch_bytes = scratch;
  }
  return TH_OK;
}

th_status th_eval_open(const th_graph *graph, bool keep_all, th_eval **eval) {
  return th_eval_open_variants(graph, keep_all, TH_VARIANT_BEST, eval);
}

th_status th_eval_open_variants(const th_graph *graph, bool keep_all, int variants, th_eval **eval) {
  th_program *program;
  TH_TRY(th_lower_mixed(graph, &program));
  th_eval *e = TH_NEW(program->arena, th_eval);
  th_status status = TH_ERR_RESOURCE;
  if (e) {
    *e = (th_eval){.graph = graph, .program = program, .keep_all = keep_all};
    status = prepare(e, program->arena, variants);
  }
  if (status != TH_OK) {
    th_program_destroy(program);
    return status;
  }
  *eval = e;
  return TH_OK;
}

void th_eval_close(th_eval *eval) {
  if (!eval) return;
  th_arena_destroy(eval->run);
  th_program_destroy(eval->program); /* whose arena holds the evaluator */
}

/* --- running one chunk --- */

typedef struct job {
  const th_eval *e;
  int samples;
  const void *const *inputs;
  void *const *outputs;
} job;

typedef struct chunk {
  const job *j;
  int begin, count; /* samples */
  uint8_t *buffer, *scratch;
} chunk;

static const void *value_data(const chunk *c, int v) {
  const th_eval *e = c->j->e;
  const th_value *value = &e->program->values[v];
  const size_t skip = (size_t)value->bytes * (size_t)c->begin;
  if (value->data) return value->data;
  if (e->input_of[v] >= 0) return (const uint8_t *)c->j->inputs[e->input_of[v]] + skip;
  if (value->state && e->stream) return e->state[v];
  return e->keep_all ? e->kept[v] + skip : c->buffer + e->offset[v];
}

static void run_float(const chunk *c, const th_program_step *s) {
  const th_eval *e = c->j->e;
  const th_node *n = &e->graph->nodes[s->node];
  const th_op *op = th_op_get(n->op);
  const size_t elems = op->scratch_elems ? op->scratch_elems(e->graph, n, e->chunk) : 0;
  th_op_run run = {.graph = e->graph, .node = n, .end = c->count, .batch = c->count};
  run.scratch = (float *)c->scratch;
  run.state = c->scratch + aligned(elems * sizeof(float));
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(e->graph, n, i);
    if (t) run.in[i] = t->data ? t->data : value_data(c, th_program_value(e->program, n->in[i]));
  }
  for (int i = 0; i < n->n_out; i++) run.out[i] = (float *)value_data(c, th_program_value(e->program, n->out[i]));
  op->forward(&run);
}

static void run_integer(const chunk *c, const th_program_step *s) {
  const th_eval *e = c->j->e;
  const th_value *values = e->program->values;
  thr_batch b = {.samples = c->count, .out = (int8_t *)value_data(c, s->out), .out_step = values[s->out].bytes};
  for (int k = 0; k < s->n_in; k++) {
    b.in[k] = value_data(c, s->in[k]);
    b.in_step[k] = values[s->in[k]].data ? 0 : values[s->in[k]].bytes;
  }
  th_fast_step_run(&e->fast[s - e->program->steps], &s->step, &b, c->scratch);
}

static void run_step(const chunk *c, const th_program_step *s) {
  if (s->step.kernel == THR_KERNEL_NONE) {
    run_float(c, s);
  } else {
    run_integer(c, s);
  }
}

static void reset_state(const th_value *value, uint8_t *state) {
  if (value->initial)
    memcpy(state, value->initial, value->bytes);
  else
    memset(state, value->fill, value->bytes);
}

/* Each sample has a state of its own, unless they are a stream. */
static void reset_states(const chunk *c) {
  const th_program *p = c->j->e->program;
  for (int v = 0; v < p->n_values && !c->j->e->stream; v++) {
    const th_value *value = &p->values[v];
    for (int i = 0; i < c->count && value->state; i++)
      reset_state(value, (uint8_t *)(uintptr_t)value_data(c, v) + (size_t)value->bytes * (size_t)i);
  }
}

static th_status run_chunk(void *arg, int number, int thread) {
  const job *j = arg;
  const th_program *p = j->e->program;
  const int begin = number * j->e->chunk, left = j->samples - begin;
  const chunk c = {.j = j,
                   .begin = begin,
                   .count = left < j->e->chunk ? left : j->e->chunk,
                   .buffer = j->e->buffer[thread],
                   .scratch = j->e->buffer[thread] + (j->e->keep_all ? 0 : j->e->values_bytes)};
  reset_states(&c);
  for (int i = 0; i < p->n_steps; i++) run_step(&c, &p->steps[i]);
  for (int i = 0; i < p->n_outputs; i++) {
    const size_t bytes = p->values[p->outputs[i]].bytes;
    memcpy((uint8_t *)j->outputs[i] + bytes * (size_t)c.begin, value_data(&c, p->outputs[i]), bytes * (size_t)c.count);
  }
  return TH_OK;
}

/* --- running --- */

/* Memory for one run; that of the last one serves again unless values are kept. With keep_all, inputs are copied, so
 * that th_eval_tensor can show them later. */
static th_status allocate_run(th_eval *e, job *j) {
  const th_program *p = e->program;
  const int threads = th_parallel_threads();
  if (e->run && !e->keep_all && e->threads >= threads) return TH_OK;
  th_arena_destroy(e->run);
  e->kept = NULL;
  e->threads = 0;
  e->run = th_arena_create();
  if (!e->run) return TH_ERR_RESOURCE;
  e->buffer = TH_ARRAY(e->run, uint8_t *, threads);
  uint8_t **kept = TH_ARRAY(e->run, uint8_t *, p->n_values + 1);
  if (!e->buffer || !kept) return TH_ERR_RESOURCE;
  for (int t = 0; t < threads; t++) {
    e->buffer[t] = th_arena_alloc(e->run, (e->keep_all ? 0 : e->values_bytes) + e->scratch_bytes);
    if (!e->buffer[t]) return TH_ERR_RESOURCE;
  }
  for (int v = 0; e->keep_all && v < p->n_values; v++) {
    if (p->values[v].data) continue;
    kept[v] = th_arena_array(e->run, (size_t)j->samples, p->values[v].bytes);
    if (!kept[v]) return TH_ERR_RESOURCE;
    if (e->input_of[v] >= 0) memcpy(kept[v], j->inputs[e->input_of[v]], (size_t)j->samples * p->values[v].bytes);
  }
  e->kept = kept;
  e->threads = threads;
  return TH_OK;
}

/* The steps of a run of one sample, by the clock; the run itself follows. */
static void run_timed(th_eval *e, const job *j) {
  const th_program *p = e->program;
  const chunk c = {
      .j = j, .count = 1, .buffer = e->buffer[0], .scratch = e->buffer[0] + (e->keep_all ? 0 : e->values_bytes)};
  reset_states(&c);
  double before = th_clock_seconds();
  for (int i = 0; i < p->n_steps; i++) {
    run_step(&c, &p->steps[i]);
    const double now = th_clock_seconds();
    if (now - before < e->seconds[i]) e->seconds[i] = now - before;
    before = now;
  }
}

void th_eval_time_steps(th_eval *eval) {
  for (int i = 0; i < eval->program->n_steps; i++) eval->seconds[i] = 1e9;
  eval->timed = true;
}

int th_eval_steps(const th_eval *eval) {
  return eval->program->n_steps;
}

th_eval_step th_eval_step_info(const th_eval *eval, int step) {
  const th_program_step *s = &eval->program->steps[step];
  const th_variant *v = eval->fast[step].variant;
  th_eval_step info = {.name = s->name, .op = th_op_name(eval->graph->nodes[s->node].op)};
  info.variant = s->step.kernel == THR_KERNEL_NONE ? "float" : v ? v->name : "reference";
  info.seconds = eval->timed ? eval->seconds[step] : 0;
  return info;
}

bool th_eval_has_state(const th_eval *eval) {
  for (int v = 0; v < eval->program->n_values; v++)
    if (eval->program->values[v].state) return true;
  return false;
}

void th_eval_reset(th_eval *eval) {
  for (int v = 0; v < eval->program->n_values && eval->state; v++)
    if (eval->state[v]) reset_state(&eval->program->values[v], eval->state[v]);
}

th_status th_eval_stream(th_eval *eval) {
  const th_program *p = eval->program;
  uint8_t **state = TH_ARRAY(p->arena, uint8_t *, p->n_values + 1);
  if (!state) return TH_ERR_RESOURCE;
  for (int v = 0; v < p->n_values; v++)
    if (p->values[v].state && !(state[v] = th_arena_alloc(p->arena, p->values[v].bytes))) return TH_ERR_RESOURCE;
  eval->state = state;
  eval->stream = true;
  eval->chunk = 1;
  th_eval_reset(eval);
  return TH_OK;
}

th_status th_eval_run(th_eval *eval, int samples, const void *const *inputs, void *const *outputs) {
  if (samples < 1) return TH_OK;
  job j = {.e = eval, .samples = samples, .inputs = inputs, .outputs = outputs};
  TH_TRY(allocate_run(eval, &j));
  for (int i = 0; eval->stream && i < samples; i++) TH_TRY(run_chunk(&j, i, 0));
  if (eval->stream) return TH_OK;
  if (eval->timed && samples == 1) run_timed(eval, &j);
  return th_parallel_for((samples + eval->chunk - 1) / eval->chunk, run_chunk, &j);
}

const void *th_eval_tensor(const th_eval *eval, int tensor) {
  const int value = tensor < 0 || tensor >= eval->graph->n_tensors ? -1 : th_program_value(eval->program, tensor);
  return value >= 0 && eval->keep_all && eval->kept ? eval->kept[value] : NULL;
}

/* --- float borders --- */

static int64_t batch_elems(const th_tensor *t, int samples) {
  return th_shape_elems(&t->shape) * samples;
}

static int32_t zero_of(const th_tensor *t) {
  return t->quant.zero ? t->quant.zero[0] : 0;
}

/* Integers that are no quantized values (an index) stand for themselves. */
static bool is_plain(const th_tensor *t) {
  return t->quant.count == 0 && (t->dtype == TH_DTYPE_S32 || t->dtype == TH_DTYPE_BOOL);
}

static float scale_of(const th_tensor *t) {
  return is_plain(t) ? 1.0f : t->quant.scale[0];
}

static th_status border_in(th_arena *a, const th_tensor *t, int samples, const float *x, const void **in) {
  *in = x;
  if (t->dtype == TH_DTYPE_F32) return TH_OK;
  void *q = th_arena_array(a, (size_t)samples, th_tensor_bytes(t));
  if (!q) return TH_ERR_RESOURCE;
  if (t->quant.count != 1 && !is_plain(t)) return th_fail(TH_ERR_INPUT, "input %s has no scale", t->name);
  th_quantize_f32(x, batch_elems(t, samples), scale_of(t), zero_of(t), t->dtype, q);
  *in = q;
  return TH_OK;
}

static th_status border_out(th_arena *a, const th_tensor *t, int samples, float *y, void **out) {
  *out = y;
  if (t->dtype == TH_DTYPE_F32) return TH_OK;
  if (t->quant.count != 1 && !is_plain(t)) return th_fail(TH_ERR_INPUT, "output %s has no scale", t->name);
  *out = th_arena_array(a, (size_t)samples, th_tensor_bytes(t));
  return *out ? TH_OK : TH_ERR_RESOURCE;
}

static th_status run_f32(th_eval *e, th_arena *a, int samples, const float *const *inputs, float *const *outputs) {
  const th_graph *g = e->graph;
  const void **in = TH_ARRAY(a, const void *, g->n_inputs + 1);
  void **out = TH_ARRAY(a, void *, g->n_outputs + 1);
  if (!in || !out) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_inputs; i++) TH_TRY(border_in(a, &g->tensors[g->inputs[i]], samples, inputs[i], &in[i]));
  for (int i = 0; i < g->n_outputs; i++)
    TH_TRY(border_out(a, &g->tensors[g->outputs[i]], samples, outputs[i], &out[i]));
  TH_TRY(th_eval_run(e, samples, in, out));
  for (int i = 0; i < g->n_outputs; i++) {
    const th_tensor *t = &g->tensors[g->outputs[i]];
    if (out[i] == outputs[i]) continue;
    th_dequantize(out[i], t->dtype, batch_elems(t, samples), scale_of(t), zero_of(t), outputs[i]);
  }
  return TH_OK;
}

th_status th_eval_run_f32(th_eval *eval, int samples, const float *const *inputs, float *const *outputs) {
  if (samples < 1) return TH_OK;
  th_arena *a = th_arena_create();
  if (!a) return TH_ERR_RESOURCE;
  const th_status status = run_f32(eval, a, samples, inputs, outputs);
  th_arena_destroy(a);
  return status;
}
