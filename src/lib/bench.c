/* th_bench: the linked firmware, run under emulation, byte against byte with the host. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/rng.h"
#include "eval/eval.h"
#include "lib/compile.h"
#include "lib/data.h"
#include "lib/measure.h"
#include "report/result.h"
#include "report/table.h"
#include "write/firmware.h"

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

static void write_bench(const trial *t, const th_firmware_result *f, const char *target, th_result *r) {
  char a[32], b[32];
  int64_t different = count_different(t), bytes = (int64_t)t->samples * (int64_t)t->out_bytes;
  th_json_add_string(r->json, "target", target);
  th_json_add_int(r->json, "samples", t->samples);
  th_json_add_int(r->json, "output_bytes", bytes);
  th_json_add_int(r->json, "different_bytes", different);
  th_buf_printf(&r->text, "%s: %d %s samples, %s output bytes, %s differ from the host's\n", target, t->samples,
                t->labels ? "test" : "random", th_thousands(a, bytes), different ? th_thousands(b, different) : "none");
  if (t->labels) {
    double accuracy = (double)count_right(t) / t->samples;
    th_json_add_number(r->json, "accuracy", accuracy);
    th_buf_printf(&r->text, "accuracy on the target %.2f %%\n", 100 * accuracy);
  }
  const struct {
    const char *key, *label;
    int64_t value;
  } rows[] = {{"flash_bytes", "flash (linked: code, constants, weights)", f->flash_bytes},
              {"ram_bytes", "RAM (linked: arena and the example's buffers)", f->ram_bytes},
              {"arena_bytes", "arena (tensors and scratch)", f->arena_bytes},
              {"stack_bytes", "stack of one inference", f->stack_bytes},
              {"instructions", "instructions of one inference", (int64_t)f->instructions}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!rows[i].value) continue; /* the host has no linked sizes */
    th_json_add_int(r->json, rows[i].key, rows[i].value);
    th_buf_printf(&r->text, "%12s  %s\n", th_thousands(a, rows[i].value), rows[i].label);
  }
}

static th_status bench_into(th_model *m, const th_data *data, const th_settings *s, int samples, const char *dir,
                            const th_context *ctx, th_result *r) {
  const char *target = th_settings_text(s, "target"), *why;
  trial t = {.samples = samples};
  th_firmware_result f = {0};
  if (!th_firmware_available(target, true, &why)) return th_fail(TH_ERR_RESOURCE, "bench: %s is not installed", why);
  TH_TRY(data ? fetch_inputs(&t, m, data, r->arena) : draw_inputs(&t, m, r->arena));
  TH_TRY(th_compile_firmware(m, s, dir));
  TH_TRY(th_firmware_build(dir, target, TH_FIRMWARE_PLAIN, &f));
  TH_TRY(th_firmware_run(dir, target, t.samples, t.inputs, t.in_bytes, t.device, t.out_bytes, true, ctx, &f));
  const void *in[] = {t.inputs};
  void *out[] = {t.host};
  TH_TRY(th_model_run(m, t.samples, in, out));
  write_bench(&t, &f, target, r);
  TH_TRY(th_result_finish(r));
  if (count_different(&t)) return th_fail(TH_ERR_CHECK, "%s", th_result_text(r));
  return TH_OK;
}

th_status th_bench(th_model *model, const th_data *data, const th_settings *settings, int samples, const char *dir,
                   const th_context *ctx, th_result **result) {
  TH_TRY(th_model_need_graph(model, "bench"));
  th_result *r;
  TH_TRY(th_result_create(&r));
  th_status status = bench_into(model, data, settings, samples, dir, ctx, r);
  return th_result_give(status, r, result);
}
