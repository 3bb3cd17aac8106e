/* A model as the public interface knows it: a graph, or a deployed program without one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_MODEL_H
#define TH_LIB_MODEL_H

#include "eval/eval.h"
#include "ir/graph.h"
#include "read/thim.h"
#include "thimble/thimble.h"
#include "write/tflite.h"

struct th_model {
  th_graph *graph;    /* NULL for a program */
  th_thim *program;   /* .thim of kind program, else NULL */
  char *path;         /* as given to th_model_open */
  const char *format; /* "tflite", "thim", "architecture" */
  size_t file_bytes;
  bool untrained; /* an architecture text: th_train_init() has not run */
  bool stream;    /* variables stay from sample to sample */
  th_eval *eval;  /* made when first run; dropped when the graph changes */
};

th_status th_model_from_graph(th_graph *graph, const char *format, th_model **model); /* takes the graph */
/* Readers, passes and the like know tensors and operators, not the file: puts its name before the message of a
 * TH_ERR_INPUT that does not have it. Returns the status. */
th_status th_name_file(th_status status, const char *path);
void th_model_replace_graph(th_model *model, th_graph *graph); /* takes the graph, destroys the old one */
/* Refuses a program, in words that tell what is needed instead: "prune needs ...". */
th_status th_model_need_graph(const th_model *model, const char *who);
/* Refuses an architecture text whose weights nobody has trained. */
th_status th_model_need_trained(const th_model *model, const char *who);
/* Refuses an integer graph where a float one is needed. */
th_status th_model_need_float(const th_model *model, const char *who);
/* Refuses a program, and a float graph where an integer one is needed. */
th_status th_model_need_integer(const th_model *model, const char *who);

/* Appends the model as .tflite; `coder` (or NULL) codes its weights for TFLM_DECODE operators. */
th_status th_model_to_tflite(const th_model *model, const th_tflite_coder *coder, th_buf *out);

/* A .tflite that is written beside other files. Some models have no form as one (those of uint8, for one): they lose
 * nothing but that file. */
typedef struct th_beside {
  th_buf file;         /* the caller frees it */
  const char *skipped; /* why there is none, in the arena; NULL: there is one */
  bool moved;          /* an older one, out of the way */
} th_beside;
th_status th_beside_make(const th_model *model, th_arena *arena, th_beside *b);
/* An older file that has no successor is renamed to PATH.old: the others would not be those of the same model. */
th_status th_beside_write(th_beside *b, th_arena *arena, const char *path);
/* Why it is missing, and where an older one went: a line, or nothing. */
void th_beside_note(const th_beside *b, const char *name, th_buf *text);

int64_t th_model_port_elems(const th_port *port);
const char *th_model_arithmetic(const th_model *model); /* "int8", "float32" or "mixed" */
/* Runs with float at the borders, whatever the model's own types are. */
th_status th_model_run_f32(th_model *model, int samples, const float *const *inputs, float *const *outputs);
th_status th_model_program_info(const th_model *model, th_result **result);
bool th_graph_is_float(const th_graph *g); /* all activations are F32 */

#endif
