/* Resource variables of .tflite files: CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE.
 *
 * Operators of a file run in its order; those of a graph in any that fits. So a value read before any is assigned is
 * the variable's old one, a value read later is the one assigned last, and that one becomes the variable's new value at
 * the end of the graph. A CALL_ONCE is evaluated here: its subgraph may give variables constants to begin with.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "format/tflite_schema.h"
#include "read/tflite_internal.h"

enum { MAX_VARIABLES = 1024 };

static th_status counts(const tfl_reader *r, const tfl_op *o, int n_in, int n_out) {
  if (o->n_in == n_in && o->n_out == n_out) return TH_OK;
  return th_tfl_fail(r, o, "has %d inputs and %d outputs, expected %d and %d", o->n_in, o->n_out, n_in, n_out);
}

th_status th_tfl_read_call_once(tfl_reader *r, const tfl_op *o) {
  TH_TRY(counts(r, o, 0, 0));
  if (r->in_init) return th_tfl_fail(r, o, "is part of an initialization itself");
  for (int i = 0; i < r->n_variables; ++i)
    if (r->variables[i].tensor >= 0) return th_tfl_fail(r, o, "comes after variables were used");
  return th_tfl_read_init(r, o, th_fb_s32(o->options, TFL_CALL_ONCE_SUBGRAPH, 0));
}

static th_status add_variable(tfl_reader *r, const tfl_op *o, const char *container, const char *name) {
  if (!r->variables) r->variables = TH_ARRAY(r->scratch, tfl_variable, MAX_VARIABLES);
  if (!r->variables) return TH_ERR_RESOURCE;
  if (r->n_variables == MAX_VARIABLES) return th_tfl_fail(r, o, "there are more than %d variables", MAX_VARIABLES);
  r->variables[r->n_variables++] = (tfl_variable){.container = container, .name = name, .tensor = -1, .now = -1};
  return TH_OK;
}

th_status th_tfl_read_var_handle(tfl_reader *r, const tfl_op *o) {
  TH_TRY(counts(r, o, 0, 1));
  const char *container = th_fb_string(o->options, TFL_VAR_HANDLE_CONTAINER);
  const char *name = th_fb_string(o->options, TFL_VAR_HANDLE_NAME);
  TH_TRY(th_fb_status(&r->fb));
  int *handle = &r->handle[o->out - r->base];
  if (*handle == TFL_NO_HANDLE) return th_tfl_fail(r, o, "its output is not a handle of a variable");
  int v = 0;
  while (v < r->n_variables && (strcmp(r->variables[v].container, container) || strcmp(r->variables[v].name, name)))
    ++v;
  if (v == r->n_variables) TH_TRY(add_variable(r, o, container, name));
  *handle = v;
  return TH_OK;
}

static th_status variable_of(tfl_reader *r, const tfl_op *o, tfl_variable **v) {
  const int handle = o->in[0] < 0 ? TFL_NO_HANDLE : r->handle[o->in[0] - r->base];
  if (handle < 0) return th_tfl_fail(r, o, "input 0 is not a handle that a VAR_HANDLE gave before");
  *v = &r->variables[handle];
  return TH_OK;
}

static bool same_quant(const th_quant *a, const th_quant *b) {
  if (a->count != b->count || a->count > 1) return false;
  return a->count == 0 || (fabsf(a->scale[0] - b->scale[0]) <= 1e-6f && a->zero[0] == b->zero[0]);
}

static bool is_possible(th_dtype t) {
  return t == TH_DTYPE_F32 || t == TH_DTYPE_S8 || t == TH_DTYPE_S16 || t == TH_DTYPE_S32;
}

static th_status set_initial(tfl_reader *r, const tfl_op *o, const tfl_variable *v) {
  const th_tensor *from = v->initial < 0 ? NULL : th_tfl_tensor(r, v->initial);
  th_tensor *t = th_tfl_tensor(r, v->tensor);
  t->is_variable = true;
  if (!v->has_initial) return TH_OK;
  if (from->dtype != t->dtype || th_tensor_bytes(from) != th_tensor_bytes(t))
    return th_tfl_fail(r, o, "variable %s begins with %s, which differs from %s in type or size", t->name, from->name,
                       t->name);
  t->initial = from->data;
  return TH_OK;
}

/* The variable's own tensor, which takes after the first value read or assigned; others must be like it. */
static th_status settle(tfl_reader *r, const tfl_op *o, tfl_variable *v, int value) {
  const th_tensor *x = th_tfl_tensor(r, value);
  if (!is_possible(x->dtype))
    return th_tfl_fail(r, o, "variables of type %s are not supported", th_dtype_name(x->dtype));
  if (v->tensor >= 0) {
    const th_tensor *t = th_tfl_tensor(r, v->tensor);
    if (t->dtype == x->dtype && th_tensor_bytes(t) == th_tensor_bytes(x) && same_quant(&t->quant, &x->quant))
      return TH_OK;
    return th_tfl_fail(r, o, "%s and variable %s differ in type, size or scale", x->name, t->name);
  }
  const char *name = th_tfl_clean_name(r, v->name, (int)(v - r->variables));
  if (!name) return TH_ERR_RESOURCE;
  const th_shape shape = x->shape;
  const th_quant q = x->quant;
  TH_TRY(th_graph_add_tensor(r->g, name, x->dtype, &shape, &v->tensor));
  TH_TRY(th_graph_set_quant(r->g, v->tensor, q.axis, q.count, q.scale, q.zero));
  return set_initial(r, o, v);
}

th_status th_tfl_read_read_variable(tfl_reader *r, const tfl_op *o) {
  tfl_variable *v = NULL;
  th_node *n;
  TH_TRY(counts(r, o, 1, 1));
  TH_TRY(variable_of(r, o, &v));
  if (r->in_init) return th_tfl_fail(r, o, "only constants are supported there");
  TH_TRY(settle(r, o, v, o->out));
  const bool old = v->now < 0;
  v->is_read |= old;
  tfl_op made = *o;
  if (!old) made.op = TH_OP_RESHAPE; /* another name of the value that was assigned */
  return th_tfl_node(r, &made, old ? &v->tensor : &v->now, 1, &n);
}

th_status th_tfl_read_assign_variable(tfl_reader *r, const tfl_op *o) {
  tfl_variable *v = NULL;
  TH_TRY(counts(r, o, 2, 0));
  TH_TRY(variable_of(r, o, &v));
  if (o->in[1] < 0) return th_tfl_fail(r, o, "input 1 is absent");
  if (!r->in_init) {
    TH_TRY(settle(r, o, v, o->in[1]));
    v->now = o->in[1];
    v->assigned_by = o->index;
    return TH_OK;
  }
  if (!th_tfl_tensor(r, o->in[1])->data)
    return th_tfl_fail(r, o, "%s is not a constant; only constants are supported there",
                       th_tfl_tensor(r, o->in[1])->name);
  v->initial = o->in[1];
  v->has_initial = true;
  return TH_OK;
}

/* Variables that nobody reads are left out. */
th_status th_tfl_assign_variables(tfl_reader *r) {
  for (int i = 0; i < r->n_variables; ++i) {
    const tfl_variable *v = &r->variables[i];
    if (v->now < 0 || !v->is_read) continue;
    const tfl_op o = {
        .index = v->assigned_by, .name = "ASSIGN_VARIABLE", .op = TH_OP_ASSIGN_VARIABLE, .out = v->tensor};
    th_node *n;
    TH_TRY(th_tfl_node(r, &o, &v->now, 1, &n));
  }
  return TH_OK;
}
