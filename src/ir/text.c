/* The text form of a graph, printed and parsed. Grammar and examples: docs/design/graph-text.md.
 *
 * One line, one thing; words are separated by blanks; '#' at the start of a line is a comment. Numbers print with nine
 * significant digits, which is enough to get the same float back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ir/graph.h"

/* --- printing --- */

static void print_value(th_buf *b, th_dtype dtype, const void *data, int64_t i) {
  switch (dtype) {
    case TH_DTYPE_F32:
      th_buf_printf(b, "%.9g", (double)((const float *)data)[i]);
      break;
    case TH_DTYPE_S16:
      th_buf_printf(b, "%d", ((const int16_t *)data)[i]);
      break;
    case TH_DTYPE_F16:
      th_buf_printf(b, "%u", ((const uint16_t *)data)[i]);
      break; /* its bits */
    case TH_DTYPE_S32:
      th_buf_printf(b, "%" PRId32, ((const int32_t *)data)[i]);
      break;
    case TH_DTYPE_S64:
      th_buf_printf(b, "%" PRId64, ((const int64_t *)data)[i]);
      break;
    case TH_DTYPE_U8:
    case TH_DTYPE_BOOL:
      th_buf_printf(b, "%u", ((const uint8_t *)data)[i]);
      break;
    default:
      th_buf_printf(b, "%d", ((const int8_t *)data)[i]);
  }
}

static void print_quant(th_buf *b, const th_quant *q) {
  if (!q->count) return;
  th_buf_printf(b, q->axis >= 0 ? " q[%d](" : " q(", q->axis);
  for (int i = 0; i < q->count; i++) th_buf_printf(b, "%s%.9g,%" PRId32, i ? " " : "", (double)q->scale[i], q->zero[i]);
  th_buf_printf(b, ")");
}

static void print_type(th_buf *b, const th_tensor *t) {
  char shape[TH_SHAPE_TEXT];
  th_buf_printf(b, "%%%s %s %s", t->name, th_dtype_name(t->dtype), th_shape_text(&t->shape, shape));
  print_quant(b, &t->quant);
}

/* A constant, or a variable and what it begins with. */
static void print_data(th_buf *b, const th_tensor *t, const void *data, int inline_max_elems) {
  int64_t n = th_shape_elems(&t->shape);
  th_buf_printf(b, t->is_variable ? "state  " : "const  ");
  print_type(b, t);
  if (!data) {
    th_buf_printf(b, "\n");
    return;
  }
  if (n > inline_max_elems) {
    th_buf_printf(b, " = #%016" PRIx64 "\n", th_hash64(data, th_tensor_bytes(t)));
    return;
  }
  th_buf_printf(b, " = {");
  for (int64_t i = 0; i < n; i++) {
    if (i) th_buf_u8(b, ' ');
    print_value(b, t->dtype, data, i);
  }
  th_buf_printf(b, "}\n");
}

static void print_attrs(th_buf *b, const th_node *n) {
  const char *before = " {";
  for (int a = 0; a < TH_ATTR_COUNT; a++) {
    th_attr def = th_attr_default((th_attr_id)a);
    if (!memcmp(&n->attr[a], &def, sizeof def)) continue;
    th_buf_printf(b, "%s%s=", before, th_attr_name((th_attr_id)a));
    switch (th_attr_kind_of((th_attr_id)a)) {
      case TH_ATTR_KIND_INT:
        th_buf_printf(b, "%" PRId32, n->attr[a].i);
        break;
      case TH_ATTR_KIND_FLOAT:
        th_buf_printf(b, "%.9g", (double)n->attr[a].f);
        break;
      case TH_ATTR_KIND_ACT:
        th_buf_printf(b, "%s", th_act_name((th_act)n->attr[a].i));
        break;
    }
    before = " ";
  }
  if (before[1] == '\0') th_buf_printf(b, "}");
}

static void print_node(th_buf *b, const th_graph *g, const th_node *n) {
  th_buf_printf(b, "node   %s = %s(", n->name, th_op_name(n->op));
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(g, n, i);
    th_buf_printf(b, "%s%s%s", i ? " " : "", t ? "%" : "-", t ? t->name : "");
  }
  th_buf_printf(b, ") ->");
  for (int i = 0; i < n->n_out; i++) {
    th_buf_printf(b, " ");
    if (n->op == TH_OP_ASSIGN_VARIABLE)
      th_buf_printf(b, "%%%s", th_node_out(g, n, i)->name);
    else
      print_type(b, th_node_out(g, n, i));
  }
  print_attrs(b, n);
  th_buf_printf(b, "\n");
}

th_status th_graph_print(const th_graph *g, int inline_max_elems, th_buf *b) {
  th_buf_printf(b, "graph %s\n", g->name);
  for (int i = 0; i < g->n_inputs; i++) {
    th_buf_printf(b, "input  ");
    print_type(b, &g->tensors[g->inputs[i]]);
    th_buf_printf(b, "\n");
  }
  for (int i = 0; i < g->n_tensors; i++) {
    if (!g->tensors[i].is_variable || g->tensors[i].dead) continue;
    print_data(b, &g->tensors[i], g->tensors[i].initial, inline_max_elems);
  }
  for (int i = 0; i < g->n_tensors; i++)
    if (g->tensors[i].data && !g->tensors[i].dead) print_data(b, &g->tensors[i], g->tensors[i].data, inline_max_elems);
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) print_node(b, g, &g->nodes[i]);
  for (int i = 0; i < g->n_outputs; i++) th_buf_printf(b, "output %%%s\n", g->tensors[g->outputs[i]].name);
  return th_buf_status(b);
}

/* --- parsing --- */

typedef struct parser {
  const char *p, *end; /* rest of the text */
  int line;
  const char *what;
  th_graph *g;
  th_blob_lookup *lookup;
  void *user;
} parser;

#define WORD 256

static th_status fail_at(const parser *s, const char *expected) {
  int n = 0;
  while (s->p + n < s->end && s->p[n] != '\n' && n < 40) n++;
  return th_fail(TH_ERR_INPUT, "%s:%d: %s expected, found \"%.*s\"", s->what, s->line, expected, n, s->p);
}

static void skip_blanks(parser *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r')) s->p++;
}

/* Skips blanks, then the character if it is next. */
static bool accept(parser *s, char c) {
  skip_blanks(s);
  if (s->p >= s->end || *s->p != c) return false;
  s->p++;
  return true;
}

static th_status expect(parser *s, char c, const char *expected) {
  return accept(s, c) ? TH_OK : fail_at(s, expected);
}

/* A word: up to a blank or one of the punctuation characters of the grammar. */
static th_status word(parser *s, char out[WORD], const char *expected) {
  skip_blanks(s);
  size_t n = 0;
  while (s->p + n < s->end && !isspace((unsigned char)s->p[n]) && !strchr("(){}[],=", s->p[n])) n++;
  if (n == 0 || n >= WORD || memchr(s->p, '\0', n)) return fail_at(s, expected);
  memcpy(out, s->p, n);
  out[n] = '\0';
  s->p += n;
  return TH_OK;
}

static th_status number(parser *s, double *v, const char *expected) {
  char text[WORD];
  TH_TRY(word(s, text, expected));
  return th_str_double(text, v) ? TH_OK : fail_at(s, expected);
}

static th_status integer(parser *s, long long lo, long long hi, long long *v, const char *expected) {
  char text[WORD];
  TH_TRY(word(s, text, expected));
  return th_str_int(text, v) && *v >= lo && *v <= hi ? TH_OK : fail_at(s, expected);
}

static th_status parse_quant(parser *s, int tensor) {
  float scale[4096];
  int32_t zero[4096];
  long long axis = -1, z;
  int n = 0;
  skip_blanks(s);
  if (s->end - s->p < 2 || s->p[0] != 'q' || (s->p[1] != '(' && s->p[1] != '[')) return TH_OK;
  s->p++;
  if (accept(s, '[')) {
    TH_TRY(integer(s, 0, TH_MAX_RANK - 1, &axis, "a channel dimension"));
    TH_TRY(expect(s, ']', "']'"));
  }
  TH_TRY(expect(s, '(', "'('"));
  while (!accept(s, ')')) {
    double v;
    if (n == 4096) return fail_at(s, "at most 4096 scales");
    TH_TRY(number(s, &v, "a scale"));
    TH_TRY(expect(s, ',', "',' and a zero point"));
    TH_TRY(integer(s, INT32_MIN, INT32_MAX, &z, "a zero point"));
    scale[n] = (float)v;
    zero[n++] = (int32_t)z;
  }
  return th_graph_set_quant(s->g, tensor, (int)axis, n, scale, zero);
}

/* "%name dtype shape [q(...)]" makes a tensor. */
static th_status parse_tensor(parser *s, int *id) {
  char name[WORD], text[WORD];
  th_shape shape;
  TH_TRY(expect(s, '%', "a tensor (%name)"));
  TH_TRY(word(s, name, "a tensor's name"));
  if (th_graph_find_tensor(s->g, name) >= 0)
    return th_fail(TH_ERR_INPUT, "%s:%d: tensor %%%s is defined twice", s->what, s->line, name);
  TH_TRY(word(s, text, "an element type"));
  th_dtype dtype = th_dtype_from_name(text);
  if (!dtype) return th_fail(TH_ERR_INPUT, "%s:%d: unknown element type \"%s\"", s->what, s->line, text);
  TH_TRY(word(s, text, "a shape such as 1x28x28x1"));
  if (!th_shape_parse(text, &shape)) return th_fail(TH_ERR_INPUT, "%s:%d: bad shape \"%s\"", s->what, s->line, text);
  TH_TRY(th_graph_add_tensor(s->g, name, dtype, &shape, id));
  return parse_quant(s, *id);
}

static th_status parse_use(parser *s, int *id) {
  char name[WORD];
  *id = TH_NO_TENSOR;
  if (accept(s, '-')) return TH_OK;
  TH_TRY(expect(s, '%', "a tensor (%name) or '-'"));
  TH_TRY(word(s, name, "a tensor's name"));
  *id = th_graph_find_tensor(s->g, name);
  if (*id < 0) return th_fail(TH_ERR_INPUT, "%s:%d: tensor %%%s is not defined", s->what, s->line, name);
  return TH_OK;
}

static th_status store_value(parser *s, th_dtype dtype, void *data, int64_t i) {
  double v;
  long long k;
  if (dtype == TH_DTYPE_F32) {
    TH_TRY(number(s, &v, "a number"));
    ((float *)data)[i] = (float)v;
    return TH_OK;
  }
  bool wide = dtype == TH_DTYPE_S64;
  long long hi = dtype == TH_DTYPE_F16 ? 65535 : th_dtype_hi(dtype);
  TH_TRY(integer(s, wide ? INT64_MIN : th_dtype_lo(dtype), wide ? INT64_MAX : hi, &k, "an integer in range"));
  switch (th_dtype_bytes(dtype)) {
    case 1:
      ((uint8_t *)data)[i] = (uint8_t)k;
      break;
    case 2:
      ((uint16_t *)data)[i] = (uint16_t)k;
      break;
    case 4:
      ((int32_t *)data)[i] = (int32_t)k;
      break;
    default:
      ((int64_t *)data)[i] = k;
  }
  return TH_OK;
}

static th_status parse_blob(parser *s, const th_tensor *t, size_t bytes, const void **values) {
  char hex[WORD], *rest;
  TH_TRY(word(s, hex, "the hash of the values"));
  uint64_t hash = strtoull(hex, &rest, 16);
  if (*rest) return fail_at(s, "a hash in hexadecimal");
  const void *data = s->lookup ? s->lookup(s->user, hash, bytes) : NULL;
  if (!data)
    return th_fail(TH_ERR_INPUT, "%s:%d: the values of %%%s (#%s, %zu bytes) are missing", s->what, s->line, t->name,
                   hex, bytes);
  *values = th_arena_copy(s->g->arena, data, bytes);
  return *values ? TH_OK : TH_ERR_RESOURCE;
}

/* From '=' on. */
static th_status parse_data(parser *s, const th_tensor *t, const void **values) {
  uint64_t elems = 1;
  for (int i = 0; i < t->shape.rank; i++) {
    elems *= (uint64_t)t->shape.dim[i];
    if (elems > INT32_MAX) return th_fail(TH_ERR_INPUT, "%s:%d: %%%s is too large", s->what, s->line, t->name);
  }
  TH_TRY(expect(s, '=', "'='"));
  if (accept(s, '#')) return parse_blob(s, t, th_tensor_bytes(t), values);
  TH_TRY(expect(s, '{', "'{' and values, or '#' and a hash"));
  if (elems > (uint64_t)(s->end - s->p)) return fail_at(s, "a value for each element");
  void *data = th_arena_alloc(s->g->arena, th_tensor_bytes(t));
  if (!data) return TH_ERR_RESOURCE;
  for (uint64_t i = 0; i < elems; i++) TH_TRY(store_value(s, t->dtype, data, (int64_t)i));
  *values = data;
  return expect(s, '}', "'}' after the last value");
}

static th_status parse_const(parser *s) {
  int id;
  TH_TRY(parse_tensor(s, &id));
  return parse_data(s, &s->g->tensors[id], &s->g->tensors[id].data);
}

static th_status parse_state(parser *s) {
  int id;
  TH_TRY(parse_tensor(s, &id));
  s->g->tensors[id].is_variable = true;
  skip_blanks(s);
  if (s->p == s->end || *s->p != '=') return TH_OK;
  return parse_data(s, &s->g->tensors[id], &s->g->tensors[id].initial);
}

static th_status parse_attr(parser *s, th_node *n) {
  char name[WORD], text[WORD];
  double v;
  long long k;
  TH_TRY(word(s, name, "an attribute"));
  th_attr_id id = th_attr_from_name(name);
  if (id == TH_ATTR_COUNT) return th_fail(TH_ERR_INPUT, "%s:%d: unknown attribute \"%s\"", s->what, s->line, name);
  TH_TRY(expect(s, '=', "'='"));
  switch (th_attr_kind_of(id)) {
    case TH_ATTR_KIND_INT:
      TH_TRY(integer(s, INT32_MIN, INT32_MAX, &k, "an integer"));
      n->attr[id].i = (int32_t)k;
      return TH_OK;
    case TH_ATTR_KIND_FLOAT:
      TH_TRY(number(s, &v, "a number"));
      n->attr[id].f = (float)v;
      return TH_OK;
    case TH_ATTR_KIND_ACT:
      break;
  }
  TH_TRY(word(s, text, "an activation"));
  n->attr[id].i = th_act_from_name(text);
  if (n->attr[id].i < TH_ACT_COUNT) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s:%d: unknown activation \"%s\"", s->what, s->line, text);
}

static th_status parse_node(parser *s) {
  char name[WORD], op_name[WORD];
  int in[TH_MAX_INPUTS], out[TH_MAX_OUTPUTS], n_in = 0, n_out = 0, id;
  TH_TRY(word(s, name, "a node's name"));
  TH_TRY(expect(s, '=', "'='"));
  TH_TRY(word(s, op_name, "an operator"));
  th_op_id op = th_op_from_name(op_name);
  if (!op) return th_fail(TH_ERR_INPUT, "%s:%d: unknown operator \"%s\"", s->what, s->line, op_name);
  TH_TRY(expect(s, '(', "'('"));
  while (!accept(s, ')')) {
    if (n_in == TH_MAX_INPUTS) return fail_at(s, "')': too many inputs");
    TH_TRY(parse_use(s, &in[n_in++]));
  }
  TH_TRY(expect(s, '-', "'->'"));
  TH_TRY(expect(s, '>', "'->'"));
  do {
    if (n_out == TH_MAX_OUTPUTS) return fail_at(s, "the end of the line: too many outputs");
    TH_TRY(op == TH_OP_ASSIGN_VARIABLE ? parse_use(s, &out[n_out]) : parse_tensor(s, &out[n_out]));
    n_out++;
    skip_blanks(s);
  } while (s->p < s->end && *s->p == '%');
  TH_TRY(th_graph_add_node(s->g, s->g->n_nodes, op, name, in, n_in, out, n_out, &id));
  if (!accept(s, '{')) return TH_OK;
  while (!accept(s, '}')) TH_TRY(parse_attr(s, &s->g->nodes[id]));
  return TH_OK;
}

static th_status append_id(th_graph *g, bool is_input, int id) {
  int ids[256], n = is_input ? g->n_inputs : g->n_outputs;
  if (n >= 255) return th_fail(TH_ERR_INPUT, "graph %s: more than 255 inputs or outputs", g->name);
  if (n) memcpy(ids, is_input ? g->inputs : g->outputs, (size_t)n * sizeof *ids);
  ids[n] = id;
  return is_input ? th_graph_set_inputs(g, ids, n + 1) : th_graph_set_outputs(g, ids, n + 1);
}

static th_status parse_line(parser *s) {
  char keyword[WORD], name[WORD];
  int id;
  TH_TRY(word(s, keyword, "graph, input, state, const, node or output"));
  if (th_str_eq(keyword, "graph")) {
    TH_TRY(word(s, name, "a name"));
    s->g->name = th_arena_strdup(s->g->arena, name);
    return s->g->name ? TH_OK : TH_ERR_RESOURCE;
  }
  if (th_str_eq(keyword, "input")) {
    TH_TRY(parse_tensor(s, &id));
    return append_id(s->g, true, id);
  }
  if (th_str_eq(keyword, "state")) return parse_state(s);
  if (th_str_eq(keyword, "const")) return parse_const(s);
  if (th_str_eq(keyword, "node")) return parse_node(s);
  if (!th_str_eq(keyword, "output"))
    return th_fail(TH_ERR_INPUT, "%s:%d: graph, input, state, const, node or output expected, found \"%s\"", s->what,
                   s->line, keyword);
  TH_TRY(parse_use(s, &id));
  if (id < 0) return fail_at(s, "a tensor");
  return append_id(s->g, false, id);
}

static th_status parse_all(parser *s) {
  while (s->p < s->end) {
    skip_blanks(s);
    if (s->p < s->end && *s->p == '#')
      while (s->p < s->end && *s->p != '\n') s->p++;
    else if (s->p < s->end && *s->p != '\n')
      TH_TRY(parse_line(s));
    skip_blanks(s);
    if (s->p < s->end && *s->p != '\n') return fail_at(s, "the end of the line");
    s->p++;
    s->line++;
  }
  return th_graph_verify(s->g);
}

th_status th_graph_parse(const char *text, size_t size, const char *what, th_blob_lookup *lookup, void *user,
                         th_graph **graph) {
  parser s = {.p = text, .end = text + size, .line = 1, .what = what, .lookup = lookup, .user = user};
  TH_TRY(th_graph_create(&s.g, "graph"));
  th_status status = parse_all(&s);
  if (status == TH_OK)
    *graph = s.g;
  else
    th_graph_destroy(s.g);
  return status;
}
