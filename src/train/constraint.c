/* Stacks of constraints, one per weight tensor, and the grids on activations.
 *
 * A stack remembers what each of its levels but the first saw in the last projection, since backward needs it. Levels
 * are ticked for all tensors before any is projected: a mask with global scope looks at all its members at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/constraint.h"

#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"

#define MAX_DEPTH 4

typedef struct stack {
  th_constraint *level[MAX_DEPTH];
  float *mid[MAX_DEPTH]; /* mid[k]: what level k saw, k >= 1 */
  int depth;
  int64_t elems;
} stack;

struct th_constraints {
  th_arena *arena;
  const th_graph *graph;
  int n_tensors;
  stack *stacks;         /* by tensor */
  th_constraint **grids; /* by tensor: activations */
  float **finished;      /* by tensor: final values */
};

static void destroy(th_constraint *c) {
  if (c) c->cls->destroy(c);
}

static th_status no_memory(void) {
  return th_error_status() ? th_error_status() : th_fail(TH_ERR_RESOURCE, "out of memory for the weight constraints");
}

th_status th_constraints_create(const th_graph *graph, th_constraints **cs) {
  *cs = NULL;
  th_arena *arena = th_arena_create();
  th_constraints *made = arena ? TH_NEW(arena, th_constraints) : NULL;
  int n = graph->n_tensors;
  if (made) {
    *made = (th_constraints){.arena = arena,
                             .graph = graph,
                             .n_tensors = n,
                             .stacks = TH_ARRAY(arena, stack, n),
                             .grids = TH_ARRAY(arena, th_constraint *, n),
                             .finished = TH_ARRAY(arena, float *, n)};
  }
  if (!made || !made->stacks || !made->grids || !made->finished) {
    th_arena_destroy(arena);
    return no_memory();
  }
  *cs = made;
  return TH_OK;
}

void th_constraints_destroy(th_constraints *cs) {
  if (!cs) return;
  for (int t = 0; t < cs->n_tensors; t++) {
    for (int k = 0; k < cs->stacks[t].depth; k++) destroy(cs->stacks[t].level[k]);
    destroy(cs->grids[t]);
  }
  th_arena_destroy(cs->arena);
}

static th_status push(th_constraints *cs, int tensor, th_constraint *c) {
  if (tensor < 0 || tensor >= cs->n_tensors || !cs->graph->tensors[tensor].data)
    return th_fail(TH_ERR_USAGE, "constraint %s: tensor %d is not a constant of graph %s", c->cls->name, tensor,
                   cs->graph->name);
  const th_tensor *t = &cs->graph->tensors[tensor];
  if (t->dtype != TH_DTYPE_F32)
    return th_fail(TH_ERR_INPUT, "constraint %s: tensor %s is %s, expected f32", c->cls->name, t->name,
                   th_dtype_name(t->dtype));
  stack *s = &cs->stacks[tensor];
  s->elems = th_shape_elems(&t->shape);
  if (s->depth == MAX_DEPTH)
    return th_fail(TH_ERR_USAGE, "constraint %s: tensor %s has %d constraints already", c->cls->name, t->name,
                   MAX_DEPTH);
  if (s->depth > 0 && !(s->mid[s->depth] = TH_ARRAY(cs->arena, float, s->elems))) return no_memory();
  s->level[s->depth++] = c;
  return TH_OK;
}

th_status th_constraints_add(th_constraints *cs, int tensor, th_constraint *c) {
  th_status status = push(cs, tensor, c);
  if (status != TH_OK) destroy(c);
  return status;
}

int th_constraints_depth(const th_constraints *cs, int tensor) {
  return tensor >= 0 && tensor < cs->n_tensors ? cs->stacks[tensor].depth : 0;
}

th_constraint *th_constraints_get(const th_constraints *cs, int tensor, int level) {
  return level >= 0 && level < th_constraints_depth(cs, tensor) ? cs->stacks[tensor].level[level] : NULL;
}

th_status th_constraints_add_activation(th_constraints *cs, int tensor, th_constraint *c) {
  bool fits =
      tensor >= 0 && tensor < cs->n_tensors && !cs->graph->tensors[tensor].data && c->cls == &th_constraint_grid;
  if (fits && !cs->grids[tensor]) {
    cs->grids[tensor] = c;
    return TH_OK;
  }
  destroy(c);
  return th_fail(TH_ERR_USAGE, "tensor %d of graph %s: expected an activation without a grid, and a grid for it",
                 tensor, cs->graph->name);
}

th_constraint *th_constraints_activation(const th_constraints *cs, int tensor) {
  return tensor >= 0 && tensor < cs->n_tensors ? cs->grids[tensor] : NULL;
}

/* --- one step --- */

typedef struct projection {
  th_constraints *cs;
  float *const *in, *const *values;
  int level;
} projection;

static const float *level_input(const stack *s, int level, const float *shadow) {
  return level == 0 ? shadow : s->mid[level];
}

static th_status project_tensor(void *arg, int t, int thread) {
  const projection *p = arg;
  stack *s = &p->cs->stacks[t];
  int k = p->level;
  (void)thread;
  if (k >= s->depth || !p->in[t]) return TH_OK;
  float *out = k + 1 < s->depth ? s->mid[k + 1] : p->values[t];
  s->level[k]->cls->project(s->level[k], level_input(s, k, p->in[t]), out, s->elems);
  return TH_OK;
}

static th_status project_level(th_constraints *cs, float *const *in, float *const *values, int level) {
  projection p = {cs, in, values, level};
  return th_parallel_for(cs->n_tensors, project_tensor, &p);
}

static int deepest(const th_constraints *cs) {
  int most = 0;
  for (int t = 0; t < cs->n_tensors; t++) most = cs->stacks[t].depth > most ? cs->stacks[t].depth : most;
  return most;
}

th_status th_constraints_tick(th_constraints *cs, float *const *in, float *const *values, float *const *grad,
                              const th_tick *tick) {
  for (int k = 0, n = deepest(cs); k < n; k++) {
    for (int t = 0; t < cs->n_tensors; t++) {
      stack *s = &cs->stacks[t];
      if (k >= s->depth || !in[t]) continue;
      th_tick mine = *tick;
      mine.grad = grad ? grad[t] : NULL;
      TH_TRY(s->level[k]->cls->tick(s->level[k], level_input(s, k, in[t]), s->elems, &mine));
    }
    TH_TRY(project_level(cs, in, values, k));
  }
  for (int t = 0; t < cs->n_tensors; t++)
    if (cs->grids[t]) TH_TRY(cs->grids[t]->cls->tick(cs->grids[t], NULL, 0, tick));
  return TH_OK;
}

th_status th_constraints_project(th_constraints *cs, float *const *in, float *const *values) {
  for (int k = 0, n = deepest(cs); k < n; k++) TH_TRY(project_level(cs, in, values, k));
  return TH_OK;
}

void th_constraints_backward(th_constraints *cs, int tensor, const float *in, float *grad) {
  stack *s = &cs->stacks[tensor];
  for (int k = s->depth - 1; k >= 0; k--)
    s->level[k]->cls->backward(s->level[k], level_input(s, k, in), grad, grad, s->elems);
}

/* --- everything of the set --- */

typedef void visit_fn(th_constraint *c, void *arg);

static void for_each(const th_constraints *cs, visit_fn *visit, void *arg) {
  for (int t = 0; t < cs->n_tensors; t++) {
    for (int k = 0; k < cs->stacks[t].depth; k++) visit(cs->stacks[t].level[k], arg);
    if (cs->grids[t]) visit(cs->grids[t], arg);
  }
}

static void update_one(th_constraint *c, void *arg) {
  if (c->cls->update) c->cls->update(c, arg);
}

void th_constraints_update(th_constraints *cs, const th_optimizer *o) {
  th_optimizer copy = *o;
  for_each(cs, update_one, &copy);
}

static void settled_one(th_constraint *c, void *arg) {
  if (c->cls->settled && !c->cls->settled(c)) *(bool *)arg = false;
}

bool th_constraints_settled(const th_constraints *cs) {
  bool all = true;
  for_each(cs, settled_one, &all);
  return all;
}

static void save_one(th_constraint *c, void *arg) {
  c->cls->save(c, arg);
}

void th_constraints_save(const th_constraints *cs, th_buf *b) {
  for_each(cs, save_one, b);
}

static void load_one(th_constraint *c, void *arg) {
  if (!((th_reader *)arg)->failed) (void)c->cls->load(c, arg);
}

th_status th_constraints_load(th_constraints *cs, th_reader *r) {
  for_each(cs, load_one, r);
  return th_reader_status(r);
}

void th_constraints_describe(const th_constraints *cs, th_buf *text) {
  for (int t = 0; t < cs->n_tensors; t++) {
    const stack *s = &cs->stacks[t];
    if (!s->depth && !cs->grids[t]) continue;
    th_buf_printf(text, "%s:", cs->graph->tensors[t].name);
    for (int k = 0; k < s->depth; k++) th_buf_printf(text, " %s", s->level[k]->cls->name);
    th_buf_printf(text, "%s\n", cs->grids[t] ? " activation" : "");
  }
}

void th_constraints_finish(th_constraints *cs, int tensor, const float *in, float *out) {
  stack *s = &cs->stacks[tensor];
  for (int k = 0; k < s->depth; k++) {
    float *to = k + 1 < s->depth ? s->mid[k + 1] : out;
    s->level[k]->cls->finish(s->level[k], level_input(s, k, in), to, s->elems);
  }
  cs->finished[tensor] = out;
}

/* The grid of the highest level that has one: what comes above a grid keeps to it. */
static th_status attach_weights(const th_constraints *cs, int t, th_graph *g) {
  const stack *s = &cs->stacks[t];
  if (!cs->finished[t]) return TH_OK;
  th_shape shape = g->tensors[t].shape;
  TH_TRY(th_graph_set_data(g, t, TH_DTYPE_F32, &shape, cs->finished[t]));
  g->tensors[t].quant = (th_quant){0};
  const float *scale = NULL;
  int axis = -1, count = 0;
  for (int k = 0; k < s->depth; k++) {
    const th_constraint_class *cls = s->level[k]->cls;
    int n = cls->scales ? cls->scales(s->level[k], &scale, &axis) : 0;
    count = n ? n : count;
  }
  if (!count) return TH_OK;
  int32_t *zero = TH_ARRAY(cs->arena, int32_t, count);
  return zero ? th_graph_set_quant(g, t, count > 1 ? axis : -1, count, scale, zero) : no_memory();
}

th_status th_constraints_attach(const th_constraints *cs, th_graph *g) {
  for (int t = 0; t < cs->n_tensors; t++) {
    if (cs->stacks[t].depth) TH_TRY(attach_weights(cs, t, g));
    if (!cs->grids[t]) continue;
    const float *scale;
    const int32_t *zero;
    if (th_grid_scales(cs->grids[t], &scale, &zero) != 1) continue;
    TH_TRY(th_graph_set_quant(g, t, -1, 1, scale, zero));
  }
  return TH_OK;
}
