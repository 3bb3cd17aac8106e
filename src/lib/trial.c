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
  size_t each = (1 + sizeof(float)) * t->in_bytes + 2 * t->out_bytes + 8;
  if ((size_t)t->samples <= MOST_BYTES / each) return TH_OK;
  return th_fail(TH_ERR_RESOURCE, "%s: %d samples need more than 1 GiB of memory; at most %zu can be run", path,
                 t->samples, MOST_BYTES / each);
}

static size_t input_bytes(const th_model *m) {
  size_t sum = 0;
  for (int i = 0; i < th_model_inputs(m); i++) sum += th_model_input(m, i).bytes;
  return sum;
}

static th_status allocate(th_trial *t, th_model *m, th_arena *arena) {
  t->out = th_model_output(m, 0);
  t->in_bytes = input_bytes(m);
  t->out_bytes = 0;
  for (int i = 0; i < th_model_outputs(m); i++) t->out_bytes += th_model_output(m, i).bytes;
  t->outputs = (int)th_model_port_elems(&t->out);
  TH_TRY(check_room(t, m->path));
  size_t n = (size_t)t->samples;
  t->inputs = TH_ARRAY(arena, uint8_t, n * t->in_bytes);
  t->device = TH_ARRAY(arena, uint8_t, n * t->out_bytes);
  t->host = TH_ARRAY(arena, uint8_t, n * t->out_bytes);
  t->real = TH_ARRAY(arena, float, t->outputs);
  return t->inputs && t->device && t->host && t->real ? TH_OK : TH_ERR_RESOURCE;
}

static void put_input(const th_port *port, const float *x, int64_t elems, uint8_t *to) {
  th_dtype type = th_dtype_from_name(port->dtype);
  if (type == TH_DTYPE_F32)
    memcpy(to, x, (size_t)elems * sizeof *x);
  else
    th_quantize_f32(x, elems, port->scale, port->zero, type, to);
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
  const th_port in = th_model_input(m, 0);
  put_input(&in, x, (int64_t)t->samples * elems, t->inputs);
  return TH_OK;
}

th_status th_trial_from_file(th_trial *t, th_model *m, const char *path, th_arena *arena) {
  uint8_t *data;
  size_t size;
  const size_t each = input_bytes(m);
  TH_TRY(th_file_read(arena, path, MOST_BYTES, &data, &size));
  if (size == 0 || size % each)
    return th_fail(TH_ERR_INPUT, "%s: %zu bytes, but a sample of the model's input takes %zu", path, size, each);
  t->samples = (int)(size / each);
  TH_TRY(allocate(t, m, arena));
  t->inputs = data;
  return TH_OK;
}

/* The next input of a sample. */
static th_status put_random(th_rng *rng, const th_port *port, uint8_t *to) {
  const int64_t elems = th_model_port_elems(port);
  float *x = th_alloc((size_t)elems * sizeof *x);
  if (!x) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) x[i] = th_rng_uniform(rng);
  put_input(port, x, elems, to);
  th_free(x);
  return TH_OK;
}

th_status th_trial_random(th_trial *t, th_model *m, th_arena *arena) {
  TH_TRY(allocate(t, m, arena));
  th_rng rng = th_rng_init(1, 0);
  uint8_t *to = t->inputs;
  for (int i = 0; i < t->samples; i++) {
    for (int k = 0; k < th_model_inputs(m); k++) {
      const th_port port = th_model_input(m, k);
      TH_TRY(put_random(&rng, &port, to));
      to += port.bytes;
    }
  }
  return TH_OK;
}

/* The model wants each of its inputs apart. */
th_status th_trial_run_host(const th_trial *t, th_model *m) {
  const int inputs = th_model_inputs(m), outputs = th_model_outputs(m);
  const void **in = th_alloc((size_t)inputs * sizeof *in);
  void **out = th_alloc((size_t)outputs * sizeof *out);
  th_status status = in && out ? TH_OK : TH_ERR_RESOURCE;
  const uint8_t *from = t->inputs;
  uint8_t *to = t->host;
  for (int i = 0; i < t->samples && status == TH_OK; i++) {
    for (int k = 0; k < inputs; from += th_model_input(m, k++).bytes) in[k] = from;
    for (int k = 0; k < outputs; to += th_model_output(m, k++).bytes) out[k] = to;
    status = th_model_run(m, 1, in, out);
  }
  th_free(in);
  th_free(out);
  return status;
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
