/* Element-wise functions of one tensor: a row each (docs/design/0007-tables-of-functions.md). A row gives the name, the
 * attributes, f(x), and f'(x) from x and y = f(x). FLAT rows are constant between jumps and cannot be trained through.
 *
 * Those that networks spend their time in (relu, sigmoid, tanh, ...) have files of their own and vector kernels in
 * math/. Formulas: the definitions of TensorFlow Lite's operators and of ONNX, opset 21.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/common.h"

typedef struct settings { /* the node's attributes, where a row uses them */
  float alpha, beta, lo, hi;
  bool approximate;
} settings;

static settings settings_of(const th_node *n) {
  return (settings){.alpha = n->attr[TH_ATTR_ALPHA].f,
                    .beta = n->attr[TH_ATTR_BETA].f,
                    .lo = n->attr[TH_ATTR_LO].f,
                    .hi = n->attr[TH_ATTR_HI].f,
                    .approximate = n->attr[TH_ATTR_APPROXIMATE].i != 0};
}

/* --- formulas that are longer than a row --- */

static const float pi_f32 = 3.14159265358979f;

static float clamp_f32(float x, float lo, float hi) { /* not-a-number stays what it is */
  return x < lo ? lo : x > hi ? hi : x;
}

static float logistic_f32(float x) {
  return 1 / (1 + expf(-x));
}

static float softplus_f32(float x) { /* log(1 + exp(x)) without overflow */
  return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

/* Hendrycks & Gimpel 2016: x times the normal distribution function, or its approximation by tanh. */
static float gelu_inner(float x) {
  return sqrtf(2 / pi_f32) * (x + 0.044715f * (x * x * x));
}
static float gelu_value(bool approximate, float x) {
  return 0.5f * x * (1 + (approximate ? tanhf(gelu_inner(x)) : erff(x * sqrtf(0.5f))));
}
static float gelu_slope(bool approximate, float x) {
  if (approximate) {
    const float t = tanhf(gelu_inner(x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * (sqrtf(2 / pi_f32) * (1 + 3 * 0.044715f * (x * x)));
  }
  return 0.5f * (1 + erff(x * sqrtf(0.5f))) + x * expf(-0.5f * (x * x)) / sqrtf(2 * pi_f32);
}

/* Misra 2019. */
static float mish_slope(float x) {
  const float t = tanhf(softplus_f32(x));
  return t + x * (1 - t * t) * logistic_f32(x);
}

static float silu_slope(float x) {
  const float s = logistic_f32(x);
  return s + x * s * (1 - s);
}

/* Klambauer et al. 2017: constants that keep mean 0 and variance 1. */
static const float selu_alpha = 1.67326324235437728f, selu_scale = 1.05070098735548049f;

static th_status clip_infer(th_graph *g, th_node *n) {
  const settings s = settings_of(n);
  if (!(s.lo <= s.hi)) return th_op_fail(n, "lo is %g and hi is %g: nothing lies between", (double)s.lo, (double)s.hi);
  return th_op_same_shape_infer(g, n);
}

/* --- the loops --- */

typedef struct span { /* the elements of this call's samples */
  const float *x;
  float *y;
  const float *dy;
  float *dx; /* NULL: not wanted */
  int64_t n;
} span;

static span span_of(const th_op_run *r) {
  const int64_t n = th_op_elems_out(r->graph, r->node), at = r->begin * n;
  return (span){.x = r->in[0] + at,
                .y = r->out[0] + at,
                .dy = r->d_out[0] ? r->d_out[0] + at : NULL,
                .dx = r->d_in[0] ? r->d_in[0] + at : NULL,
                .n = th_op_samples(r) * n};
}

#define FORWARD(NAME, VALUE)                       \
  static void NAME##_forward(const th_op_run *r) { \
    const settings a = settings_of(r->node);       \
    const span s = span_of(r);                     \
    (void)a;                                       \
    for (int64_t i = 0; i < s.n; i++) {            \
      const float x = s.x[i];                      \
      s.y[i] = (VALUE);                            \
    }                                              \
  }

#define BACKWARD(NAME, SLOPE)                       \
  static void NAME##_backward(const th_op_run *r) { \
    const settings a = settings_of(r->node);        \
    const span s = span_of(r);                      \
    const bool add = th_op_accumulates(r, 0);       \
    (void)a;                                        \
    for (int64_t i = 0; s.dx && i < s.n; i++) {     \
      const float x = s.x[i], y = s.y[i];           \
      (void)x;                                      \
      (void)y;                                      \
      const float d = s.dy[i] * (SLOPE);            \
      s.dx[i] = add ? s.dx[i] + d : d;              \
    }                                               \
  }

#define DEFINE(NAME, ATTRS, INFER, BACK)                 \
  const th_op th_op_##NAME = {.name = #NAME,             \
                              .attrs = ATTRS,            \
                              .infer = INFER,            \
                              .forward = NAME##_forward, \
                              .backward = BACK,          \
                              .cost = th_op_cost_none};

#define SMOOTH(NAME, ATTRS, INFER, VALUE, SLOPE) \
  FORWARD(NAME, VALUE) BACKWARD(NAME, SLOPE) DEFINE(NAME, ATTRS, INFER, NAME##_backward)
#define PLAIN(NAME, VALUE, SLOPE) SMOOTH(NAME, th_op_no_attrs, th_op_same_shape_infer, VALUE, SLOPE)
#define FLAT(NAME, VALUE) FORWARD(NAME, VALUE) DEFINE(NAME, th_op_no_attrs, th_op_same_shape_infer, NULL)

static const th_attr_id alpha[] = {TH_ATTR_ALPHA, TH_ATTR_COUNT};
static const th_attr_id alpha_beta[] = {TH_ATTR_ALPHA, TH_ATTR_BETA, TH_ATTR_COUNT};
static const th_attr_id limits[] = {TH_ATTR_LO, TH_ATTR_HI, TH_ATTR_COUNT};
static const th_attr_id approximate[] = {TH_ATTR_APPROXIMATE, TH_ATTR_COUNT};

/* --- the rows --- */

PLAIN(abs, fabsf(x), x > 0 ? 1 : x < 0 ? -1 : 0)
PLAIN(neg, -x, -1)
PLAIN(sqrt, sqrtf(x), 0.5f / y)
PLAIN(rsqrt, 1 / sqrtf(x), -0.5f * (y * y * y))
PLAIN(square, (x * x), 2 * x)
PLAIN(reciprocal, 1 / x, -1 * (y * y))
PLAIN(exp, expf(x), y)
PLAIN(log, logf(x), 1 / x)
PLAIN(sin, sinf(x), cosf(x))
PLAIN(cos, cosf(x), -sinf(x))
PLAIN(erf, erff(x), 2 / sqrtf(pi_f32) * expf(-(x * x)))
FLAT(sign, (float)((x > 0) - (x < 0)))
FLAT(floor, floorf(x))
FLAT(ceil, ceilf(x))
FLAT(round, rintf(x)) /* halves to even */

PLAIN(selu, (x > 0 ? selu_scale * x : selu_scale * selu_alpha * expm1f(x)),
      x > 0 ? selu_scale : y + selu_scale * selu_alpha)
PLAIN(softplus, softplus_f32(x), logistic_f32(x))
PLAIN(softsign, x / (1 + fabsf(x)), 1 / ((1 + fabsf(x)) * (1 + fabsf(x))))
PLAIN(silu, (x * logistic_f32(x)), silu_slope(x))
PLAIN(mish, (x * tanhf(softplus_f32(x))), mish_slope(x))
SMOOTH(elu, alpha, th_op_same_shape_infer, x > 0 ? x : a.alpha * expm1f(x), x > 0 ? 1 : y + a.alpha)
SMOOTH(gelu, approximate, th_op_same_shape_infer, gelu_value(a.approximate, x), gelu_slope(a.approximate, x))
SMOOTH(hard_sigmoid, alpha_beta, th_op_same_shape_infer, clamp_f32((a.alpha * x) + a.beta, 0, 1),
       y > 0 && y < 1 ? a.alpha : 0)
SMOOTH(clip, limits, clip_infer, clamp_f32(x, a.lo, a.hi), x > a.lo && x < a.hi ? 1 : 0)
