/* Running a model: a graph through the evaluator, a program through the runtime's interpreter. See model.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "lib/model.h"
#include "report/result.h"

static th_status open_eval(th_model *m) {
  if (m->eval) return TH_OK;
  TH_TRY(th_name_file(th_eval_open(m->graph, false, &m->eval), m->path));
  return m->stream ? th_eval_stream(m->eval) : TH_OK;
}

th_status th_model_stream(th_model *m) {
  m->stream = true;
  if (!m->graph) return th_thim_stream(m->program);
  th_eval_close(m->eval);
  m->eval = NULL;
  return TH_OK;
}

th_status th_model_run(th_model *m, int samples, const void *const *inputs, void *const *outputs) {
  if (!m->graph) return th_thim_run(m->program, samples, inputs, outputs);
  TH_TRY(th_model_need_trained(m, "a run"));
  TH_TRY(open_eval(m));
  return th_eval_run(m->eval, samples, inputs, outputs);
}

/* A program of one input and one output, with float at its borders. */
static th_status run_program_f32(th_model *m, int samples, const float *x, float *y) {
  th_port in = th_model_input(m, 0), out = th_model_output(m, 0);
  th_dtype in_type = th_dtype_from_name(in.dtype), out_type = th_dtype_from_name(out.dtype);
  void *qx = th_alloc((size_t)samples * in.bytes), *qy = th_alloc((size_t)samples * out.bytes);
  th_status status = qx && qy ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK) {
    int64_t n_in = samples * th_model_port_elems(&in), n_out = samples * th_model_port_elems(&out);
    if (in_type == TH_DTYPE_F32)
      memcpy(qx, x, (size_t)n_in * sizeof *x);
    else
      th_quantize_f32(x, n_in, in.scale, in.zero, in_type, qx);
    const void *inputs[] = {qx};
    void *outputs[] = {qy};
    status = th_thim_run(m->program, samples, inputs, outputs);
    if (status == TH_OK && out_type == TH_DTYPE_F32)
      memcpy(y, qy, (size_t)n_out * sizeof *y);
    else if (status == TH_OK)
      th_dequantize(qy, out_type, n_out, out.scale, out.zero, y);
  }
  th_free(qx);
  th_free(qy);
  return status;
}

th_status th_model_run_f32(th_model *m, int samples, const float *const *inputs, float *const *outputs) {
  if (!m->graph) return run_program_f32(m, samples, inputs[0], outputs[0]);
  TH_TRY(open_eval(m));
  return th_eval_run_f32(m->eval, samples, inputs, outputs);
}

/* --- every tensor of one inference --- */

/* Tensor names come from model files: only harmless characters become part of a file name. */
static const char *file_of_tensor(th_arena *arena, const char *dir, int id, const char *name) {
  char safe[100];
  size_t n = 0;
  for (; name[n] && n < sizeof safe - 1; n++) {
    char c = name[n];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    safe[n] = plain ? c : '_';
  }
  safe[n] = '\0';
  return th_arena_printf(arena, "%s/%03d-%s.bin", dir, id, safe);
}

static th_status dump_tensor(th_model *m, const th_eval *eval, int id, const char *dir, th_result *r, th_json *list) {
  const th_tensor *t = &m->graph->tensors[id];
  const void *data = th_eval_tensor(eval, id);
  if (t->dead || t->data || !data) return TH_OK;
  const char *path = file_of_tensor(r->arena, dir, id, t->name);
  if (!path) return TH_ERR_RESOURCE;
  TH_TRY(th_file_write(path, data, th_tensor_bytes(t)));
  char shape[TH_SHAPE_TEXT];
  th_json *o = th_json_add_object(list, NULL);
  th_json_add_string(o, "name", t->name);
  th_json_add_string(o, "file", th_path_base(path));
  th_json_add_string(o, "dtype", th_dtype_name(t->dtype));
  th_json_add_string(o, "shape", th_shape_text(&t->shape, shape));
  if (t->quant.count != 1) return TH_OK;
  th_json_add_number(o, "scale", (double)t->quant.scale[0]);
  th_json_add_int(o, "zero", t->quant.zero[0]);
  return TH_OK;
}

static th_status dump_run(th_model *m, th_eval *eval, const void *const *inputs, const char *dir, th_result *r) {
  void *outputs[256];
  for (int i = 0; i < m->graph->n_outputs; i++)
    if (!(outputs[i] = th_arena_alloc(r->arena, th_tensor_bytes(&m->graph->tensors[m->graph->outputs[i]]))))
      return TH_ERR_RESOURCE;
  TH_TRY(th_eval_run(eval, 1, inputs, outputs));
  TH_TRY(th_dir_create(dir));
  th_json *list = th_json_add_array(r->json, "tensors");
  for (int id = 0; id < m->graph->n_tensors; id++) TH_TRY(dump_tensor(m, eval, id, dir, r, list));
  TH_TRY(th_result_finish(r));
  const char *path = th_path_join(r->arena, dir, "tensors.json");
  return path ? th_file_write(path, r->printed.data, r->printed.size) : TH_ERR_RESOURCE;
}

th_status th_model_dump_layers(th_model *m, const void *const *inputs, const char *dir) {
  TH_TRY(th_model_need_graph(m, "a dump of its layers"));
  th_result *r;
  th_eval *eval = NULL;
  TH_TRY(th_result_create(&r));
  th_status status = th_eval_open(m->graph, true, &eval);
  if (status == TH_OK) status = dump_run(m, eval, inputs, dir, r);
  th_eval_close(eval);
  th_result_free(r);
  return status;
}
