/* The config of a Keras model taken apart: which layers it has, of which class, and where calls of them are described.
 * Everything that is a list in the file gets its limit here. See keras_internal.h. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { MAX_LAYERS = 2048, MAX_DEPTH = 8, MAX_NAME = 128 };

/* --- references --- */

bool th_keras_take_ref(const th_json *j, kr_ref *ref) {
  const th_json *name = th_json_at(j, 0), *call = th_json_at(j, 1), *output = th_json_at(j, 2);
  if (!th_json_is_string(name) || !th_json_is_number(call) || !th_json_is_number(output)) return false;
  double a = th_json_number(call, -1), b = th_json_number(output, -1);
  *ref = (kr_ref){th_json_string(name, ""), a >= 0 && a < KR_MAX_CALLS ? (int)a : -1, b >= 0 && b < 1000 ? (int)b : -1};
  return true;
}

/* All references in a structure of lists and named members, in order. */
static th_status take_refs(kr_reader *r, const char *what, const th_json *j, int depth, kr_ref *refs, int *n) {
  if (*n < KR_MAX_PORTS && th_keras_take_ref(j, &refs[*n])) {
    ++*n;
    return TH_OK;
  }
  if (*n >= KR_MAX_PORTS) return th_fail(TH_ERR_INPUT, "%s: %s has more than %d entries", r->what, what, KR_MAX_PORTS);
  if (depth > 4 || (!th_json_is_array(j) && !th_json_is_object(j)))
    return th_fail(TH_ERR_INPUT, "%s: %s of the config does not name layers", r->what, what);
  for (const th_json *i = th_json_first(j); i; i = th_json_next(i)) TH_TRY(take_refs(r, what, i, depth + 1, refs, n));
  return TH_OK;
}

static th_status model_refs(kr_reader *r, const kr_model *m, const char *key, kr_ref **refs, int *n) {
  *refs = TH_ARRAY(r->scratch, kr_ref, KR_MAX_PORTS);
  if (!*refs) return TH_ERR_RESOURCE;
  TH_TRY(take_refs(r, key, th_json_get(m->config, key), 0, *refs, n));
  if (*n > 0) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: model %.64s has no %s", r->what, m->name, key);
}

/* --- layers --- */

bool th_keras_is_model(const char *name) {
  return th_str_eq(name, "Sequential") || th_str_eq(name, "Functional") || th_str_eq(name, "Model");
}

/* "Conv2DTranspose" to "conv2d_transpose": an underscore before a capital that begins a lower-case word, and between a
 * small letter and a capital. */
static void snake_case(const char *name, char *out, size_t size) {
  size_t n = 0;
  for (size_t i = 0; name[i] && n + 3 < size; i++) {
    bool upper = name[i] >= 'A' && name[i] <= 'Z';
    bool lower_next = name[i + 1] >= 'a' && name[i + 1] <= 'z';
    bool after_lower = i && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if (!upper && !(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_')
      continue;
    if (upper && i && n && out[n - 1] != '_' && (lower_next || after_lower)) out[n++] = '_';
    out[n++] = upper ? (char)(name[i] + 32) : name[i];
  }
  out[n] = 0;
}

/* The name under which .keras keeps a layer's weights: its class in snake case, numbered from the second one on. */
static th_status settle_store(kr_reader *r, kr_model *m, int index) {
  kr_layer *l = &m->layers[index];
  char stem[MAX_NAME];
  int before = 0;
  for (int i = 0; i < index; i++)
    before += !m->layers[i].is_operation && th_str_eq(m->layers[i].class_name, l->class_name);
  snake_case(l->class_name, stem, sizeof stem);
  const char *parent = m->self ? m->self->store : "", *slash = m->self ? "/" : "";
  l->store = before ? th_arena_printf(r->scratch, "%s%slayers/%s_%d", parent, slash, stem, before)
                    : th_arena_printf(r->scratch, "%s%slayers/%s", parent, slash, stem);
  return l->store ? TH_OK : TH_ERR_RESOURCE;
}

static th_status take_calls(kr_reader *r, kr_layer *l, const th_json *nodes) {
  int n = th_json_count(nodes);
  if (n > KR_MAX_CALLS) return th_keras_fail(r, l, "it is called %d times", n);
  l->call = TH_ARRAY(r->scratch, const th_json *, n);
  if (!l->call) return TH_ERR_RESOURCE;
  for (const th_json *i = th_json_first(nodes); i; i = th_json_next(i)) l->call[l->n_calls++] = i;
  return TH_OK;
}

static th_status check_policy(kr_reader *r, const kr_layer *l) {
  const th_json *dtype = th_json_get(l->config, "dtype");
  const char *name = th_json_string(dtype, NULL);
  if (!name) name = th_json_string(th_json_get(th_json_get(dtype, "config"), "name"), "float32");
  if (l->is_input || strstr(name, "float32") || strstr(name, "float16")) return TH_OK; /* mixed_float16, bfloat16 */
  if (strstr(name, "float64") || th_json_get(th_json_get(dtype, "config"), "source_name") == NULL) return TH_OK;
  return th_keras_fail(r, l, "its dtype policy is %.40s; only float weights are supported", name);
}

/* An operation of keras.ops bears the name of its class, as a layer does; its config has nothing but a name. */
static bool is_operation(const th_json *entry, const char *class_name) {
  const char *module = th_json_string(th_json_get(entry, "module"), NULL);
  if (th_str_eq(class_name, "TFOpLambda")) return true;
  if (module) return strstr(module, ".ops") != NULL;
  return th_keras_is_operation(class_name) && !th_json_get(th_json_get(entry, "config"), "trainable");
}

static th_status take_layer(kr_reader *r, kr_model *m, const th_json *entry, int index, int depth) {
  kr_layer *l = &m->layers[index];
  l->parent = m;
  l->config = th_json_get(entry, "config");
  l->class_name = th_json_string(th_json_get(entry, "class_name"), NULL);
  l->name = th_json_string(th_json_get(entry, "name"), NULL);
  if (!l->name) l->name = th_json_string(th_json_get(l->config, "name"), l->class_name);
  if (!l->class_name || !l->name || strlen(l->class_name) >= MAX_NAME)
    return th_fail(TH_ERR_INPUT, "%s: layer %d of the config has no class_name", r->what, index);
  if (strlen(l->name) >= MAX_NAME)
    return th_fail(TH_ERR_INPUT, "%s: the name of layer %d is longer than %d", r->what, index, MAX_NAME - 1);
  for (int i = 0; i < index; i++)
    if (th_str_eq(m->layers[i].name, l->name)) return th_keras_fail(r, l, "another layer has the same name");
  l->is_operation = is_operation(entry, l->class_name);
  l->is_input = th_str_eq(l->class_name, "InputLayer");
  TH_TRY(settle_store(r, m, index));
  TH_TRY(take_calls(r, l, th_json_get(entry, "inbound_nodes")));
  TH_TRY(check_policy(r, l));
  if (l->is_input) return TH_OK;
  if (th_keras_is_model(l->class_name))
    return th_keras_take_model(r, l, l->class_name, l->config, depth + 1, &l->inner);
  l->row = l->is_operation ? th_keras_operation_row() : th_keras_row(l->class_name);
  if (l->row) return TH_OK;
  if (th_str_eq(l->class_name, "Lambda"))
    return th_keras_fail(r, l, "it holds Python code, which cannot be run here; replace it by layers of Keras");
  return th_keras_fail(r, l, "layers of this class are not supported");
}

kr_layer *th_keras_find_layer(const kr_model *m, const char *name) {
  for (int i = 0; i < m->n_layers; i++)
    if (th_str_eq(m->layers[i].name, name)) return &m->layers[i];
  return NULL;
}

th_status th_keras_take_model(kr_reader *r, kr_layer *self, const char *class_name, const th_json *config, int depth,
                              kr_model **model) {
  const th_json *list = th_json_is_array(config) ? config : th_json_get(config, "layers"); /* Keras before 2.2.3 */
  int n = th_json_count(list);
  kr_model *m = TH_NEW(r->scratch, kr_model);
  if (!m) return TH_ERR_RESOURCE;
  m->self = self;
  m->name = self ? self->name : th_json_string(th_json_get(config, "name"), "model");
  m->config = config;
  m->sequential = th_str_eq(class_name, "Sequential");
  if (depth > MAX_DEPTH) return th_fail(TH_ERR_INPUT, "%s: models are nested deeper than %d", r->what, MAX_DEPTH);
  if (n < 1 || n > MAX_LAYERS)
    return th_fail(TH_ERR_INPUT, "%s: model %.64s has %d layers, expected 1 to %d", r->what, m->name, n, MAX_LAYERS);
  m->layers = TH_ARRAY(r->scratch, kr_layer, n);
  if (!m->layers) return TH_ERR_RESOURCE;
  for (const th_json *i = th_json_first(list); i; i = th_json_next(i))
    TH_TRY(take_layer(r, m, i, m->n_layers++, depth));
  *model = m;
  if (m->sequential) return TH_OK;
  TH_TRY(model_refs(r, m, "input_layers", &m->inputs, &m->n_inputs));
  return model_refs(r, m, "output_layers", &m->outputs, &m->n_outputs);
}
