/* See trial.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/trial.h"

#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "eval/eval.h"
#include "lib/measure.h"

#define MOST_BYTES ((size_t)1 << 30) /* of all samples */

/* Inputs as real numbers and as the model takes them, outputs of both sides, label and position. */
static th_status check_room(const th_trial *t, const char *path) {
  size_t each = t->in_bytes + (size_t)th_model_port_elems(&t->in) * sizeof(float) + 2 * t->out_bytes + 8;
  if ((size_t)t->samples <= MOST_BYTES / each) return TH_OK;
  return th_fail(TH_ERR_RESOURCE, "%s: %d samples need more than 1 GiB of memory; at most %zu can be run", path,
                 t->samples, MOST_BYTES / each);
}

static th_status allocate(th_trial *t, th_model *m, th_arena *arena) {
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

static void put_inputs(th_trial *t, const float *x, int64_t elems) {
  th_dtype type = th_dtype_from_name(t->in.dtype);
  if (type == TH_DTYPE_F32)
    memcpy(t->inputs, x, (size_t)elems * sizeof *x);
  else
    th_quantize_f32(x, elems, t->in.scale, t->in.zero, type, t->inputs);
}

th_status th_trial_from_data(th_trial *t, th_model *m, const th_data *data, th_arena *arena) {
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

th_status th_trial_from_file(th_trial *t, th_model *m, const char *path, th_arena *arena) {
  uint8_t *data;
  size_t size;
  const size_t each = th_model_inputs(m) == 1 ? th_model_input(m, 0).bytes : 0;
  TH_TRY(th_file_read(arena, path, MOST_BYTES, &data, &size));
  if (each && (size == 0 || size % each))
    return th_fail(TH_ERR_INPUT, "%s: %zu bytes, but a sample of the model's input takes %zu", path, size, each);
  t->samples = each ? (int)(size / each) : 1;
  TH_TRY(allocate(t, m, arena));
  t->inputs = data;
  return TH_OK;
}

th_status th_trial_random(th_trial *t, th_model *m, th_arena *arena) {
  TH_TRY(allocate(t, m, arena));
  th_rng rng = th_rng_init(1, 0);
  int64_t elems = t->samples * th_model_port_elems(&t->in);
  float *x = TH_ARRAY(arena, float, elems);
  if (!x) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) x[i] = th_rng_uniform(&rng);
  put_inputs(t, x, elems);
  return TH_OK;
}

int64_t th_trial_right(const th_trial *t) {
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

int64_t th_trial_different(const th_trial *t) {
  int64_t n = 0;
  for (size_t i = 0; i < (size_t)t->samples * t->out_bytes; i++) n += t->device[i] != t->host[i];
  return n;
}
