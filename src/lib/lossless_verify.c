/* The proof that nothing was lost: the model by the host's evaluator, the blob by the runtime's interpreter, the same
 * inputs, every byte of every output. See lossless.h. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "lib/data.h"
#include "lib/lossless.h"

enum { BATCH = 20, MOST_PORTS = 256 };

typedef struct trial {
  th_model *model;
  th_thim *blob;
  const th_context *ctx;
  int n_in, n_out, done, total;
  size_t in_bytes[MOST_PORTS], out_bytes[MOST_PORTS]; /* of one sample */
  void *in[MOST_PORTS], *expected[MOST_PORTS], *got[MOST_PORTS];
  double begin;
} trial;

static th_status allocate(trial *t, th_arena *arena) {
  t->n_in = th_model_inputs(t->model);
  t->n_out = th_model_outputs(t->model);
  if (t->n_in > MOST_PORTS || t->n_out > MOST_PORTS)
    return th_fail(TH_ERR_INPUT, "%s: more than %d inputs or outputs", t->model->path, MOST_PORTS);
  for (int i = 0; i < t->n_in; i++) {
    t->in_bytes[i] = th_model_input(t->model, i).bytes;
    t->in[i] = th_arena_array(arena, BATCH, t->in_bytes[i]);
    if (!t->in[i]) return TH_ERR_RESOURCE;
  }
  for (int i = 0; i < t->n_out; i++) {
    t->out_bytes[i] = th_model_output(t->model, i).bytes;
    t->expected[i] = th_arena_array(arena, BATCH, t->out_bytes[i]);
    t->got[i] = th_arena_array(arena, BATCH, t->out_bytes[i]);
    if (!t->expected[i] || !t->got[i]) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

static bool report(const trial *t) {
  const double seconds = th_clock_seconds() - t->begin;
  const th_progress p = {.stage = "verify",
                         .done = t->done,
                         .total = t->total,
                         .unit = "samples",
                         .loss = NAN,
                         .accuracy = NAN,
                         .seconds = seconds,
                         .rate = seconds > 0 ? t->done / seconds : 0,
                         .end = t->done == t->total};
  return th_progress_report(t->ctx, &p);
}

static th_status compare(trial *t, int n) {
  TH_TRY(th_model_run(t->model, n, (const void *const *)t->in, t->expected));
  TH_TRY(th_thim_run(t->blob, n, (const void *const *)t->in, t->got));
  for (int s = 0; s < n; s++) {
    for (int i = 0; i < t->n_out; i++) {
      const size_t at = (size_t)s * t->out_bytes[i];
      if (memcmp((uint8_t *)t->expected[i] + at, (uint8_t *)t->got[i] + at, t->out_bytes[i]) != 0)
        return th_fail(TH_ERR_INTERNAL, "%s: output %d of sample %d differs after lossless shrinking; please report it",
                       t->model->path, i, t->done + s);
    }
  }
  t->done += n;
  return report(t) ? TH_OK : th_fail(TH_ERR_INTERRUPTED, "interrupted after %d of %d samples", t->done, t->total);
}

/* --- random inputs --- */

/* Floats that a quantize node would spread over all integers: a grid is looked for among the readers. */
static float float_range(const th_graph *g, int tensor) {
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || n->op != TH_OP_QUANTIZE || n->in[0] != tensor) continue;
    const th_tensor *y = th_node_out(g, n, 0);
    if (y->quant.count) return 256 * y->quant.scale[0];
  }
  return 1;
}

/* Sample `s` of every four: uniform noise; noise of half the contrast; blocks of one value; one value everywhere. */
static void fill_bytes(th_rng *rng, uint8_t *x, size_t n, int s) {
  const uint8_t base = (uint8_t)th_rng_below(rng, 256);
  uint8_t block = base;
  for (size_t i = 0; i < n; i++) {
    if (i % 64 == 0) block = (uint8_t)th_rng_below(rng, 256);
    const uint8_t noise = (uint8_t)th_rng_below(rng, 256);
    x[i] = s % 4 == 0 ? noise : s % 4 == 1 ? (uint8_t)((noise >> 1) + (base >> 1)) : s % 4 == 2 ? block : base;
  }
}

static void draw(trial *t, th_rng *rng, int n) {
  for (int i = 0; i < t->n_in; i++) {
    const th_port port = th_model_input(t->model, i);
    if (strcmp(port.dtype, "f32") != 0) {
      for (int s = 0; s < n; s++)
        fill_bytes(rng, (uint8_t *)t->in[i] + (size_t)s * t->in_bytes[i], t->in_bytes[i], t->done + s);
      continue;
    }
    const float range = float_range(t->model->graph, t->model->graph->inputs[i]);
    for (size_t k = 0; k < (size_t)n * t->in_bytes[i] / sizeof(float); k++)
      ((float *)t->in[i])[k] = (th_rng_uniform(rng) * 2 - 1) * range;
  }
}

static th_status run_random(trial *t, int samples, uint64_t seed) {
  th_rng rng = th_rng_init(seed, 7);
  for (int left = samples; left > 0; left -= BATCH) {
    const int n = left < BATCH ? left : BATCH;
    draw(t, &rng, n);
    TH_TRY(compare(t, n));
  }
  return TH_OK;
}

/* --- real inputs --- */

static th_status run_data(trial *t, const th_data *data, int count, th_arena *arena) {
  const th_port in = th_model_input(t->model, 0);
  const int64_t elems = th_dataset_sample_elems(data->set);
  float *x = TH_ARRAY(arena, float, BATCH *elems);
  int32_t which[BATCH];
  if (!x) return TH_ERR_RESOURCE;
  for (int at = 0; at < count; at += BATCH) {
    const int n = count - at < BATCH ? count - at : BATCH;
    for (int i = 0; i < n; i++) which[i] = at + i;
    th_dataset_fetch(data->set, TH_SPLIT_TEST, which, n, NULL, 0, 0, x, NULL);
    const th_dtype type = th_dtype_from_name(in.dtype);
    if (type == TH_DTYPE_F32)
      memcpy(t->in[0], x, (size_t)n * t->in_bytes[0]);
    else
      th_quantize_f32(x, n * elems, in.scale, in.zero, type, t->in[0]);
    TH_TRY(compare(t, n));
  }
  return TH_OK;
}

static th_status run_trial(trial *t, int samples, uint64_t seed, const th_data *data, th_arena *arena) {
  int ignored;
  TH_TRY(allocate(t, arena));
  const int real = data ? data->set->split[TH_SPLIT_TEST].count : 0;
  if (data) TH_TRY(th_measure_check(t->model, data->set, &ignored));
  t->total = samples + real;
  t->begin = th_clock_seconds();
  TH_TRY(run_random(t, samples, seed));
  return data ? run_data(t, data, real, arena) : TH_OK;
}

th_status th_lossless_verify(th_model *model, const void *blob, size_t bytes, int samples, uint64_t seed,
                             const th_data *data, const th_context *ctx, int *compared) {
  trial *t = th_alloc(sizeof *t);
  th_arena *arena = th_arena_create();
  th_graph *none = NULL;
  th_status status = t && arena ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK) {
    *t = (trial){.model = model, .ctx = ctx};
    status = th_read_thim(blob, bytes, "the shrunk program", &none, &t->blob);
  }
  if (status == TH_OK) status = run_trial(t, samples, seed, data, arena);
  if (status == TH_OK) *compared = t->done;
  if (t) th_thim_close(t->blob);
  th_graph_destroy(none);
  th_arena_destroy(arena);
  th_free(t);
  return status;
}
