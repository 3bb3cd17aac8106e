/* Attributes of a node and small numbers that come as constant inputs; messages that name the node.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <onnx.pb-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

th_status th_onnx_fail(const onnx_reader *r, const onnx_node *n, const char *fmt, ...) {
  char text[400];
  const Onnx__NodeProto *p = n->proto;
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  const char *makes = p->n_output ? p->output[0] : "nothing", *type = p->op_type ? p->op_type : "?";
  if (p->name && *p->name)
    return th_fail(TH_ERR_INPUT, "%s: node %d '%.80s' (%.60s, makes %.80s): %s", r->what, n->index, p->name, type,
                   makes, text);
  return th_fail(TH_ERR_INPUT, "%s: node %d (%.60s, makes %.80s): %s", r->what, n->index, type, makes, text);
}

/* Names in the graph's text form are words without blanks. */
const char *th_onnx_word(onnx_reader *r, const char *name, const char *otherwise) {
  char text[80];
  size_t n = 0;
  for (; name && *name && n < sizeof text - 1; ++name) {
    char c = *name;
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-./:", c);
    text[n++] = word ? c : '_';
  }
  text[n] = 0;
  return th_arena_strdup(r->arena, n ? text : otherwise);
}

const Onnx__AttributeProto *th_onnx_attr_of(const Onnx__NodeProto *p, const char *name) {
  for (size_t i = 0; i < p->n_attribute; i++)
    if (th_str_eq(p->attribute[i]->name, name)) return p->attribute[i];
  return NULL;
}

const Onnx__AttributeProto *th_onnx_attr(const onnx_node *n, const char *name) {
  return th_onnx_attr_of(n->proto, name);
}

static th_status wrong_kind(onnx_reader *r, const onnx_node *n, const char *name, const char *expected) {
  return th_onnx_fail(r, n, "attribute %s is not %s", name, expected);
}

static int32_t clamped(double v) {
  return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v; /* no NaN comes here */
}

static int32_t clamped_int(int64_t v) {
  return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

th_status th_onnx_attr_int(onnx_reader *r, const onnx_node *n, const char *name, int32_t otherwise, int32_t *v) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, name);
  *v = otherwise;
  if (!a) return TH_OK;
  if (!a->has_i) return wrong_kind(r, n, name, "a whole number");
  *v = clamped_int(a->i);
  return TH_OK;
}

th_status th_onnx_attr_float(onnx_reader *r, const onnx_node *n, const char *name, float otherwise, float *v) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, name);
  *v = otherwise;
  if (!a) return TH_OK;
  if (!a->has_f) return wrong_kind(r, n, name, "a number");
  *v = a->f;
  return isfinite(*v) ? TH_OK : th_onnx_fail(r, n, "attribute %s is %g", name, (double)*v);
}

th_status th_onnx_attr_text(onnx_reader *r, const onnx_node *n, const char *name, const char *otherwise,
                            const char **v) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, name);
  *v = otherwise;
  if (!a) return TH_OK;
  if (!a->has_s || a->s.len > 200) return wrong_kind(r, n, name, "a short text");
  *v = th_arena_printf(r->arena, "%.*s", (int)a->s.len, a->s.len ? (const char *)a->s.data : "");
  return *v ? TH_OK : TH_ERR_RESOURCE;
}

th_status th_onnx_attr_ints(onnx_reader *r, const onnx_node *n, const char *name, int32_t *v, int limit, int *count) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, name);
  *count = 0;
  if (!a) return TH_OK;
  if (a->has_i || a->has_f || a->has_s) return wrong_kind(r, n, name, "a list of whole numbers");
  if (a->n_ints > (size_t)limit)
    return th_onnx_fail(r, n, "attribute %s has %zu numbers, at most %d are possible", name, a->n_ints, limit);
  for (size_t i = 0; i < a->n_ints; i++) v[i] = clamped_int(a->ints[i]);
  *count = (int)a->n_ints;
  return TH_OK;
}

th_status th_onnx_in_ints(onnx_reader *r, const onnx_node *n, int i, int32_t *v, int limit, int *count) {
  const onnx_value *in = i < n->n_in ? n->in[i] : NULL;
  *count = 0;
  if (!in) return TH_OK;
  if (in->kind != ONNX_CONST)
    return th_onnx_fail(r, n, "input %d (%s) depends on the data; it must be a constant", i, in->name);
  const int64_t elems = th_shape_elems(&in->shape);
  if (elems > limit)
    return th_onnx_fail(r, n, "input %d (%s) has %lld numbers, at most %d are possible", i, in->name, (long long)elems,
                        limit);
  for (int k = 0; k < (int)elems; k++) {
    const double x = th_onnx_const_at(in, k);
    if (x != x) return th_onnx_fail(r, n, "input %d (%s) holds a NaN", i, in->name);
    v[k] = clamped(x);
  }
  *count = (int)elems;
  return TH_OK;
}

th_status th_onnx_ints(onnx_reader *r, const onnx_node *n, int i, const char *name, int32_t *v, int limit, int *count) {
  if (i < n->n_in && n->in[i]) return th_onnx_in_ints(r, n, i, v, limit, count);
  return th_onnx_attr_ints(r, n, name, v, limit, count);
}

th_status th_onnx_in_float(onnx_reader *r, const onnx_node *n, int i, float otherwise, float *v) {
  const onnx_value *in = i < n->n_in ? n->in[i] : NULL;
  *v = otherwise;
  if (!in) return TH_OK;
  if (in->kind != ONNX_CONST || th_shape_elems(&in->shape) != 1)
    return th_onnx_fail(r, n, "input %d (%s) must be one constant number", i, in->name);
  *v = (float)th_onnx_const_at(in, 0);
  return TH_OK;
}

th_status th_onnx_axis(onnx_reader *r, const onnx_node *n, int32_t axis, int rank, int *v) {
  if (axis < -rank || axis >= rank) return th_onnx_fail(r, n, "axis %d of %d dimensions", (int)axis, rank);
  *v = axis < 0 ? axis + rank : axis;
  return TH_OK;
}
