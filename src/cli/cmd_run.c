/* run MODEL --input FILE: raw .bin files hold the model's own types, sample after sample; .npy files say their type.
 * Any whole number of samples may be in a file, the same in each. SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/npy.h"

#define PORTS_MAX OPT_LIST_MAX
#define SHOWN_MAX 16 /* values of an output that the table shows */

typedef struct run_options {
  opt_list input, output;
  const char *layers;
  bool stream;
} run_options;

static const opt_row rows[] = {{OPT_FILES, 'i', "input", offsetof(run_options, input), "FILE",
                                "values of an input, .bin or .npy; once per input", 0, 0},
                               {OPT_FILES, 'o', "output", offsetof(run_options, output), "FILE",
                                "where an output goes, .bin or .npy; once per output [printed]", 0, 0},
                               {OPT_FILE, 0, "layers", offsetof(run_options, layers), "DIR",
                                "write every tensor of the first sample to DIR", 0, 0},
                               {OPT_FLAG, 0, "stream", offsetof(run_options, stream), NULL,
                                "samples follow each other in time: variables of the model keep their values", 0, 0},
                               OPT_END};
static const run_options defaults = {.layers = NULL};

typedef struct job {
  cli *c;
  th_model *model;
  int samples, n_in, n_out;
  const void *in[PORTS_MAX];
  void *out[PORTS_MAX];
} job;

static size_t value_bytes(const th_port *port) {
  if (th_str_eq(port->dtype, "f32") || th_str_eq(port->dtype, "s32")) return 4;
  return th_str_eq(port->dtype, "s16") ? 2 : 1;
}

/* float32 values for an integer input are quantized with its scale: q = round half away(x / scale) + zero. */
static th_status quantize(cli *c, const npy_view *view, const th_port *port, const void **data, size_t *bytes) {
  size_t n = view->bytes / sizeof(float), width = value_bytes(port);
  uint8_t *q = TH_ARRAY(c->arena, uint8_t, n * width);
  double most = ldexp(1, 8 * (int)width - 1), least = -most;
  if (!q) return th_error_status();
  if (th_str_eq(port->dtype, "u8")) most = 256, least = 0;
  for (size_t i = 0; i < n; i++) {
    float x;
    memcpy(&x, view->data + i * sizeof x, sizeof x);
    double v = (double)roundf(x / port->scale) + port->zero;
    int64_t whole = v > least ? (int64_t)(v < most - 1 ? v : most - 1) : (int64_t)least; /* a NaN gives the least */
    for (size_t k = 0; k < width; k++) q[i * width + k] = (uint8_t)((uint64_t)whole >> 8 * k);
  }
  *data = q;
  *bytes = n * width;
  return TH_OK;
}

/* NumPy's default: as float32. */
static th_status narrow(cli *c, const char *path, npy_view *view) {
  size_t n = view->bytes / sizeof(double);
  float *narrowed = TH_ARRAY(c->arena, float, n);
  if (!narrowed) return th_error_status();
  for (size_t i = 0; i < n; i++) {
    double x;
    memcpy(&x, view->data + i * sizeof x, sizeof x);
    if (isfinite(x) && fabs(x) > (double)FLT_MAX)
      return th_fail(TH_ERR_INPUT, "%s: value %zu is %g, which is too large for float32", path, i, x);
    narrowed[i] = (float)x;
  }
  view->data = (const uint8_t *)narrowed;
  view->bytes = n * sizeof(float);
  strcpy(view->dtype, "f32");
  return TH_OK;
}

static th_status check_shape(const char *path, const npy_view *view, const th_port *port) {
  size_t each = port->bytes / value_bytes(port), elems = 1;
  for (int i = 0; i < view->rank; i++) elems *= (size_t)view->dim[i];
  if (elems == 0 || elems % each == 0)
    if (elems / each > INT_MAX || th_port_takes(port, (int)(elems / each), view->rank, view->dim)) return TH_OK;
  char shape[24 * NPY_RANK] = "";
  for (int i = 0; i < view->rank; i++)
    snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", i ? "x" : "", (long long)view->dim[i]);
  return th_fail(
      TH_ERR_INPUT, "%s: an array of %s; input '%s' wants %s, or N such samples with N as the first dimension%s", path,
      shape, port->name, port->shape, view->rank == 4 && elems % each == 0 ? " (pictures are fed channels last)" : "");
}

static th_status load_npy(cli *c, const char *path, const uint8_t *file, size_t size, const th_port *port,
                          const void **data, size_t *bytes) {
  npy_view view;
  TH_TRY(npy_read(file, size, path, &view));
  TH_TRY(check_shape(path, &view, port));
  if (th_str_eq(view.dtype, "f64")) TH_TRY(narrow(c, path, &view));
  *data = view.data;
  *bytes = view.bytes;
  if (th_str_eq(view.dtype, port->dtype)) return TH_OK;
  if (th_str_eq(view.dtype, "f32") && !th_str_eq(port->dtype, "f32") && port->scale > 0)
    return quantize(c, &view, port, data, bytes);
  return th_fail(TH_ERR_INPUT, "%s: holds %s, input '%s' wants %s", path, view.dtype, port->name, port->dtype);
}

static th_status load_input(job *j, int i, const char *path) {
  th_port port = th_model_input(j->model, i);
  uint8_t *file;
  size_t size, bytes;
  TH_TRY(th_file_read(j->c->arena, path, TH_FILE_LIMIT, &file, &size));
  j->in[i] = file;
  bytes = size;
  if (th_str_eq(th_path_extension(path), ".npy")) TH_TRY(load_npy(j->c, path, file, size, &port, &j->in[i], &bytes));
  if (bytes == 0 || bytes % port.bytes || bytes / port.bytes > INT_MAX)
    return th_fail(TH_ERR_INPUT, "%s: %zu bytes are no multiple of one sample of input '%s' (%s %s, %zu bytes)", path,
                   bytes, port.name, port.dtype, port.shape, port.bytes);
  int samples = (int)(bytes / port.bytes);
  if (i > 0 && samples != j->samples)
    return th_fail(TH_ERR_INPUT, "%s: %d samples, the inputs before have %d", path, samples, j->samples);
  j->samples = samples;
  return TH_OK;
}

static th_status check_counts(const job *j, const run_options *o) {
  if (j->n_in > PORTS_MAX || j->n_out > PORTS_MAX)
    return th_fail(TH_ERR_INPUT, "more than %d inputs or outputs are not supported", PORTS_MAX);
  if (o->input.count != j->n_in)
    return th_fail(TH_ERR_USAGE, "the model has %d input(s), --input was given %d time(s)", j->n_in, o->input.count);
  if (o->output.count && o->output.count != j->n_out)
    return th_fail(TH_ERR_USAGE, "the model has %d output(s), --output was given %d time(s)", j->n_out,
                   o->output.count);
  return TH_OK;
}

static th_status save_output(job *j, int i, const char *path) {
  th_port port = th_model_output(j->model, i);
  size_t bytes = port.bytes * (size_t)j->samples;
  if (!th_str_eq(th_path_extension(path), ".npy")) return th_file_write(path, j->out[i], bytes);
  th_buf out = {0};
  th_status status = npy_write(j->out[i], bytes, port.dtype, j->samples, port.shape, &out);
  if (status == TH_OK) status = th_file_write(path, out.data, out.size);
  th_buf_free(&out);
  return status;
}

/* Value k of an output as a number, dequantized when the port says how. */
static double value_at(const th_port *port, const void *data, size_t k) {
  const char *type = port->dtype;
  const uint8_t *p = data;
  double v;
  float f;
  int16_t s16;
  int32_t s32;
  if (th_str_eq(type, "f32"))
    v = (double)(memcpy(&f, p + 4 * k, 4), f);
  else if (th_str_eq(type, "s16"))
    v = (memcpy(&s16, p + 2 * k, 2), s16);
  else if (th_str_eq(type, "s32"))
    v = (memcpy(&s32, p + 4 * k, 4), s32);
  else
    v = th_str_eq(type, "s8") ? (int8_t)p[k] : p[k];
  return port->scale > 0 ? (double)port->scale * (v - port->zero) : v;
}

static void describe_text(const job *j, int i, th_buf *out) {
  th_port port = th_model_output(j->model, i);
  size_t elems = port.bytes / value_bytes(&port);
  th_buf_printf(out, "%s (%s %s):\n", port.name, port.dtype, port.shape);
  for (int s = 0; s < j->samples; s++) {
    const uint8_t *sample = (const uint8_t *)j->out[i] + (size_t)s * port.bytes;
    th_buf_printf(out, "%6d", s);
    for (size_t k = 0; k < elems && k < SHOWN_MAX; k++) th_buf_printf(out, " %9.5g", value_at(&port, sample, k));
    th_buf_printf(out, "%s\n", elems > SHOWN_MAX ? " ..." : "");
  }
}

static void describe_json(const job *j, int i, const char *path, th_buf *out) {
  th_port port = th_model_output(j->model, i);
  size_t elems = port.bytes / value_bytes(&port) * (size_t)j->samples;
  th_buf_printf(out, "%s{\"name\": ", i ? ", " : "");
  cli_json_string(out, port.name);
  th_buf_printf(out, ", \"dtype\": \"%s\", \"shape\": \"%s\", ", port.dtype, port.shape);
  if (path) {
    th_buf_printf(out, "\"file\": ");
    cli_json_string(out, path);
  } else {
    th_buf_printf(out, "\"values\": [");
    for (size_t k = 0; k < elems; k++) th_buf_printf(out, "%s%.9g", k ? ", " : "", value_at(&port, j->out[i], k));
    th_buf_u8(out, ']');
  }
  th_buf_u8(out, '}');
}

static th_status describe(const job *j, const run_options *o) {
  th_buf out = {0};
  if (j->c->common.json) th_buf_printf(&out, "{\"samples\": %d, \"outputs\": [", j->samples);
  for (int i = 0; i < j->n_out; i++) {
    const char *path = o->output.count ? o->output.item[i] : NULL;
    if (j->c->common.json)
      describe_json(j, i, path, &out);
    else if (!path)
      describe_text(j, i, &out);
  }
  if (j->c->common.json) th_buf_printf(&out, "]}\n");
  th_status status = th_buf_status(&out);
  if (status == TH_OK) status = cli_print(th_buf_cstr(&out));
  th_buf_free(&out);
  return status;
}

static th_status run_job(job *j, const run_options *o) {
  j->n_in = th_model_inputs(j->model);
  j->n_out = th_model_outputs(j->model);
  TH_TRY(check_counts(j, o));
  for (int i = 0; i < j->n_in; i++) TH_TRY(load_input(j, i, o->input.item[i]));
  for (int i = 0; i < j->n_out; i++) {
    j->out[i] = th_arena_array(j->c->arena, (size_t)j->samples, th_model_output(j->model, i).bytes);
    if (!j->out[i]) return th_error_status();
  }
  if (o->stream) TH_TRY(th_model_stream(j->model));
  if (o->layers) TH_TRY(th_model_dump_layers(j->model, j->in, o->layers));
  TH_TRY(th_model_run(j->model, j->samples, j->in, j->out));
  for (int i = 0; i < o->output.count; i++) TH_TRY(save_output(j, i, o->output.item[i]));
  return describe(j, o);
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const run_options *o = options;
  job j = {.c = c};
  if (o->input.count == 0) return th_fail(TH_ERR_USAGE, "expected --input FILE");
  for (int i = 0; i < o->output.count; i++) TH_TRY(cli_check_file_output(o->output.item[i]));
  if (o->layers) TH_TRY(cli_check_folder_output(o->layers));
  TH_TRY(th_model_open(words[0], &j.model));
  th_status status = run_job(&j, o);
  th_model_close(j.model);
  return status;
}

const cli_spec cli_spec_run = {rows, &defaults, sizeof defaults, NULL, run};
