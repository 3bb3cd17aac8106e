/* Runs the calls of a Keras model in the order in which their inputs become known, which builds the graph; a model used
 * as a layer is run in its place, so nothing is nested in the end.
 *
 * Two dialects say how a layer was called (its inbound nodes). Keras 2 lists the inputs, [layer, call, output, other
 * arguments]; Keras 3 has {args, kwargs} with tensors {keras_history: [layer, call, output]} in them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { MAX_NAME = 128 };

/* --- where counting of calls begins --- */

/* A model that is used as a layer has one call before all others, its own making, which the config leaves out: Keras 2
 * counts it. Since every call is referred to by somebody, the lowest number tells. */
static void settle_first_calls(kr_model *m, const kr_ref *refs, int n, bool start) {
  for (int i = 0; start && i < m->n_layers; i++) m->layers[i].first_call = m->layers[i].inner ? 1 : 0;
  for (int i = 0; i < n; i++) {
    kr_layer *l = refs[i].call == 0 ? th_keras_find_layer(m, refs[i].layer) : NULL;
    if (l) l->first_call = 0;
  }
}

/* The references in the inputs of all calls, whichever dialect: to find out where counting begins. */
static th_status settle_counting(kr_reader *r, kr_model *m) {
  kr_ref ref;
  bool listed = false;
  settle_first_calls(m, NULL, 0, true);
  for (int i = 0; i < m->n_layers; i++)
    for (int k = 0; k < m->layers[i].n_calls; k++) {
      const th_json *node = m->layers[i].call[k];
      if (!th_json_is_array(node)) continue;
      listed = true;
      if (th_keras_take_ref(node, &ref)) settle_first_calls(m, &ref, 1, false);
      for (const th_json *j = th_json_first(node); j; j = th_json_next(j))
        if (th_keras_take_ref(j, &ref)) settle_first_calls(m, &ref, 1, false);
    }
  if (listed) {
    settle_first_calls(m, m->outputs, m->n_outputs, false);
    return TH_OK;
  }
  /* Keras 3 counts a model's own making in output_layers only, and only for functional ones */
  for (int i = 0; i < m->n_outputs; i++) {
    kr_layer *l = th_keras_find_layer(m, m->outputs[i].layer);
    if (l && l->inner && !l->inner->sequential && m->outputs[i].call > 0) m->outputs[i].call--;
  }
  for (int i = 0; i < m->n_layers; i++) m->layers[i].first_call = 0;
  return TH_OK;
}

static th_status counting_all(kr_reader *r, kr_model *m) {
  TH_TRY(settle_counting(r, m));
  for (int i = 0; i < m->n_layers; i++)
    if (m->layers[i].inner) TH_TRY(counting_all(r, m->layers[i].inner));
  return TH_OK;
}

/* --- calls --- */

/* What a model's calls have produced so far. */
typedef struct run {
  kr_model *model;
  int ***out;   /* [layer][call]: values; NULL: not called yet */
  int **n_out;  /* [layer][call] */
  bool waiting; /* an input is not known yet */
} run;

static th_status lookup(kr_reader *r, run *u, const kr_layer *user, const kr_ref *ref, int *value) {
  const kr_layer *l = th_keras_find_layer(u->model, ref->layer);
  if (!l) return th_keras_fail(r, user, "its input %.64s is no layer of the model", ref->layer);
  int call = ref->call - l->first_call, index = (int)(l - u->model->layers);
  if (l->is_input) call = 0;
  if (call < 0 || call >= (l->is_input ? 1 : l->n_calls) || ref->output < 0)
    return th_keras_fail(r, user, "its input %.64s has no call number %d", ref->layer, ref->call);
  if (!u->out[index][call]) {
    u->waiting = true;
    return TH_OK;
  }
  if (ref->output >= u->n_out[index][call])
    return th_keras_fail(r, user, "its input %.64s has no output number %d", ref->layer, ref->output);
  *value = u->out[index][call][ref->output];
  return TH_OK;
}

static th_status add_arg(kr_reader *r, kr_call *c, int value, double number) {
  if (c->n_args == KR_MAX_ARGS) return th_keras_fail(r, c->layer, "it has more than %d inputs", KR_MAX_ARGS);
  c->arg[c->n_args++] = (kr_arg){value, number};
  return TH_OK;
}

static th_status add_ref(kr_reader *r, run *u, kr_call *c, const kr_ref *ref) {
  int value = 0;
  TH_TRY(lookup(r, u, c->layer, ref, &value));
  return add_arg(r, c, value, 0);
}

/* Keras 3: one argument: a tensor, a list of tensors, a number. */
static th_status take_arg(kr_reader *r, run *u, kr_call *c, const th_json *j, int depth) {
  kr_ref ref;
  const th_json *history = th_json_get(th_json_get(j, "config"), "keras_history");
  if (history) {
    if (!th_keras_take_ref(history, &ref))
      return th_keras_fail(r, c->layer, "an input has a history that names no layer");
    return add_ref(r, u, c, &ref);
  }
  if (th_json_is_number(j)) return add_arg(r, c, -1, th_json_number(j, 0));
  for (const th_json *i = th_json_is_array(j) && depth < 3 ? th_json_first(j) : NULL; i; i = th_json_next(i))
    TH_TRY(take_arg(r, u, c, i, depth + 1));
  return TH_OK;
}

static bool is_state(const th_json *value, const char *key) {
  return th_str_eq(key, "initial_state") && (th_json_is_array(value) || th_json_is_object(value));
}

/* Keras 2: other arguments of an input. Operations take their operands from them. */
static th_status take_keywords(kr_reader *r, run *u, kr_call *c, const th_json *keywords) {
  for (const th_json *i = th_json_first(keywords); i; i = th_json_next(i)) {
    kr_ref ref;
    if (is_state(i, th_json_key(i))) c->has_state = true;
    if (!c->layer->is_operation) continue;
    if (th_keras_take_ref(i, &ref))
      TH_TRY(add_ref(r, u, c, &ref));
    else if (th_json_is_number(i))
      TH_TRY(add_arg(r, c, -1, th_json_number(i, 0)));
  }
  return TH_OK;
}

static th_status take_listed(kr_reader *r, run *u, kr_call *c, const th_json *j) {
  kr_ref ref;
  if (!th_keras_take_ref(j, &ref)) return th_keras_fail(r, c->layer, "an input names no layer");
  if (th_str_eq(ref.layer, "_CONSTANT_VALUE")) {
    const th_json *constant = th_json_at(j, 2);
    TH_TRY(add_arg(r, c, -1, th_json_number(constant, 0)));
  } else {
    TH_TRY(add_ref(r, u, c, &ref));
  }
  return take_keywords(r, u, c, th_json_at(j, 3));
}

static th_status take_inputs(kr_reader *r, run *u, kr_call *c, const th_json *node) {
  kr_ref ref;
  if (th_json_is_object(node)) {
    const th_json *args = th_json_get(node, "args"), *keywords = th_json_get(node, "kwargs");
    for (const th_json *i = th_json_first(args); i; i = th_json_next(i)) TH_TRY(take_arg(r, u, c, i, 0));
    for (const th_json *i = th_json_first(keywords); i; i = th_json_next(i)) {
      if (is_state(i, th_json_key(i))) c->has_state = true;
      if (c->layer->is_operation || th_str_eq(th_json_key(i), "inputs")) TH_TRY(take_arg(r, u, c, i, 0));
    }
    return TH_OK;
  }
  if (th_keras_take_ref(node, &ref)) return take_listed(r, u, c, node);
  if (!th_json_is_array(node)) return th_keras_fail(r, c->layer, "a call of it is neither a list nor {args, kwargs}");
  for (const th_json *i = th_json_first(node); i; i = th_json_next(i)) TH_TRY(take_listed(r, u, c, i));
  return TH_OK;
}

static th_status run_model(kr_reader *r, kr_model *m, const int *in, int n_in, int *out, int *n_out);

static th_status perform(kr_reader *r, kr_call *c) {
  kr_layer *l = c->layer;
  if (++r->calls > KR_MAX_CALLS) return th_keras_fail(r, l, "the model has more than %d calls of layers", KR_MAX_CALLS);
  if (c->n_args < 1 || (c->arg[0].value < 0 && !l->is_operation)) return th_keras_fail(r, l, "it has no input");
  l->n_uses++;
  if (c->has_state) return th_keras_fail(r, l, "an initial state is not supported");
  if (!l->inner) return l->row->build(r, c, l->row->argument);
  int in[KR_MAX_ARGS];
  for (int i = 0; i < c->n_args; i++) in[i] = c->arg[i].value;
  return run_model(r, l->inner, in, c->n_args, c->out, &c->n_out);
}

static th_status keep(kr_reader *r, run *u, int layer, int call, const int *values, int n) {
  int *copy = TH_ARRAY(r->scratch, int, n);
  if (!copy) return TH_ERR_RESOURCE;
  memcpy(copy, values, sizeof *copy * (size_t)n);
  u->out[layer][call] = copy;
  u->n_out[layer][call] = n;
  return TH_OK;
}

static th_status try_call(kr_reader *r, run *u, int layer, int call, bool *done) {
  kr_layer *l = &u->model->layers[layer];
  kr_call *c = TH_NEW(r->scratch, kr_call);
  if (!c) return TH_ERR_RESOURCE;
  c->layer = l;
  u->waiting = false;
  TH_TRY(take_inputs(r, u, c, l->call[call]));
  if (u->waiting) return TH_OK;
  TH_TRY(perform(r, c));
  *done = true;
  return keep(r, u, layer, call, c->out, c->n_out);
}

/* --- running a model --- */

static th_status make_run(kr_reader *r, kr_model *m, run *u) {
  *u = (run){
      .model = m, .out = TH_ARRAY(r->scratch, int **, m->n_layers), .n_out = TH_ARRAY(r->scratch, int *, m->n_layers)};
  if (!u->out || !u->n_out) return TH_ERR_RESOURCE;
  for (int i = 0; i < m->n_layers; i++) {
    u->out[i] = TH_ARRAY(r->scratch, int *, m->layers[i].n_calls + 1);
    u->n_out[i] = TH_ARRAY(r->scratch, int, m->layers[i].n_calls + 1);
    if (!u->out[i] || !u->n_out[i]) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

static th_status unresolved(kr_reader *r, const run *u) {
  for (int i = 0; i < u->model->n_layers; i++)
    for (int k = 0; k < u->model->layers[i].n_calls; k++)
      if (!u->out[i][k])
        return th_keras_fail(r, &u->model->layers[i], "its inputs can never be known: the model has a loop");
  return TH_OK;
}

static th_status run_functional(kr_reader *r, kr_model *m, const int *in, int *out, int *n_out) {
  run u;
  bool done = true;
  kr_layer none = {.name = m->name, .class_name = "model"};
  TH_TRY(make_run(r, m, &u));
  for (int i = 0; i < m->n_inputs; i++) {
    const kr_layer *l = th_keras_find_layer(m, m->inputs[i].layer);
    if (!l || !l->is_input)
      return th_fail(TH_ERR_INPUT, "%s: input %.64s of model %.64s is no InputLayer", r->what, m->inputs[i].layer,
                     m->name);
    TH_TRY(keep(r, &u, (int)(l - m->layers), 0, &in[i], 1));
  }
  while (done) { /* in the order of the layers, as often as something new becomes known */
    done = false;
    for (int i = 0; i < m->n_layers; i++)
      for (int k = 0; k < m->layers[i].n_calls; k++)
        if (!m->layers[i].is_input && !u.out[i][k]) TH_TRY(try_call(r, &u, i, k, &done));
  }
  TH_TRY(unresolved(r, &u));
  u.waiting = false;
  for (int i = 0; i < m->n_outputs; i++) TH_TRY(lookup(r, &u, &none, &m->outputs[i], &out[i]));
  if (u.waiting) return th_keras_fail(r, &none, "an output is an input that is not fed");
  *n_out = m->n_outputs;
  return TH_OK;
}

static th_status run_sequential(kr_reader *r, kr_model *m, int value, int *out, int *n_out) {
  for (int i = 0; i < m->n_layers; i++) {
    kr_call *c = m->layers[i].is_input ? NULL : TH_NEW(r->scratch, kr_call);
    if (m->layers[i].is_input) continue;
    if (!c) return TH_ERR_RESOURCE;
    c->layer = &m->layers[i];
    TH_TRY(add_arg(r, c, value, 0));
    TH_TRY(perform(r, c));
    if (c->n_out != 1) return th_keras_fail(r, c->layer, "it has %d outputs, expected 1 in a Sequential", c->n_out);
    value = c->out[0];
  }
  *out = value;
  *n_out = 1;
  return TH_OK;
}

static th_status run_model(kr_reader *r, kr_model *m, const int *in, int n_in, int *out, int *n_out) {
  int expected = m->sequential ? 1 : m->n_inputs;
  if (n_in != expected)
    return th_fail(TH_ERR_INPUT, "%s: model %.64s has %d inputs, %d are given", r->what, m->name, expected, n_in);
  if (!m->sequential && m->n_outputs > KR_MAX_ARGS && m->self)
    return th_fail(TH_ERR_INPUT, "%s: model %.64s has more than %d outputs", r->what, m->name, KR_MAX_ARGS);
  return m->sequential ? run_sequential(r, m, in[0], out, n_out) : run_functional(r, m, in, out, n_out);
}

/* --- the whole file's model --- */

static th_status input_shape(kr_reader *r, const kr_layer *l, const th_json *dims, th_shape *shape) {
  int rank = th_json_count(dims);
  if (rank < 2 || rank > 5)
    return th_keras_fail(r, l, "its input has %d dimensions with the batch, expected 2 to 5", rank);
  *shape = (th_shape){.rank = rank};
  shape->dim[0] = 1;
  for (int i = 1; i < rank; i++) {
    double d = th_json_number(th_json_at(dims, i), -1);
    if (d == -1)
      return th_keras_fail(r, l, "dimension %d of its input is not fixed (None); save the model with a fixed size", i);
    if (!(d >= 1 && d <= 1 << 24)) return th_keras_fail(r, l, "dimension %d of its input is %g", i, d);
    shape->dim[i] = (int32_t)d;
  }
  return TH_OK;
}

/* Where versions keep the shape of an input, the batch first. */
static const th_json *find_dims(const th_json *config) {
  const th_json *dims = th_json_get(config, "batch_shape");
  if (!dims) dims = th_json_get(config, "batch_input_shape");
  return dims;
}

static th_status add_input(kr_reader *r, const kr_layer *l, const th_json *dims, int *value) {
  th_shape shape;
  int tensor;
  TH_TRY(input_shape(r, l, dims, &shape));
  int64_t elems = 1;
  for (int i = 0; i < shape.rank; i++) elems = elems > 1 << 28 ? elems : elems * shape.dim[i];
  if (elems > 1 << 28) return th_keras_fail(r, l, "its input has too many values");
  const char *name = th_keras_clean(r, l->name);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_tensor(r->g, name, TH_DTYPE_F32, &shape, &tensor));
  return th_keras_value(r, &shape, tensor, shape.rank == 4 ? tensor : -1, value);
}

static th_status sequential_input(kr_reader *r, const kr_model *m, int *value) {
  const kr_layer *l = &m->layers[0];
  const th_json *dims = find_dims(l->config);
  if (!dims) dims = th_json_get(m->config, "build_input_shape");
  if (!dims && l->inner) dims = find_dims(l->inner->layers[0].config);
  if (!dims)
    return th_fail(TH_ERR_INPUT, "%s: model %.64s does not say the shape of its input; give it an Input layer", r->what,
                   m->name);
  kr_layer input = *l;
  if (!l->is_input) input.name = "input";
  return add_input(r, &input, dims, value);
}

static th_status make_inputs(kr_reader *r, const kr_model *m, int *values, int *n) {
  if (m->sequential) {
    *n = 1;
    return sequential_input(r, m, &values[0]);
  }
  *n = m->n_inputs;
  for (int i = 0; i < m->n_inputs; i++) {
    const kr_layer *l = th_keras_find_layer(m, m->inputs[i].layer);
    if (!l || !l->is_input)
      return th_fail(TH_ERR_INPUT, "%s: input %.64s is no InputLayer", r->what, m->inputs[i].layer);
    TH_TRY(add_input(r, l, find_dims(l->config), &values[i]));
  }
  return TH_OK;
}

/* Forms of values that nobody came to need. */
static th_status drop_unused(kr_reader *r) {
  for (int i = r->g->n_nodes - 1; i >= 0; i--) {
    const th_node *n = &r->g->nodes[i];
    if (!n->dead && !th_graph_uses(r->g, n->out[0])) th_graph_remove_node(r->g, i);
  }
  return th_graph_compact(r->g);
}

static th_status build(kr_reader *r, const th_json *root) {
  const char *class_name = th_json_string(th_json_get(root, "class_name"), "");
  int in[KR_MAX_PORTS], out[KR_MAX_PORTS], n_in = 0, n_out = 0;
  kr_model *m;
  if (!th_keras_is_model(class_name))
    return th_fail(TH_ERR_INPUT,
                   "%s: the model is of class '%.64s', expected Sequential or Functional: a class of one's own holds "
                   "Python code, which cannot be run here",
                   r->what, class_name);
  TH_TRY(th_keras_take_model(r, NULL, class_name, th_json_get(root, "config"), 0, &m));
  TH_TRY(counting_all(r, m));
  const char *name = th_keras_clean(r, m->name);
  if (!name) return TH_ERR_RESOURCE;
  if (strlen(name) >= MAX_NAME) name = "model";
  TH_TRY(th_graph_create(&r->g, name));
  TH_TRY(make_inputs(r, m, in, &n_in));
  for (int i = 0; i < n_in; i++) TH_TRY(th_keras_tensor(r, in[i], &out[i]));
  TH_TRY(th_graph_set_inputs(r->g, out, n_in));
  TH_TRY(run_model(r, m, in, n_in, out, &n_out));
  for (int i = 0; i < n_out; i++) TH_TRY(th_keras_tensor(r, out[i], &out[i]));
  if (r->g->n_nodes == 0) return th_fail(TH_ERR_INPUT, "%s: the model does nothing", r->what);
  TH_TRY(th_graph_set_outputs(r->g, out, n_out));
  TH_TRY(drop_unused(r));
  th_status status = th_graph_verify(r->g);
  return status == TH_OK ? TH_OK : th_fail_in(status, "%s", r->what);
}

th_status th_keras_read_config(const th_json *root, const kr_source *source, const char *what, th_graph **graph) {
  kr_reader r = {.what = what, .source = *source, .scratch = th_arena_create()};
  if (!r.scratch) return TH_ERR_RESOURCE;
  *graph = NULL;
  th_status status = build(&r, root);
  th_arena_destroy(r.scratch);
  if (status == TH_OK)
    *graph = r.g;
  else
    th_graph_destroy(r.g);
  return status;
}
