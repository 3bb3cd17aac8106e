/* Adding up what a firmware takes. See predict.h.
 *
 * Flash: the code of what its steps call, each piece once; the function that calls them, by the number of calls and of
 * pointers into the arena in them; and all constants, which the C writer's own tables count. Stack: the deepest step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/predict.h"

#include <math.h>
#include <string.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "base/str.h"
#include "eval/form.h"
#include "lib/code.h"
#include "lib/compile.h"
#include "lib/cost.h"
#include "lib/settings.h"
#include "report/table.h"
#include "write/csource_rows.h"

enum { NAME = 64 };

typedef struct prediction { /* th_prediction, first member, and what it lives in */
  th_prediction p;
  th_arena *arena;
} prediction;

typedef struct predictor {
  const th_program *p;
  const th_target *target;
  th_goal goal;
  th_arena *arena;
  th_code code;
  int64_t calls, places; /* of the function that calls the kernels */
  int64_t structs;       /* bytes of parameter structs and stages */
  int32_t stack;         /* of the deepest step */
} predictor;

/* --- code and stack --- */

static int32_t bytes_of(const predictor *x, const char *piece) {
  th_code_piece found;
  return th_code_find(x->target, x->goal, piece, &found) ? found.bytes : 0;
}

static th_code_piece find(const predictor *x, const char *piece) {
  th_code_piece found = {0, 0, -1};
  th_code_find(x->target, x->goal, piece, &found);
  return found;
}

static void reach(predictor *x, int32_t stack) {
  if (stack > x->stack) x->stack = stack;
}

static const char *coder_piece(const predictor *x, thr_decode_fn *decode) {
  return th_arena_printf(x->arena, "decode %s", th_decoder_name(decode) + strlen("thr_decode_"));
}

/* What a kernel or form calls through a pointer; `above` is how deep in the stack. */
static void add_pointed(predictor *x, const char *piece, int32_t above) {
  th_code_add(&x->code, piece);
  reach(x, above + find(x, piece).stack);
}

/* A kernel or form that is `above` bytes deep in the stack, and what it calls. */
static th_status add_runner(predictor *x, const th_program_step *s, const char *runner, int32_t above) {
  thr_step step = s->step;
  const thr_weights *w = s->form == THR_FORM_NONE ? thr_step_weights(&step) : NULL;
  const thr_requant *q = w ? thr_step_requant(&step) : NULL;
  const th_code_piece piece = find(x, runner);
  const int32_t call = above + (piece.call < 0 ? piece.stack : piece.call);
  th_code_add(&x->code, runner);
  reach(x, above + piece.stack);
  if (w && w->decode && !s->rows) {
    const char *coder = coder_piece(x, w->decode);
    if (!coder) return TH_ERR_RESOURCE;
    add_pointed(x, coder, call);
  }
  if (th_csource_uses_dot(s)) add_pointed(x, "dot gap_huffman", call);
  if (q && q->decode) add_pointed(x, "decode channels", call);
  return TH_OK;
}

static bool has_row_kernel(thr_kernel_id kernel) {
#define WINDOW true
#define ONE false
#define TWO false
  switch (kernel) {
#define THR_ROW(id, name, params, form) \
  case THR_KERNEL_##id:                 \
    return form;
#include "../../rt/kernel/rows.def"
#undef THR_ROW
    default:
      return false;
  }
#undef WINDOW
#undef ONE
#undef TWO
}

/* The weights of a chain are decoded before it runs. */
static th_status add_unpack(predictor *x, const th_program_step *s) {
  thr_step step = s->step;
  const thr_weights *w = thr_step_weights(&step);
  if (!w || !w->decode) return TH_OK;
  const char *coder = coder_piece(x, w->decode);
  if (!coder) return TH_ERR_RESOURCE;
  th_code_add(&x->code, "unpack");
  add_pointed(x, coder, find(x, "unpack").call);
  x->calls++;
  return TH_OK;
}

static th_status add_segment(predictor *x, const th_segment *g) {
  const th_code_piece rows = find(x, "rows");
  th_code_add(&x->code, "rows");
  reach(x, rows.stack);
  x->calls++;
  for (int i = g->first; i <= g->last; i++) {
    const th_program_step *s = &x->p->steps[i];
    const char *format = has_row_kernel(s->step.kernel) ? "%s_row" : "%s";
    const char *runner = th_arena_printf(x->arena, format, th_kernel_name(s->step.kernel));
    if (!runner) return TH_ERR_RESOURCE;
    TH_TRY(add_runner(x, s, runner, rows.call));
    TH_TRY(add_unpack(x, s));
  }
  x->structs += (g->last - g->first + 1) * (int64_t)bytes_of(x, "sizeof stage");
  return TH_OK;
}

static th_status add_step(predictor *x, const th_program_step *s) {
  x->calls++;
  x->places++;
  for (int k = 0; k < s->n_in; k++) x->places += x->p->values[s->in[k]].data == NULL;
  return add_runner(x, s, th_runner_name(s), 0);
}

static const char *params_of(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over) \
  case THR_KERNEL_##id:                                                    \
    return "sizeof " #params;
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
    default:
      return "";
  }
}

static th_status add_steps(predictor *x) {
  for (int i = 0; i < x->p->n_steps; i++) x->structs += bytes_of(x, params_of(x->p->steps[i].step.kernel));
  for (int i = 0; i < x->p->n_steps; i++) {
    const int segment = th_csource_segment_at(x->p, i);
    if (segment < 0) {
      TH_TRY(add_step(x, &x->p->steps[i]));
    } else {
      TH_TRY(add_segment(x, &x->p->segments[segment]));
      i = x->p->segments[segment].last;
    }
  }
  return TH_OK;
}

static int64_t initial_bytes(const th_program *p) {
  int64_t sum = 0;
  for (int i = 0; i < p->n_values; i++)
    if (p->values[i].state && p->values[i].initial) sum += p->values[i].bytes;
  return sum;
}

static th_status predict_code(predictor *x, th_prediction *p) {
  uint64_t tables;
  TH_TRY(th_code_begin(x->target, x->goal, x->arena, &x->code));
  th_code_add(&x->code, "base");
  th_code_add(&x->code, "run");
  TH_TRY(add_steps(x));
  TH_TRY(th_tables_bytes(x->p, x->code.unknown ? 1 : (uint32_t)bytes_of(x, "align"), &tables));
  const int64_t run = x->calls * bytes_of(x, "run call") + x->places * bytes_of(x, "run place");
  p->code_bytes = x->code.bytes + run;
  p->flash_bytes = p->code_bytes + x->structs + (int64_t)tables + initial_bytes(x->p);
  p->stack_bytes = find(x, "base").stack + find(x, "run").stack + x->stack;
  return TH_OK;
}

/* --- layers --- */

static th_predicted_layer layer_of(const predictor *x, const th_deployed *d, int i) {
  const th_program_step *s = &x->p->steps[i];
  const th_step_bytes *b = &d->bytes[i];
  const double instructions = th_cost_of_step(x->target, x->goal, x->p, i);
  return (th_predicted_layer){.name = th_arena_strdup(x->arena, s->name),
                              .runner = th_runner_name(s),
                              .coder = s->weight_count ? th_coder_name(b->coder) : NULL,
                              .bytes = (int64_t)b->weights + b->table + b->bias + b->requant,
                              .instructions = instructions < 0 ? -1 : llround(instructions)};
}

static th_status predict_layers(const predictor *x, const th_deployed *d, th_prediction *p) {
  th_predicted_layer *layer = TH_ARRAY(x->arena, th_predicted_layer, x->p->n_steps + 1);
  if (!layer) return TH_ERR_RESOURCE;
  p->layers = x->p->n_steps;
  p->layer = layer;
  for (int i = 0; i < p->layers; i++) {
    layer[i] = layer_of(x, d, i);
    if (!layer[i].name) return TH_ERR_RESOURCE;
    p->instructions = p->instructions < 0 || layer[i].instructions < 0 ? -1 : p->instructions + layer[i].instructions;
  }
  return TH_OK;
}

th_status th_predict_deployed(const th_deployed *d, const th_target *target, th_arena *arena, th_prediction *p) {
  predictor x = {.p = d->program, .target = target, .goal = d->program->goal, .arena = arena};
  *p = (th_prediction){.arena_bytes = d->program->arena_bytes, .unit = th_target_family(target)->unit};
  if (!*p->unit) p->unit = "instructions";
  TH_TRY(predict_layers(&x, d, p));
  TH_TRY(predict_code(&x, p));
  if (x.code.unknown) p->flash_bytes = p->code_bytes = p->stack_bytes = -1;
  p->ram_bytes = p->stack_bytes < 0 ? -1 : p->arena_bytes + p->stack_bytes;
  return TH_OK;
}

th_status th_predict(const th_model *model, const th_settings *compile, th_prediction **result) {
  th_deployed d;
  TH_TRY(th_compile_need_integer(model));
  TH_TRY(th_compile_deploy(model, compile, &d));
  prediction *p = th_alloc(sizeof *p);
  if (p) p->arena = th_arena_create();
  th_status status = p && p->arena ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK)
    status = th_predict_deployed(&d, th_target_find(th_settings_text(compile, "target")), p->arena, &p->p);
  th_deployed_free(&d);
  if (status != TH_OK)
    th_prediction_free(p ? &p->p : NULL);
  else
    *result = &p->p;
  return status;
}

void th_prediction_free(th_prediction *p) {
  if (!p) return;
  prediction *whole = (prediction *)(void *)p;
  th_arena_destroy(whole->arena);
  th_free(whole);
}

/* --- showing --- */

static void add_known(th_json *json, const char *key, int64_t value) {
  if (value >= 0) th_json_add_int(json, key, value);
}

static void print_known(th_buf *text, int64_t value, const char *label) {
  char a[32];
  th_buf_printf(text, "%12s  %s\n", value < 0 ? "not known" : th_thousands(a, value), label);
}

void th_prediction_write(const th_prediction *p, const th_target *target, th_json *json, th_buf *text) {
  th_json *o = th_json_add_object(json, "predicted");
  th_json_add_string(o, "target", target->name);
  add_known(o, "flash_bytes", p->flash_bytes);
  add_known(o, "code_bytes", p->code_bytes);
  add_known(o, "arena_bytes", p->arena_bytes);
  add_known(o, "stack_bytes", p->stack_bytes);
  add_known(o, "ram_bytes", p->ram_bytes);
  add_known(o, p->unit, p->instructions);
  th_json *layers = th_json_add_array(o, "layers");
  for (int i = 0; i < p->layers; i++) {
    th_json *l = th_json_add_object(layers, NULL);
    th_json_add_string(l, "name", p->layer[i].name);
    th_json_add_string(l, "runner", p->layer[i].runner);
    th_json_add_int(l, "bytes", p->layer[i].bytes);
    add_known(l, p->unit, p->layer[i].instructions);
  }
  if (!text) return;
  th_buf_printf(text, "predicted for %s:\n", target->name);
  print_known(text, p->flash_bytes, "flash (code, constants, the example)");
  print_known(text, p->arena_bytes, "arena (tensors and scratch)");
  print_known(text, p->stack_bytes, "stack, at most");
  print_known(text, p->instructions, p->unit);
}
