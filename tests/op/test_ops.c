/* Every operator against tests/op/ref.c, over the case files of this folder: forward values, gradients by central
 * differences of the oracle in double (so the tolerance only has to cover float32 rounding in src), gradients that are
 * added rather than set, running in place, ranges of samples, weight gradients by slices, and messages of bad nodes.
 *
 *   op conv2d                      # for the cases that follow
 *   case stride 2
 *   in 1x7x6x3                     # an activation; random normal values; `positive`: 0.5 to 1.5; `s8`: of that type
 *   const 8x3x3x3                  # a constant; `positive`: 0.5 to 1.5, `ints 0 0 1 2`: s32 values; `none`: absent
 *   out 1x4x3                      # the output's shape beforehand (reshape)
 *   type s32                       # the output's type
 *   outs 3                         # several outputs (split, unpack)
 *   attr stride_y=2 activation=relu
 *   training  samples 5  scale 3   # batch statistics; default 3 samples; values are multiplied
 *   values_only                    # no gradients: the function bends too sharply for differences
 *   fails does not fit             # shape inference must fail with a message that contains this
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "op/op.h"
#include "op/ref.h"

#define MAX_IN TH_MAX_INPUTS

typedef struct op_case {
  const char *file;
  int line;
  char name[100], fails[200];
  th_op_id op;
  th_graph *g;
  th_node attrs; /* only .attr is used */
  int in[MAX_IN], n_in, n_out;
  bool positive[MAX_IN];
  th_shape out;
  th_dtype out_type;
  int samples;
  bool training, values_only;
  float scale;
} op_case;

typedef struct values {
  int samples;
  float *in[MAX_IN], *out, *d_out, *d_in[MAX_IN];
  int64_t n_in[MAX_IN], n_out; /* all samples; constants: once */
  void *state;
  int unused; /* an output whose gradient is NULL, or -1 */
} values;

static int cases_run;

#define BAD(c, ...)                                                                                                   \
  (fprintf(stderr, "%s:%d %s: ", (c)->file, (c)->line, (c)->name), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), \
   fail())

static float *random_floats(int64_t n, float scale, uint64_t stream) {
  float *v = malloc(sizeof(float) * (size_t)(n + 1));
  th_rng rng = th_rng_init(7, stream);
  for (int64_t i = 0; i < n; i++) v[i] = scale * th_rng_normal(&rng);
  return v;
}

static float *filled(int64_t n, float value) {
  float *v = malloc(sizeof(float) * (size_t)(n + 1));
  for (int64_t i = 0; i < n; i++) v[i] = value;
  return v;
}

/* --- reading the case files --- */

static void add_const(op_case *c, const char *shape_text, char *rest) {
  th_shape s;
  char name[20];
  snprintf(name, sizeof name, "c%d", c->n_in);
  if (!th_shape_parse(shape_text, &s)) BAD(c, "bad shape %s", shape_text);
  int64_t n = th_shape_elems(&s);
  if (!strncmp(rest, "ints", 4)) {
    int32_t ints[64] = {0};
    char *at = rest + 4;
    for (int i = 0; i < n && i < 64; i++) ints[i] = (int32_t)strtol(at, &at, 10);
    assert_int_equal(th_graph_add_const(c->g, name, TH_DTYPE_S32, &s, ints, &c->in[c->n_in++]), TH_OK);
    return;
  }
  float *v = random_floats(n, c->scale, 100 + (uint64_t)c->n_in);
  if (!strncmp(rest, "positive", 8))
    for (int64_t i = 0; i < n; i++) v[i] = 0.5f + fabsf(v[i]) / (1 + fabsf(v[i]));
  assert_int_equal(th_graph_add_const(c->g, name, TH_DTYPE_F32, &s, v, &c->in[c->n_in++]), TH_OK);
  free(v);
}

static void add_input(op_case *c, const char *shape_text, const char *kind) {
  th_shape s;
  char name[20];
  snprintf(name, sizeof name, "x%d", c->n_in);
  if (!th_shape_parse(shape_text, &s)) BAD(c, "bad shape %s", shape_text);
  c->positive[c->n_in] = th_str_eq(kind, "positive");
  const th_dtype type = *kind && !c->positive[c->n_in] ? th_dtype_from_name(kind) : TH_DTYPE_F32;
  if (type == TH_DTYPE_NONE) BAD(c, "unknown type %s", kind);
  assert_int_equal(th_graph_add_tensor(c->g, name, type, &s, &c->in[c->n_in++]), TH_OK);
}

static void set_attrs(op_case *c, char *text) {
  for (char *item = strtok(text, " "); item; item = strtok(NULL, " ")) {
    char *value = strchr(item, '=');
    if (!value) BAD(c, "attr without '=': %s", item);
    *value++ = 0;
    th_attr_id id = th_attr_from_name(item);
    if (id == TH_ATTR_COUNT) BAD(c, "unknown attribute %s", item);
    if (th_attr_kind_of(id) == TH_ATTR_KIND_FLOAT)
      c->attrs.attr[id].f = strtof(value, NULL);
    else if (th_attr_kind_of(id) == TH_ATTR_KIND_ACT)
      c->attrs.attr[id].i = th_act_from_name(value);
    else
      c->attrs.attr[id].i = (int32_t)strtol(value, NULL, 10);
  }
}

static void begin_case(op_case *c, const char *name) {
  snprintf(c->name, sizeof c->name, "%s", name);
  assert_int_equal(th_graph_create(&c->g, "case"), TH_OK);
  c->n_in = 0;
  c->n_out = 1;
  c->samples = 3;
  c->training = c->values_only = false;
  c->scale = 1;
  c->fails[0] = 0;
  c->out = (th_shape){0};
  c->out_type = TH_DTYPE_F32;
  for (int i = 0; i < TH_ATTR_COUNT; i++) c->attrs.attr[i] = th_attr_default((th_attr_id)i);
}

static void finish_case(op_case *c);

static void read_line(op_case *c, char *line) {
  char word[20] = "", arg[100] = "";
  int used = 0;
  char *hash = strchr(line, '#');
  if (hash) *hash = 0;
  if (sscanf(line, "%19s %n", word, &used) < 1) return;
  char *rest = line + used;
  size_t end = strlen(rest);
  while (end && rest[end - 1] == ' ') rest[--end] = 0;
  sscanf(rest, "%99s", arg);
  if (th_str_eq(word, "op") || th_str_eq(word, "case")) finish_case(c);
  if (th_str_eq(word, "op")) {
    c->op = th_op_from_name(arg);
    if (c->op == TH_OP_NONE) BAD(c, "unknown operator %s", arg);
  } else if (th_str_eq(word, "case")) {
    begin_case(c, rest);
  } else if (th_str_eq(word, "in")) {
    char *after = strchr(rest, ' ');
    add_input(c, arg, after ? after + 1 : rest + strlen(rest));
  } else if (th_str_eq(word, "const")) {
    char *after = strchr(rest, ' ');
    add_const(c, arg, after ? after + 1 : rest + end);
  } else if (th_str_eq(word, "none")) {
    c->in[c->n_in++] = TH_NO_TENSOR;
  } else if (th_str_eq(word, "out")) {
    if (!th_shape_parse(arg, &c->out)) BAD(c, "bad shape %s", arg);
  } else if (th_str_eq(word, "type")) {
    c->out_type = th_dtype_from_name(arg);
  } else if (th_str_eq(word, "outs")) {
    c->n_out = atoi(arg);
  } else if (th_str_eq(word, "attr")) {
    set_attrs(c, rest);
  } else if (th_str_eq(word, "samples")) {
    c->samples = atoi(arg);
  } else if (th_str_eq(word, "scale")) {
    c->scale = strtof(arg, NULL);
  } else if (th_str_eq(word, "training")) {
    c->training = true;
  } else if (th_str_eq(word, "values_only")) {
    c->values_only = true;
  } else if (th_str_eq(word, "fails")) {
    snprintf(c->fails, sizeof c->fails, "%s", rest);
  } else {
    BAD(c, "unknown word %s", word);
  }
}

/* --- running src --- */

static int64_t out_elems(const op_case *c, int o) {
  return th_shape_elems(&c->g->tensors[c->g->nodes[0].out[o]].shape);
}

static th_op_run make_run(const op_case *c, const values *v, int begin, int end) {
  th_op_run r = {.graph = c->g,
                 .node = &c->g->nodes[0],
                 .begin = begin,
                 .end = end,
                 .batch = v->samples,
                 .training = c->training,
                 .state = v->state,
                 .rng = th_rng_init(1, 2)};
  for (int i = 0; i < c->n_in; i++) r.in[i] = v->in[i], r.d_in[i] = v->d_in[i];
  int64_t at = 0;
  for (int o = 0; o < c->n_out; o++) {
    r.out[o] = v->out + at;
    r.d_out[o] = o == v->unused ? NULL : v->d_out + at;
    at += out_elems(c, o) * v->samples;
  }
  return r;
}

/* Scratch comes full of NaN: whoever reads what it did not write is found out. */
static void with_scratch(th_op_run *r, void (*fn)(const th_op_run *)) {
  const th_op *op = th_op_get(r->node->op);
  size_t n = op->scratch_elems ? op->scratch_elems(r->graph, r->node, r->end - r->begin) : 0;
  r->scratch = filled((int64_t)n, NAN);
  fn(r);
  free(r->scratch);
}

/* Ranges [0, 1) and [1, samples). */
static void in_ranges(const op_case *c, const values *v, void (*fn)(const th_op_run *), uint32_t accumulate) {
  for (int part = 0; part < 2; part++) {
    th_op_run r = make_run(c, v, part, part ? v->samples : 1);
    r.accumulate = accumulate;
    with_scratch(&r, fn);
  }
}

static void gather_ranges(const op_case *c, const values *v, bool backward) {
  const th_op *op = th_op_get(c->op);
  th_op_run all = make_run(c, v, 0, v->samples);
  for (int part = 0; part < 2; part++) {
    th_op_run r = make_run(c, v, part, part ? v->samples : 1);
    (backward ? op->backward_gather : op->gather)(&r, part, 2);
  }
  (backward ? op->backward_settle : op->settle)(&all, 2);
}

static void run_forward(const op_case *c, const values *v) {
  if (c->training && th_op_get(c->op)->gather) gather_ranges(c, v, false);
  in_ranges(c, v, th_op_get(c->op)->forward, 0);
}

static void run_backward(const op_case *c, const values *v, uint32_t accumulate) {
  values w = *v;
  const th_op *op = th_op_get(c->op);
  if (c->training && op->gather) {
    gather_ranges(c, v, true);
    for (int i = 1; i < c->n_in; i++) w.d_in[i] = NULL;
  }
  in_ranges(c, &w, op->backward, accumulate);
}

/* --- comparing --- */

static void to_double(const float *from, int64_t n, double *to) {
  for (int64_t i = 0; i < n; i++) to[i] = (double)from[i];
}

/* Constants of whole numbers (paddings) are settings of an operator, not values. */
static bool is_value_input(const op_case *c, int i) {
  if (c->in[i] == TH_NO_TENSOR) return false;
  const th_tensor *t = &c->g->tensors[c->in[i]];
  return t->dtype == TH_DTYPE_F32 || !t->data;
}

/* Elements of a type other than float: in buffers that have room for as many floats. */
static double load(const void *x, th_dtype type, int64_t i) {
  return type == TH_DTYPE_F32   ? (double)((const float *)x)[i]
         : type == TH_DTYPE_S32 ? ((const int32_t *)x)[i]
         : type == TH_DTYPE_S16 ? ((const int16_t *)x)[i]
         : type == TH_DTYPE_S8  ? ((const int8_t *)x)[i]
                                : ((const uint8_t *)x)[i];
}

/* Random bytes: whole numbers over a type's full range. */
static void fill_integers(void *x, size_t bytes, bool truth) {
  th_rng rng = th_rng_init(9, bytes);
  for (size_t i = 0; i < bytes; i++) ((uint8_t *)x)[i] = (uint8_t)(th_rng_u64(&rng) & (truth ? 1 : 255));
}

static void make_values(op_case *c, values *v) {
  const th_op *op = th_op_get(c->op);
  const th_node *n = &c->g->nodes[0];
  memset(v, 0, sizeof *v);
  v->unused = -1;
  v->samples = c->samples;
  for (int i = 0; i < c->n_in; i++) {
    if (!is_value_input(c, i)) continue;
    const th_tensor *t = &c->g->tensors[c->in[i]];
    v->n_in[i] = th_shape_elems(&t->shape) * (t->data ? 1 : c->samples);
    v->in[i] = random_floats(v->n_in[i], c->scale, (uint64_t)i);
    for (int64_t e = 0; c->positive[i] && e < v->n_in[i]; e++)
      v->in[i][e] = 0.5f + fabsf(v->in[i][e]) / (1 + fabsf(v->in[i][e]));
    if (t->dtype != TH_DTYPE_F32)
      fill_integers(v->in[i], th_dtype_bytes(t->dtype) * (size_t)v->n_in[i], t->dtype == TH_DTYPE_BOOL);
    if (t->data) memcpy(v->in[i], t->data, sizeof(float) * (size_t)v->n_in[i]);
    v->d_in[i] = filled(v->n_in[i], t->data ? 0 : NAN);
  }
  for (int o = 0; o < c->n_out; o++) v->n_out += out_elems(c, o) * c->samples;
  v->out = filled(v->n_out, NAN);
  v->d_out = random_floats(v->n_out, 1, 50);
  v->state = op->state_bytes ? malloc(op->state_bytes(c->g, n, c->samples)) : NULL;
}

static void free_values(values *v) {
  for (int i = 0; i < MAX_IN; i++) free(v->in[i]), free(v->d_in[i]);
  free(v->out);
  free(v->d_out);
  free(v->state);
}

static void oracle(const op_case *c, const values *v, double *const *in, double *out) {
  if (!ref_run(c->g, &c->g->nodes[0], v->samples, c->training, in, out)) BAD(c, "the oracle does not know %s", c->name);
}

static void check_close(const op_case *c, const char *what, const float *got, const double *want, int64_t n,
                        double tolerance) {
  double top = 1e-3;
  for (int64_t i = 0; i < n; i++) top = fmax(top, fabs(want[i]));
  for (int64_t i = 0; i < n; i++)
    if (!(fabs((double)got[i] - want[i]) <= tolerance * top))
      BAD(c, "%s[%lld] is %.9g, expected %.9g", what, (long long)i, (double)got[i], want[i]);
}

static double loss(const op_case *c, const values *v, double *const *in, double *out) {
  double sum = 0;
  oracle(c, v, in, out);
  for (int64_t i = 0; i < v->n_out; i++) sum += out[i] * (double)v->d_out[i];
  return sum;
}

/* dL/d(one element) by central differences, for up to 60 elements of input i spread evenly. */
static void check_gradient(const op_case *c, const values *v, double **in, double *out, int i) {
  const double h = 1e-6;
  char what[40];
  snprintf(what, sizeof what, "gradient of input %d", i);
  double want[61], top = 1e-3;
  int64_t step = v->n_in[i] / 60 + 1, at[61];
  int count = 0;
  for (int64_t e = 0; e < v->n_in[i]; e += step, count++) {
    double x = in[i][e];
    in[i][e] = x + h;
    double hi = loss(c, v, in, out);
    in[i][e] = x - h;
    double lo = loss(c, v, in, out);
    in[i][e] = x;
    at[count] = e;
    want[count] = (hi - lo) / (2 * h);
    top = fmax(top, fabs(want[count]));
  }
  for (int k = 0; k < count; k++)
    if (!(fabs((double)v->d_in[i][at[k]] - want[k]) <= 2e-5 * top))
      BAD(c, "%s: [%lld] is %.9g, expected %.9g", what, (long long)at[k], (double)v->d_in[i][at[k]], want[k]);
}

/* All elements at once: the change along a random direction. */
static void check_direction(const op_case *c, const values *v, double **in, double *out, int i) {
  const double h = 1e-6;
  float *d = random_floats(v->n_in[i], 1, 77);
  double sum = 0, size = 1e-3;
  for (int64_t e = 0; e < v->n_in[i]; e++) {
    in[i][e] += h * (double)d[e];
    sum += (double)d[e] * (double)v->d_in[i][e];
    size += fabs((double)d[e] * (double)v->d_in[i][e]);
  }
  double hi = loss(c, v, in, out);
  for (int64_t e = 0; e < v->n_in[i]; e++) in[i][e] -= 2 * h * (double)d[e];
  double want = (hi - loss(c, v, in, out)) / (2 * h);
  to_double(v->in[i], v->n_in[i], in[i]);
  if (!(fabs(sum - want) <= 1e-5 * size))
    BAD(c, "input %d: change along a direction is %.9g, expected %.9g", i, sum, want);
  free(d);
}

/* Running backward again with accumulation must double activations' gradients (and constants' always). */
static void check_accumulation(const op_case *c, values *v) {
  float *once[MAX_IN];
  for (int i = 0; i < c->n_in; i++) {
    once[i] = v->d_in[i] ? malloc(sizeof(float) * (size_t)v->n_in[i]) : NULL;
    if (once[i]) memcpy(once[i], v->d_in[i], sizeof(float) * (size_t)v->n_in[i]);
  }
  run_backward(c, v, ~0u);
  for (int i = 0; i < c->n_in; i++) {
    double top = 1e-3;
    for (int64_t e = 0; once[i] && e < v->n_in[i]; e++) top = fmax(top, fabs((double)once[i][e]));
    for (int64_t e = 0; once[i] && e < v->n_in[i]; e++)
      if (!(fabs((double)v->d_in[i][e] - 2 * (double)once[i][e]) <= 1e-5 * top))
        BAD(c, "added gradient of input %d: [%lld] is %.9g, expected %.9g", i, (long long)e, (double)v->d_in[i][e],
            2 * (double)once[i][e]);
    if (once[i]) memcpy(v->d_in[i], once[i], sizeof(float) * (size_t)v->n_in[i]);
    free(once[i]);
  }
}

static void check_in_place(const op_case *c, const values *v) {
  values w = *v;
  float *x = malloc(sizeof(float) * (size_t)v->n_out), *d = malloc(sizeof(float) * (size_t)v->n_out);
  memcpy(x, v->in[0], sizeof(float) * (size_t)v->n_out);
  memcpy(d, v->d_out, sizeof(float) * (size_t)v->n_out);
  w.in[0] = w.out = x;
  w.d_out = w.d_in[0] = d;
  run_forward(c, &w);
  if (memcmp(x, v->out, sizeof(float) * (size_t)v->n_out)) BAD(c, "forward in place differs");
  run_backward(c, &w, 0);
  if (memcmp(d, v->d_in[0], sizeof(float) * (size_t)v->n_out)) BAD(c, "backward in place differs");
  free(x);
  free(d);
}

/* An output that nobody uses has no gradient: as if it were zero. */
static void check_unused(const op_case *c, values *v, double **in, double *out) {
  const int64_t at = out_elems(c, 0) * v->samples;
  v->unused = 1;
  if (c->g->tensors[c->in[0]].data) memset(v->d_in[0], 0, sizeof(float) * (size_t)v->n_in[0]);
  run_backward(c, v, 0);
  memset(v->d_out + at, 0, sizeof(float) * (size_t)(out_elems(c, 1) * v->samples));
  check_gradient(c, v, in, out, 0);
  check_direction(c, v, in, out, 0);
  v->unused = -1;
}

/* backward_weights, in 3 slices, against backward; and with d_in of constants NULL backward leaves them alone. */
static void check_slices(const op_case *c, const values *v) {
  values w = *v;
  double want[20000];
  for (int i = 1; i < c->n_in; i++)
    if (v->d_in[i]) w.d_in[i] = filled(v->n_in[i], NAN);
  for (int slice = 0; slice < 3; slice++) {
    th_op_run r = make_run(c, &w, 0, v->samples);
    size_t n = th_op_get(c->op)->scratch_elems(c->g, r.node, v->samples);
    r.scratch = filled((int64_t)n, NAN);
    th_op_get(c->op)->backward_weights(&r, slice, 3);
    free(r.scratch);
  }
  for (int i = 1; i < c->n_in; i++) {
    if (!v->d_in[i]) continue;
    assert_true(v->n_in[i] <= 20000);
    to_double(v->d_in[i], v->n_in[i], want);
    check_close(c, "backward_weights", w.d_in[i], want, v->n_in[i], 1e-5);
    free(w.d_in[i]);
  }
}

/* forward_outputs, in 3 slices, against forward: the same bits. */
static void check_outputs(const op_case *c, const values *v) {
  values w = *v;
  w.out = filled(v->n_out, NAN);
  for (int slice = 0; slice < 3; slice++) {
    th_op_run r = make_run(c, &w, 0, v->samples);
    r.scratch = filled((int64_t)th_op_get(c->op)->scratch_elems(c->g, r.node, v->samples), NAN);
    th_op_get(c->op)->forward_outputs(&r, slice, 3);
    free(r.scratch);
  }
  assert_memory_equal(w.out, v->out, sizeof(float) * (size_t)v->n_out);
  free(w.out);
}

static void check_backward(const op_case *c, values *v, double **in, double *out) {
  const th_op *op = th_op_get(c->op);
  run_backward(c, v, 0);
  for (int i = 0; i < c->n_in; i++) {
    /* running statistics and a pad's value are settings, not parameters */
    if (!v->d_in[i] || (c->op == TH_OP_BATCH_NORM && i > 2) || (c->op == TH_OP_PAD && i > 0)) continue;
    check_gradient(c, v, in, out, i);
    check_direction(c, v, in, out, i);
  }
  check_accumulation(c, v);
  if (op->in_place) check_in_place(c, v);
  if (c->n_out > 1) check_unused(c, v, in, out);
  if (op->backward_weights) check_slices(c, v);
  if (op->forward_outputs) check_outputs(c, v);
}

/* Outputs of another type: every element must be the number that is meant. */
static void check_typed(const op_case *c, const values *v, const double *want) {
  for (int64_t i = 0; i < v->n_out; i++)
    if (load(v->out, c->out_type, i) != want[i])
      BAD(c, "output[%lld] is %.9g, expected %.9g", (long long)i, load(v->out, c->out_type, i), want[i]);
}

static void check_case(op_case *c) {
  values v;
  double *in[MAX_IN] = {NULL};
  make_values(c, &v);
  double *want = malloc(sizeof(double) * (size_t)v.n_out);
  for (int i = 0; i < c->n_in; i++)
    if (v.in[i]) {
      in[i] = malloc(sizeof(double) * (size_t)v.n_in[i]);
      for (int64_t e = 0; e < v.n_in[i]; e++) in[i][e] = load(v.in[i], c->g->tensors[c->in[i]].dtype, e);
    }
  run_forward(c, &v);
  oracle(c, &v, in, want);
  if (c->out_type == TH_DTYPE_F32)
    check_close(c, "output", v.out, want, v.n_out, 3e-6);
  else
    check_typed(c, &v, want);
  if (th_op_get(c->op)->backward && !c->values_only) check_backward(c, &v, in, want);
  for (int i = 0; i < c->n_in; i++) free(in[i]);
  free(want);
  free_values(&v);
}

static void finish_case(op_case *c) {
  int out[TH_MAX_OUTPUTS];
  if (!c->g) return;
  for (int o = 0; o < c->n_out; o++)
    assert_int_equal(th_graph_add_tensor(c->g, "y", c->out_type, &c->out, &out[o]), TH_OK);
  assert_int_equal(th_graph_add_node(c->g, 0, c->op, "node", c->in, c->n_in, out, c->n_out, NULL), TH_OK);
  memcpy(c->g->nodes[0].attr, c->attrs.attr, sizeof c->attrs.attr);
  th_status s = th_op_infer_all(c->g);
  if (c->fails[0]) {
    if (s != TH_ERR_INPUT || !strstr(th_error_message(), c->fails))
      BAD(c, "expected a message with \"%s\", got \"%s\"", c->fails, th_error_message());
    if (!strstr(th_error_message(), "node (")) BAD(c, "the message does not name the node: %s", th_error_message());
  } else if (s != TH_OK) {
    BAD(c, "%s", th_error_message());
  } else {
    check_case(c);
  }
  th_error_clear();
  th_graph_destroy(c->g);
  c->g = NULL;
  cases_run++;
}

static void run_file(void **state) {
  const char *path = *state;
  th_arena *arena = th_arena_create();
  uint8_t *data;
  size_t size;
  op_case c = {.file = th_path_base(path)};
  assert_int_equal(th_file_read(arena, path, TH_FILE_LIMIT, &data, &size), TH_OK);
  cases_run = 0;
  for (char *line = (char *)data; line && *line; c.line++) {
    char *end = strchr(line, '\n');
    if (end) *end = 0;
    read_line(&c, line);
    line = end ? end + 1 : NULL;
  }
  finish_case(&c);
  assert_true(cases_run > 0);
  th_arena_destroy(arena);
}

int main(void) {
  static struct CMUnitTest tests[TH_OP_COUNT];
  th_arena *arena = th_arena_create();
  for (int op = 1; op < TH_OP_COUNT; op++) {
    char *path = th_arena_printf(arena, "%s/tests/op/%s.case", THIMBLE_SOURCE_DIR, th_op_name((th_op_id)op));
    tests[op - 1] = (struct CMUnitTest){th_op_name((th_op_id)op), run_file, NULL, NULL, path};
  }
  int failed = _cmocka_run_group_tests("operators", tests, TH_OP_COUNT - 1, NULL, NULL);
  th_arena_destroy(arena);
  return failed;
}
