/* Training options and constraints from settings. See training.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/training.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/spec.h"
#include "lib/data.h"
#include "lib/model.h"
#include "op/op.h"
#include "train/teacher.h"

static th_status prepare_augment(const th_settings *s, const th_data *data, th_training *training) {
  const char *text = th_settings_text(s, "augment");
  if (th_str_eq(text, "none")) return TH_OK;
  if (!*text) {
    training->options.augment = data ? data->set->augment : NULL;
    return TH_OK;
  }
  th_arena *arena = th_arena_create();
  char *words = arena ? th_arena_printf(arena, "-,augment=%s", text) : NULL;
  th_data_spec spec;
  th_status status = words ? th_data_spec_parse(arena, words, 0, &spec) : TH_ERR_RESOURCE;
  if (status == TH_OK) {
    training->augment = spec.augment;
    training->options.augment = &training->augment;
  }
  th_arena_destroy(arena);
  return status;
}

bool th_is_own_teacher(const char *name) {
  return th_str_eq(name, "self") || th_str_eq(name, "before");
}

bool th_teaches_itself(const th_settings *s) {
  if (!th_settings_has(s, "teacher")) return false;
  const char *list = th_settings_text(s, "teacher");
  return th_str_in_list(list, "self") || th_str_in_list(list, "before");
}

bool th_stage_trains(const th_settings *s) {
  return th_settings_stage(s) != TH_STAGE_QUANTIZE || th_settings_choice(s, "method") == 1;
}

static th_status open_file(const char *path, th_model **teacher) {
  *teacher = NULL;
  if (!th_file_exists(path)) return th_fail(TH_ERR_INPUT, "teacher %s does not exist", path);
  TH_TRY(th_model_open(path, teacher));
  th_status status = th_model_need_graph(*teacher, "a teacher");
  if (status == TH_OK) status = th_model_need_trained(*teacher, "a teacher");
  if (status == TH_OK) return TH_OK;
  th_model_close(*teacher);
  *teacher = NULL;
  return status;
}

static th_status open_teacher(const char *name, const th_own_teachers *own, th_model **teacher) {
  if (!th_is_own_teacher(name)) return open_file(name, teacher);
  th_graph *copy;
  TH_TRY(th_graph_clone(th_str_eq(name, "self") ? own->self : own->before, &copy));
  return th_model_from_graph(copy, "thim", teacher);
}

static th_status prepare_teachers(const th_settings *s, const th_own_teachers *own, th_training *training) {
  const char *list = th_settings_text(s, "teacher"), *part;
  char name[TH_LONGEST_PATH];
  size_t n;
  int count = 0;
  while ((part = th_str_part(&list, &n)) != NULL) {
    if (count == TH_MOST_TEACHERS || n >= sizeof name)
      return th_fail(TH_ERR_USAGE, "teacher: at most %d files, each named in fewer than %d characters",
                     TH_MOST_TEACHERS, TH_LONGEST_PATH);
    memcpy(name, part, n);
    name[n] = '\0';
    TH_TRY(open_teacher(name, own, &training->teacher[count]));
    training->options.teacher[count] = training->teacher[count]->graph;
    training->options.teachers = ++count;
  }
  training->options.temperature = (float)th_settings_number(s, "temperature");
  training->options.alpha = (float)th_settings_number(s, "alpha");
  training->options.match = (th_match_kind)th_settings_choice(s, "match");
  training->options.match_weight = (float)th_settings_number(s, "match-weight");
  return TH_OK;
}

th_status th_training_prepare(const th_settings *s, const th_data *data, const th_own_teachers *own,
                              const th_context *ctx, th_training *training) {
  memset(training, 0, sizeof *training);
  th_train_options *o = &training->options;
  th_train_defaults(o);
  o->ctx = ctx;
  o->stage = th_stage_name((int)th_settings_stage(s));
  o->epochs = (int)th_settings_number(s, "epochs");
  o->batch = (int)th_settings_number(s, "batch");
  o->optimizer = (th_optimizer_id)th_settings_choice(s, "optimizer");
  o->lr = (float)th_settings_number(s, "lr");
  o->momentum = (float)th_settings_number(s, "momentum");
  o->nesterov = th_settings_flag(s, "nesterov");
  o->weight_decay = (float)th_settings_number(s, "weight-decay");
  o->schedule = (th_schedule_id)th_settings_choice(s, "lr-schedule");
  o->warmup = (float)th_settings_number(s, "warmup");
  o->step_epochs = (int)th_settings_number(s, "step-epochs");
  o->step_factor = (float)th_settings_number(s, "step-factor");
  o->label_smoothing = (float)th_settings_number(s, "label-smoothing");
  o->ema = th_settings_has(s, "ema") ? (float)th_settings_number(s, "ema") : 0;
  o->keep_best = th_settings_flag(s, "keep-best");
  o->seed = (uint64_t)th_settings_number(s, "seed");
  if (th_settings_has(s, "checkpoint")) {
    o->checkpoint = *th_settings_text(s, "checkpoint") ? th_settings_text(s, "checkpoint") : NULL;
    o->resume = th_settings_flag(s, "resume");
    o->settings = th_settings_hash(s);
  }
  th_status status = prepare_augment(s, data, training);
  if (status == TH_OK) status = prepare_teachers(s, own, training);
  if (status != TH_OK) th_training_free(training);
  return status;
}

void th_training_free(th_training *training) {
  for (int i = 0; i < TH_MOST_TEACHERS; i++) {
    th_model_close(training->teacher[i]);
    training->teacher[i] = NULL;
  }
}

/* --- before any work --- */

/* Teachers must answer the same question. */
static th_status check_teachers(const th_train_options *o, const th_model *student) {
  const th_port in = th_model_input(student, 0), out = th_model_output(student, 0);
  for (int i = 0; i < o->teachers; i++)
    TH_TRY(th_teacher_check(o->teacher[i], th_model_port_elems(&in), (int)th_model_port_elems(&out)));
  return TH_OK;
}

/* A sweep without epochs only tries. */
static bool fits(const th_settings *s) {
  return th_stage_trains(s) && (th_settings_stage(s) != TH_STAGE_SWEEP || th_settings_number(s, "epochs") > 0);
}

th_status th_training_check(const th_settings *s, const th_model *student, bool same_shapes) {
  if (!th_settings_has(s, "teacher")) return TH_OK;
  const th_own_teachers own = {.self = student->graph, .before = student->graph};
  th_training training;
  th_match match;
  TH_TRY(th_training_prepare(s, NULL, &own, NULL, &training));
  th_status status = check_teachers(&training.options, student);
  if (status == TH_OK && training.options.match && fits(s))
    status = th_train_match(&training.options, same_shapes ? student->graph : NULL, &match);
  th_training_free(&training);
  return status;
}

/* --- weights --- */

static bool listed(const th_weight *list, int n, int tensor) {
  for (int i = 0; i < n; i++)
    if (list[i].tensor == tensor) return true;
  return false;
}

th_status th_weights_list(const th_graph *g, th_weight *list, int *count) {
  int n = 0;
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *node = &g->nodes[i];
    int input = th_op_weight_input(node->op);
    const th_tensor *t = node->dead || input < 0 ? NULL : th_node_in(g, node, input);
    if (!t || !t->data || t->dtype != TH_DTYPE_F32 || listed(list, n, node->in[input])) continue;
    if (n == TH_MAX_WEIGHTS)
      return th_fail(TH_ERR_INPUT, "graph %s has more than %d layers with weights", g->name, TH_MAX_WEIGHTS);
    th_weight w = {.node = i, .tensor = node->in[input], .axis = th_op_weight_axis(node->op)};
    w.is_depthwise = node->op == TH_OP_DEPTHWISE_CONV2D;
    w.is_dense = node->op == TH_OP_FULLY_CONNECTED;
    w.elems = th_shape_elems(&t->shape);
    int64_t zeros = 0;
    for (int64_t k = 0; k < w.elems; k++) zeros += ((const float *)t->data)[k] == 0;
    w.sparsity = w.elems ? (double)zeros / (double)w.elems : 0;
    w.is_pruned = th_op_is_pruned(zeros, w.elems);
    list[n++] = w;
  }
  *count = n;
  return TH_OK;
}

/* Channel of element i along `axis`. */
static int channel_of(const th_shape *shape, int axis, int64_t i) {
  int64_t inner = 1;
  for (int d = axis + 1; d < shape->rank; d++) inner *= shape->dim[d];
  return (int)(i / inner % shape->dim[axis]);
}

int th_weight_levels(const th_tensor *t) {
  bool seen[256] = {false};
  int n = 0;
  if (!t->quant.count) return 0;
  int64_t elems = th_shape_elems(&t->shape);
  for (int64_t i = 0; i < elems; i++) {
    int c = t->quant.axis >= 0 ? channel_of(&t->shape, t->quant.axis, i) : 0;
    float level = roundf(((const float *)t->data)[i] / t->quant.scale[c]);
    if (!(level >= -128 && level <= 127)) return 0;
    int k = (int)level + 128;
    n += !seen[k];
    seen[k] = true;
  }
  return n;
}

th_status th_constrain_zeros(const th_graph *g, const th_weight *w, th_constraints *cs) {
  if (!w->is_pruned) return TH_OK;
  th_constraint *mask;
  th_mask_options o = {.sparsity = -1, .granularity = TH_GRANULARITY_ELEMENT};
  TH_TRY(th_mask_create(&o, w->elems, &g->tensors[w->tensor].shape, &mask));
  return th_constraints_add(cs, w->tensor, mask);
}
