/* Opening, saving and running models. See model.h and thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/model.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "lib/deploy.h"
#include "op/op.h"
#include "pass/pass.h"
#include "read/arch.h"
#include "read/read.h"
#include "write/tflite.h"
#include "write/thim.h"

const char *th_version(void) {
  return THIMBLE_VERSION;
}

void th_set_threads(int threads) {
  th_parallel_set_threads(threads);
}

/* --- making --- */

static char *copy_text(const char *s) {
  char *p = th_alloc(strlen(s) + 1);
  if (p) strcpy(p, s);
  return p;
}

th_status th_model_from_graph(th_graph *graph, const char *format, th_model **model) {
  th_model *m = th_alloc(sizeof *m);
  char *path = m ? copy_text(graph->name) : NULL;
  if (!path) {
    th_free(m);
    th_graph_destroy(graph);
    return TH_ERR_RESOURCE;
  }
  *m = (th_model){.graph = graph, .format = format, .path = path};
  *model = m;
  return TH_OK;
}

void th_model_close(th_model *m) {
  if (!m) return;
  th_eval_close(m->eval);
  th_graph_destroy(m->graph);
  th_thim_close(m->program);
  th_free(m->path);
  th_free(m);
}

void th_model_replace_graph(th_model *m, th_graph *graph) {
  th_eval_close(m->eval);
  m->eval = NULL;
  th_graph_destroy(m->graph);
  m->graph = graph;
}

th_status th_model_clone(const th_model *m, th_model **copy) {
  TH_TRY(th_model_need_graph(m, "a copy"));
  th_graph *g;
  TH_TRY(th_graph_clone(m->graph, &g));
  TH_TRY(th_model_from_graph(g, m->format, copy));
  (*copy)->untrained = m->untrained;
  (*copy)->file_bytes = m->file_bytes;
  return TH_OK;
}

th_status th_name_file(th_status status, const char *path) {
  return status != TH_ERR_INPUT || strstr(th_error_message(), path) ? status : th_fail_in(status, "%s", path);
}

/* --- reading --- */

/* Text in a file of such a name is a page of a server or a pointer to the file, not an architecture. */
static bool has_binary_name(const char *path) {
  static const char *const names[] = {".tflite", ".onnx", ".h5", ".hdf5", ".keras", ".thim"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (th_str_eq(th_path_extension(path), names[i])) return true;
  return false;
}

static th_status unknown_format(const char *path) {
  th_buf formats = {0};
  for (int i = 0; th_model_reader_at(i); i++) th_buf_printf(&formats, ", %s", th_model_reader_at(i)->what);
  th_status status = th_buf_status(&formats);
  if (status == TH_OK)
    status = th_fail(TH_ERR_INPUT, "%s: not a model in a format that is read%s: .thim%.*s", path,
                     has_binary_name(path) ? ", or a damaged one" : "", (int)formats.size, (const char *)formats.data);
  th_buf_free(&formats);
  return status;
}

enum { NODES_MOST = 4096 }; /* networks for microcontrollers have hundreds; passes look at all nodes for each node */

/* Converters leave much behind that computes nothing; results do not change by a bit. */
static th_status tidy(th_graph *g, const char *path) {
  const th_pass_options o = {.verify = true};
  if (g->n_nodes > NODES_MOST)
    return th_fail(TH_ERR_INPUT, "%s: has %d operators, at most %d are supported", path, g->n_nodes, NODES_MOST);
  const th_status status = th_pass_run(g, "fold_constants,push_transpose,drop_identity", &o);
  return status == TH_OK ? TH_OK : th_fail_in(status, "%s", path);
}

static th_status read_any(th_model *m, const char *path, const uint8_t *data, size_t size) {
  m->file_bytes = size;
  if (th_thim_probe(data, size)) {
    m->format = "thim";
    return th_read_thim(data, size, path, &m->graph, &m->program);
  }
  const th_model_reader *reader = th_model_reader_find(data, size);
  m->untrained = reader && reader->read == th_read_arch_bytes;
  if (!reader || (m->untrained && has_binary_name(path))) return unknown_format(path);
  m->format = reader->format;
  TH_TRY(reader->read(data, size, path, &m->graph));
  return m->untrained ? TH_OK : tidy(m->graph, path);
}

th_status th_model_open(const char *path, th_model **model) {
  th_arena *arena = th_arena_create();
  th_model *m = arena ? th_alloc(sizeof *m) : NULL;
  uint8_t *data;
  size_t size;
  th_status status = m && (m->path = copy_text(path)) ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK) status = th_file_read(arena, path, TH_FILE_LIMIT, &data, &size);
  if (status == TH_OK) status = read_any(m, path, data, size);
  if (status == TH_OK && m->graph) status = th_op_infer_all(m->graph);
  status = th_name_file(status, path);
  th_arena_destroy(arena);
  if (status == TH_OK)
    *model = m;
  else
    th_model_close(m);
  return status;
}

/* --- writing --- */

th_status th_model_to_tflite(const th_model *m, const th_tflite_coder *coder, th_buf *out) {
  th_graph *g;
  th_pass_options o = {.verify = true};
  TH_TRY(th_graph_clone(m->graph, &g));
  th_status status = th_graph_is_float(g) ? th_pass_run(g, "drop_identity,fold_bn,fuse_activation", &o) : TH_OK;
  if (status == TH_OK) status = th_write_tflite_coded(g, coder, out);
  th_graph_destroy(g);
  return status;
}

/* Float graphs keep everything (kind graph); so do integer ones: th_compile_blob() makes what is deployed. */
static th_status to_thim(const th_model *m, th_buf *out) {
  return th_write_thim_graph(m->graph, out);
}

th_status th_beside_make(const th_model *m, th_arena *arena, th_beside *b) {
  const th_status status = th_model_to_tflite(m, NULL, &b->file);
  if (status != TH_ERR_INPUT) return status == TH_OK ? th_buf_status(&b->file) : status;
  b->skipped = th_arena_strdup(arena, th_error_message());
  th_error_clear();
  return b->skipped ? TH_OK : TH_ERR_RESOURCE;
}

th_status th_beside_write(th_beside *b, th_arena *arena, const char *path) {
  if (!b->skipped) return th_file_write(path, b->file.data, b->file.size);
  if (!th_file_exists(path)) return TH_OK;
  const char *aside = th_arena_printf(arena, "%s.old", path);
  if (!aside) return TH_ERR_RESOURCE;
  b->moved = rename(path, aside) == 0;
  return b->moved ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: cannot be renamed to %s", path, aside);
}

void th_beside_note(const th_beside *b, const char *name, th_buf *text) {
  if (b->skipped) th_buf_printf(text, "note: %s is not written: %s\n", name, b->skipped);
  if (b->moved) th_buf_printf(text, "note: the %s of an earlier run is now %s.old\n", name, name);
}

th_status th_model_save(const th_model *m, const char *path) {
  TH_TRY(th_model_need_graph(m, "saving"));
  TH_TRY(th_model_need_trained(m, "saving"));
  const char *extension = th_path_extension(path);
  th_buf out = {0};
  th_status status;
  if (th_str_eq(extension, ".tflite"))
    status = th_model_to_tflite(m, NULL, &out);
  else if (th_str_eq(extension, ".thim"))
    status = to_thim(m, &out);
  else
    status = th_fail(TH_ERR_USAGE, "%s: the name must end in .tflite or .thim", path);
  if (status == TH_OK) status = th_buf_status(&out);
  if (status == TH_OK) status = th_file_write(path, out.data, out.size);
  th_buf_free(&out);
  return th_name_file(status, path);
}

/* --- asking --- */

/* What argmax gives: no quantized values, so a float model may have it. */
static bool is_index(const th_tensor *t) {
  return t->dtype == TH_DTYPE_S32 && t->quant.count == 0;
}

bool th_graph_is_float(const th_graph *g) {
  for (int i = 0; i < g->n_tensors; i++) {
    const th_tensor *t = &g->tensors[i];
    if (!t->dead && !t->data && t->dtype != TH_DTYPE_F32 && !is_index(t)) return false;
  }
  return true;
}

/* shrink writes what it deploys twice: model.thim for the interpreter, and the network as model.tflite beside it. */
th_status th_model_need_graph(const th_model *m, const char *who) {
  char beside[FILENAME_MAX] = "";
  if (m->graph) return TH_OK;
  const size_t stem = strlen(m->path) - strlen(th_path_extension(m->path));
  if (stem + sizeof ".tflite" <= sizeof beside) snprintf(beside, sizeof beside, "%.*s.tflite", (int)stem, m->path);
  if (!th_file_exists(beside)) beside[0] = '\0';
  return th_fail(TH_ERR_INPUT,
                 "%s: a deployed program, which info, run and eval take; %s needs the network it was made from: %s%s",
                 m->path, who, beside[0] ? beside : "a .tflite, or the .thim that was compiled",
                 beside[0] ? ", which lies beside it" : "");
}

th_status th_model_need_trained(const th_model *m, const char *who) {
  if (!m->untrained) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: an architecture without trained weights; %s needs a trained model (thimble train)",
                 m->path, who);
}

th_status th_model_need_float(const th_model *m, const char *who) {
  TH_TRY(th_model_need_graph(m, who));
  if (th_graph_is_float(m->graph)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: an integer model; %s needs a float one", m->path, who);
}

th_status th_model_need_integer(const th_model *m, const char *who) {
  TH_TRY(th_model_need_graph(m, who));
  if (!th_graph_is_float(m->graph)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: a float model; %s needs an integer one (thimble quantize)", m->path, who);
}

const char *th_model_arithmetic(const th_model *m) {
  if (!m->graph) return "int8";
  if (th_graph_is_float(m->graph)) return "float32";
  for (int i = 0; i < m->graph->n_nodes; i++) {
    const th_node *n = &m->graph->nodes[i];
    bool is_border = n->op == TH_OP_QUANTIZE || n->op == TH_OP_DEQUANTIZE;
    if (!n->dead && !is_border && th_node_out(m->graph, n, 0)->dtype == TH_DTYPE_F32) return "mixed";
  }
  return "int8";
}

static th_port port_of_tensor(const th_tensor *t) {
  th_port p = {.name = t->name, .dtype = th_dtype_name(t->dtype), .bytes = th_tensor_bytes(t)};
  th_shape_text(&t->shape, p.shape);
  if (t->quant.count == 1 && t->dtype != TH_DTYPE_F32) p.scale = t->quant.scale[0], p.zero = t->quant.zero[0];
  return p;
}

int th_model_inputs(const th_model *m) {
  return m->graph ? m->graph->n_inputs : th_thim_inputs(m->program);
}
int th_model_outputs(const th_model *m) {
  return m->graph ? m->graph->n_outputs : th_thim_outputs(m->program);
}

/* A program's port, as the blob describes it. */
static th_port port_of_program(thr_io_info info, const char *name) {
  static const th_dtype dtypes[] = {[THR_DTYPE_S8] = TH_DTYPE_S8,
                                    [THR_DTYPE_F32] = TH_DTYPE_F32,
                                    [THR_DTYPE_U8] = TH_DTYPE_U8,
                                    [THR_DTYPE_S16] = TH_DTYPE_S16,
                                    [THR_DTYPE_S32] = TH_DTYPE_S32};
  th_shape shape = {.rank = info.rank};
  for (int i = 0; i < info.rank; i++) shape.dim[i] = info.dim[i];
  th_port p = {.name = name,
               .dtype = th_dtype_name(dtypes[info.dtype]),
               .bytes = info.bytes,
               .scale = info.scale,
               .zero = info.zero};
  th_shape_text(&shape, p.shape);
  return p;
}

th_port th_model_input(const th_model *m, int i) {
  if (m->graph) return port_of_tensor(&m->graph->tensors[m->graph->inputs[i]]);
  return port_of_program(th_thim_input(m->program, i), "input");
}

th_port th_model_output(const th_model *m, int i) {
  if (m->graph) return port_of_tensor(&m->graph->tensors[m->graph->outputs[i]]);
  return port_of_program(th_thim_output(m->program, i), "output");
}

int64_t th_model_port_elems(const th_port *p) {
  return (int64_t)(p->bytes / th_dtype_bytes(th_dtype_from_name(p->dtype)));
}
