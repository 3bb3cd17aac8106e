/* th_bench: the linked firmware, run under emulation, byte against byte with the host, as a whole and built again to
 * count each layer. See bench.h and thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/bench.h"

#include <string.h>

#include "base/rng.h"
#include "eval/eval.h"
#include "lib/compile.h"
#include "lib/data.h"
#include "lib/lossless.h"
#include "lib/measure.h"

#define MOST_BYTES ((size_t)1 << 30) /* of all samples */

typedef struct trial {
  int samples;
  size_t in_bytes, out_bytes;
  uint8_t *inputs, *device, *host;
  int32_t *labels; /* NULL: none */
  int outputs;     /* elements */
  th_port in, out;
  float *real; /* one output, dequantized */
} trial;

/* Inputs as real numbers and as the model takes them, outputs of both sides, label and position. */
static th_status check_room(const trial *t, const char *path) {
  size_t each = t->in_bytes + (size_t)th_model_port_elems(&t->in) * sizeof(float) + 2 * t->out_bytes + 8;
  if ((size_t)t->samples <= MOST_BYTES / each) return TH_OK;
  return th_fail(TH_ERR_RESOURCE, "%s: %d samples need more than 1 GiB of memory; at most %zu can be run", path,
                 t->samples, MOST_BYTES / each);
}

static th_status allocate(trial *t, th_model *m, th_arena *arena) {
  if (th_model_inputs(m) != 1 || th_model_outputs(m) != 1)
    return th_fail(TH_ERR_INPUT, "%s: bench takes models with one input and one output", m->path);
  t->in = th_model_input(m, 0);
  t->out = th_model_output(m, 0);
  t->in_bytes = t->in.bytes;
  t->out_bytes = t->out.bytes;
  t->outputs = (int)th_model_port_elems(&t->out);
  TH_TRY(check_room(t, m->path));
  size_t n = (size_t)t->samples;
  t->inputs = TH_ARRAY(arena, uint8_t, n * t->in_bytes);
  t->device = TH_ARRAY(arena, uint8_t, n * t->out_bytes);
  t->host = TH_ARRAY(arena, uint8_t, n * t->out_bytes);
  t->real = TH_ARRAY(arena, float, t->outputs);
  return t->inputs && t->device && t->host && t->real ? TH_OK : TH_ERR_RESOURCE;
}

static void put_inputs(trial *t, const float *x, int64_t elems) {
  th_dtype type = th_dtype_from_name(t->in.dtype);
  if (type == TH_DTYPE_F32)
    memcpy(t->inputs, x, (size_t)elems * sizeof *x);
  else
    th_quantize_f32(x, elems, t->in.scale, t->in.zero, type, t->inputs);
}

static th_status fetch_inputs(trial *t, th_model *m, const th_data *data, th_arena *arena) {
  th_dataset *set = data->set;
  int elems = th_dataset_sample_elems(set);
  if (t->samples > set->split[TH_SPLIT_TEST].count) t->samples = set->split[TH_SPLIT_TEST].count;
  TH_TRY(th_measure_check(m, set, &t->outputs));
  TH_TRY(allocate(t, m, arena));
  size_t n = (size_t)t->samples;
  float *x = TH_ARRAY(arena, float, n *(size_t)elems);
  int32_t *which = TH_ARRAY(arena, int32_t, n);
  t->labels = TH_ARRAY(arena, int32_t, n);
  if (!x || !which || !t->labels) return TH_ERR_RESOURCE;
  for (int i = 0; i < t->samples; i++) which[i] = i;
  th_dataset_fetch(set, TH_SPLIT_TEST, which, t->samples, NULL, 0, 0, x, t->labels);
  th_metric metric;
  if (th_metric_choose(set, t->outputs, TH_METRIC_AUTO, &metric) != TH_OK || metric != TH_METRIC_ACCURACY) {
    th_error_clear();
    t->labels = NULL;
  }
  put_inputs(t, x, (int64_t)t->samples * elems);
  return TH_OK;
}

/* Without a data set: uniform random values in [0, 1), the same in every run. */
static th_status draw_inputs(trial *t, th_model *m, th_arena *arena) {
  TH_TRY(allocate(t, m, arena));
  th_rng rng = th_rng_init(1, 0);
  int64_t elems = t->samples * th_model_port_elems(&t->in);
  float *x = TH_ARRAY(arena, float, elems);
  if (!x) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) x[i] = th_rng_uniform(&rng);
  put_inputs(t, x, elems);
  return TH_OK;
}

static int64_t count_right(const trial *t) {
  int64_t right = 0;
  th_dtype type = th_dtype_from_name(t->out.dtype);
  float *y = t->real;
  for (int i = 0; i < t->samples; i++) {
    const uint8_t *q = t->device + (size_t)i * t->out_bytes;
    if (type == TH_DTYPE_F32)
      memcpy(y, q, t->out_bytes);
    else
      th_dequantize(q, type, t->outputs, t->out.scale, t->out.zero, y);
    right += th_answer(y, t->outputs) == t->labels[i];
  }
  return right;
}

static int64_t count_different(const trial *t) {
  int64_t n = 0;
  for (size_t i = 0; i < (size_t)t->samples * t->out_bytes; i++) n += t->device[i] != t->host[i];
  return n;
}

/* --- the firmware --- */

static th_status count_layers(th_bench_run *b, const trial *t, const char *dir, const th_context *ctx,
                              th_arena *arena) {
  const th_goal goal = b->deployed.program->goal;
  th_firmware_result unused;
  const int layers = b->deployed.program->n_steps;
  if (!b->firmware.instructions) return TH_OK; /* no counter there */
  b->layer_instructions = TH_ARRAY(arena, uint64_t, layers);
  if (!b->layer_instructions) return TH_ERR_RESOURCE;
  TH_TRY(th_firmware_build(dir, b->target, goal, TH_FIRMWARE_PROFILE, &unused));
  return th_firmware_profile(dir, b->target, t->inputs, t->in_bytes, t->out_bytes, layers, b->layer_instructions, ctx);
}

static th_status run_firmware(th_bench_run *b, const th_model *m, const th_settings *s, trial *t, const char *dir,
                              const th_context *ctx, th_arena *arena) {
  TH_TRY(th_compile_firmware(m, s, dir));
  TH_TRY(th_compile_deploy(m, s, &b->deployed));
  TH_TRY(th_firmware_build(dir, b->target, th_compile_goal(s), TH_FIRMWARE_PLAIN, &b->firmware));
  TH_TRY(th_firmware_run(dir, b->target, t->samples, t->inputs, t->in_bytes, t->device, t->out_bytes, true, ctx,
                         &b->firmware));
  return count_layers(b, t, dir, ctx, arena);
}

/* What is compiled: the model, or what the lossless passes make of it. Outputs are compared with those of the model. */
static th_status make_model(const th_model *m, bool lossless, th_model **compiled) {
  th_lossless l;
  if (!lossless) return th_model_clone(m, compiled);
  TH_TRY(th_lossless_run(m, &th_packed_only, &l));
  th_graph *g = l.graph;
  l.graph = NULL;
  th_lossless_free(&l);
  return th_model_from_graph(g, m->format, compiled);
}

static th_status bench_into(th_model *m, const th_model *compiled, const th_data *data, const th_settings *s,
                            int samples, const char *dir, const th_context *ctx, th_bench_run *b, th_result *r) {
  const char *why;
  trial t = {.samples = samples};
  b->target = th_settings_text(s, "target");
  if (!th_firmware_available(b->target, true, &why)) return th_fail(TH_ERR_RESOURCE, "bench: %s is not installed", why);
  TH_TRY(data ? fetch_inputs(&t, m, data, r->arena) : draw_inputs(&t, m, r->arena));
  TH_TRY(run_firmware(b, compiled, s, &t, dir, ctx, r->arena));
  TH_TRY(th_model_run(m, t.samples, (const void *[]){t.inputs}, (void *[]){t.host}));
  b->samples = t.samples;
  b->bytes = (int64_t)t.samples * (int64_t)t.out_bytes;
  b->different = count_different(&t);
  b->labelled = t.labels ? t.samples : 0;
  b->right = t.labels ? count_right(&t) : 0;
  th_bench_write(b, r);
  TH_TRY(th_result_finish(r));
  return b->different ? th_fail(TH_ERR_CHECK, "%s", th_result_text(r)) : TH_OK;
}

th_status th_bench(th_model *model, const th_data *data, const th_settings *settings, const th_bench_options *options,
                   const char *dir, const th_context *ctx, th_result **result) {
  th_bench_run b = {0};
  th_model *compiled = NULL;
  th_result *r;
  TH_TRY(th_model_need_graph(model, "bench"));
  TH_TRY(th_result_create(&r));
  th_status status = make_model(model, options->lossless, &compiled);
  if (status == TH_OK) status = bench_into(model, compiled, data, settings, options->samples, dir, ctx, &b, r);
  th_deployed_free(&b.deployed);
  th_model_close(compiled);
  return th_result_give(status, r, result);
}
