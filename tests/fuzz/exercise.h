/* What a graph that a reader has accepted must survive, whatever the file held: being printed, run, rewritten, lowered,
 * and written in our own formats, which must then be readable again. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FUZZ_EXERCISE_H
#define TH_FUZZ_EXERCISE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval.h"
#include "eval/lower.h"
#include "op/op.h"
#include "pass/pass.h"
#include "pass/plan.h"
#include "read/tflite.h"
#include "read/thim.h"
#include "write/tflite.h"
#include "write/thim.h"

enum { EXERCISE_MOST = 1 << 18 };

static inline void exercise_need(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz: %s: %s\n", what, th_error_message());
  abort();
}

/* Running it costs little: elements of all tensors and multiplications are few. */
static inline bool exercise_is_small(const th_graph *g) {
  int64_t elems = 0;
  for (int i = 0; i < g->n_tensors; i++) {
    const int64_t n = th_shape_elems(&g->tensors[i].shape);
    if (n > EXERCISE_MOST) return false;
    elems += n;
  }
  return elems <= EXERCISE_MOST && th_op_cost_all(g).macs <= EXERCISE_MOST;
}

static inline void exercise_run(const th_graph *g) {
  th_eval *eval;
  if (th_eval_open(g, false, &eval) != TH_OK) return;
  void *in[16], *out[16];
  for (int i = 0; i < g->n_inputs; i++) {
    const size_t bytes = th_tensor_bytes(&g->tensors[g->inputs[i]]);
    in[i] = malloc(bytes + 1);
    memset(in[i], 0x3c, bytes);
  }
  for (int i = 0; i < g->n_outputs; i++) out[i] = malloc(th_tensor_bytes(&g->tensors[g->outputs[i]]) + 1);
  th_eval_run(eval, 1, (const void *const *)in, out);
  for (int i = 0; i < g->n_inputs; i++) free(in[i]);
  for (int i = 0; i < g->n_outputs; i++) free(out[i]);
  th_eval_close(eval);
}

static inline void exercise_lower(const th_graph *g) {
  th_program *program;
  if (th_lower(g, &program) != TH_OK) return;
  th_program_destroy(program);
}

static inline void exercise_write(const th_graph *g) {
  th_error_clear();
  th_buf file = {0};
  th_graph *again = NULL;
  th_thim *program = NULL;
  if (th_write_tflite(g, &file) == TH_OK && th_buf_status(&file) == TH_OK) {
    /* of a graph whose outputs are inputs nothing is left */
    exercise_need(th_read_tflite_bytes(file.data, file.size, "again", &again) == TH_OK ||
                      strstr(th_error_message(), "has no operators"),
                  "our .tflite is refused");
    th_graph_destroy(again);
  }
  th_buf_free(&file);
  th_error_clear();
  if (th_write_thim_graph(g, &file) == TH_OK && th_buf_status(&file) == TH_OK) {
    exercise_need(th_read_thim(file.data, file.size, "again", &again, &program) == TH_OK, "our .thim is refused");
    th_graph_destroy(again);
  }
  th_buf_free(&file);
}

/* All passes of passes.def, in their order. */
static inline void exercise_passes(th_graph *g) {
  const th_pass_options o = {.verify = true};
  for (int i = 0; th_pass_list(i, NULL); i++)
    if (th_pass_run(g, th_pass_list(i, NULL), &o) != TH_OK) return;
}

/* Destroys the graph. */
static inline void exercise(th_graph *g) {
  th_buf text = {0};
  exercise_need(th_graph_verify(g) == TH_OK, "the graph is not sound");
  if (th_op_infer_all(g) == TH_OK && exercise_is_small(g)) {
    th_graph_print(g, 16, &text);
    exercise_run(g);
    exercise_lower(g);
    exercise_write(g);
    exercise_passes(g);
    exercise_run(g);
    exercise_write(g);
  }
  th_buf_free(&text);
  th_graph_destroy(g);
  th_error_clear();
}

#endif
