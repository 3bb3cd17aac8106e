/* th_bench_host: how long an inference takes on this machine, in all and layer by layer. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "eval/eval.h"
#include "lib/model.h"
#include "report/result.h"
#include "report/table.h"

enum { ROUNDS = 31, MOST_PORTS = 256 };
#define LEAST_SECONDS 0.01 /* of a round */
#define MOST_BYTES ((size_t)1 << 30)

typedef struct host_trial {
  th_eval *eval;
  int samples;
  const void *in[MOST_PORTS];
  void *out[MOST_PORTS];
} host_trial;

/* Integers of any value, floats in [0, 1); the same in every run. */
static void fill(th_rng *rng, const th_port *p, uint8_t *data, size_t bytes) {
  if (th_dtype_from_name(p->dtype) == TH_DTYPE_F32) {
    for (size_t i = 0; i < bytes / sizeof(float); i++) ((float *)(void *)data)[i] = th_rng_uniform(rng);
    return;
  }
  for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)th_rng_below(rng, 256);
}

static th_status make_ports(host_trial *t, th_model *m, th_arena *arena) {
  size_t each = 0;
  th_rng rng = th_rng_init(1, 0);
  const int n_in = th_model_inputs(m), n_out = th_model_outputs(m);
  if (n_in > MOST_PORTS || n_out > MOST_PORTS)
    return th_fail(TH_ERR_INPUT, "%s: more than %d inputs or outputs", m->path, MOST_PORTS);
  for (int i = 0; i < n_in; i++) each += th_model_input(m, i).bytes;
  for (int i = 0; i < n_out; i++) each += th_model_output(m, i).bytes;
  if ((size_t)t->samples > MOST_BYTES / (each + 1))
    return th_fail(TH_ERR_RESOURCE, "%s: %d samples need more than 1 GiB of memory", m->path, t->samples);
  for (int i = 0; i < n_in; i++) {
    const th_port p = th_model_input(m, i);
    uint8_t *data = th_arena_array(arena, (size_t)t->samples, p.bytes);
    if (!data) return TH_ERR_RESOURCE;
    fill(&rng, &p, data, (size_t)t->samples * p.bytes);
    t->in[i] = data;
  }
  for (int i = 0; i < n_out; i++) {
    t->out[i] = th_arena_array(arena, (size_t)t->samples, th_model_output(m, i).bytes);
    if (!t->out[i]) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

/* Seconds of a call of `samples` samples, the mean over a round. */
static th_status time_round(host_trial *t, int samples, double *seconds) {
  const double begin = th_clock_seconds();
  int calls = 0;
  do {
    TH_TRY(th_eval_run(t->eval, samples, t->in, t->out));
    calls++;
    *seconds = th_clock_seconds() - begin;
  } while (*seconds < LEAST_SECONDS);
  *seconds /= calls;
  return TH_OK;
}

/* Least over the rounds, of a sample: what other programs do on the machine only adds. */
static th_status time_samples(host_trial *t, int samples, int threads, double *seconds) {
  th_parallel_set_threads(threads);
  *seconds = 1e9;
  for (int i = 0; i < ROUNDS; i++) {
    double round;
    TH_TRY(time_round(t, samples, &round));
    if (round < *seconds) *seconds = round;
  }
  *seconds /= samples;
  return TH_OK;
}

static void write_layers(const th_eval *eval, th_result *r) {
  th_json *layers = th_json_add_array(r->json, "layers");
  th_table *t = th_table_create(r->arena, "<layer|<operator|<kernel|us|share");
  double all = 0;
  for (int i = 0; i < th_eval_steps(eval); i++) all += th_eval_step_info(eval, i).seconds;
  for (int i = 0; i < th_eval_steps(eval); i++) {
    const th_eval_step s = th_eval_step_info(eval, i);
    th_json *o = th_json_add_object(layers, NULL);
    th_json_add_string(o, "name", s.name);
    th_json_add_string(o, "op", s.op);
    th_json_add_string(o, "kernel", s.variant);
    th_json_add_number(o, "us", 1e6 * s.seconds);
    th_table_cell(t, "%s", s.name);
    th_table_cell(t, "%s", s.op);
    th_table_cell(t, "%s", s.variant);
    th_table_cell(t, "%.2f", 1e6 * s.seconds);
    th_table_cell(t, "%.1f %%", all > 0 ? 100 * s.seconds / all : 0);
  }
  th_table_print(t, &r->text);
}

static th_status bench_host(th_model *m, host_trial *t, int threads, th_result *r) {
  double single, batch, batch_threads;
  TH_TRY(make_ports(t, m, r->arena));
  TH_TRY(time_samples(t, 1, 1, &single));
  TH_TRY(time_samples(t, t->samples, 1, &batch));
  TH_TRY(time_samples(t, t->samples, threads, &batch_threads));
  th_eval_time_steps(t->eval);
  double unused;
  TH_TRY(time_samples(t, 1, 1, &unused));
  th_json_add_string(r->json, "target", "host");
  th_json_add_number(r->json, "us", 1e6 * single);
  th_json_add_int(r->json, "samples", t->samples);
  th_json_add_number(r->json, "batch_us", 1e6 * batch);
  th_json_add_int(r->json, "threads", threads);
  th_json_add_number(r->json, "threads_us", 1e6 * batch_threads);
  th_buf_printf(&r->text, "%s on this machine, %s arithmetic:\n", m->path, th_model_arithmetic(m));
  th_buf_printf(&r->text, "%10.2f us per inference, one thread\n", 1e6 * single);
  th_buf_printf(&r->text, "%10.2f us per sample of a batch of %d, one thread\n", 1e6 * batch, t->samples);
  if (threads > 1)
    th_buf_printf(&r->text, "%10.2f us per sample of a batch of %d, %d threads\n", 1e6 * batch_threads, t->samples,
                  threads);
  th_buf_printf(&r->text, "\n");
  write_layers(t->eval, r);
  return th_result_finish(r);
}

th_status th_bench_host(th_model *model, int samples, th_result **result) {
  TH_TRY(th_model_need_graph(model, "bench"));
  TH_TRY(th_model_need_trained(model, "bench"));
  th_result *r;
  host_trial t = {.samples = samples};
  const int threads = th_parallel_threads();
  TH_TRY(th_result_create(&r));
  th_status status = th_eval_open(model->graph, false, &t.eval);
  if (status == TH_OK) status = bench_host(model, &t, threads, r);
  th_parallel_set_threads(threads);
  th_eval_close(t.eval);
  return th_result_give(status, r, result);
}
