/* The oracle of operators with state: svdf and lstm, from their definitions. See ref.h. SPDX-License-Identifier:
 * Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/ref_parts.h"

/* All values that a filter ever saw, oldest first, then the newest: the last `memory` of them are weighed. */
void ref_svdf(const th_graph *g, const th_node *n, int samples, double *const *in, double *out) {
  const int32_t *w = g->tensors[n->in[1]].shape.dim;
  const int filters = w[0], size = w[1], memory = g->tensors[n->in[2]].shape.dim[1], rank = n->attr[TH_ATTR_RANK].i;
  for (int s = 0; s < samples; s++)
    for (int unit = 0; unit < filters / rank; unit++) {
      double sum = in[4] ? in[4][unit] : 0;
      for (int f = unit * rank; f < (unit + 1) * rank; f++) {
        double newest = 0;
        for (int i = 0; i < size; i++) newest += in[1][f * size + i] * in[0][s * size + i];
        for (int m = 1; m < memory; m++) sum += in[2][f * memory + m - 1] * in[3][(s * filters + f) * memory + m];
        sum += in[2][f * memory + memory - 1] * newest;
      }
      out[s * (filters / rank) + unit] = ref_activate(n->attr[TH_ATTR_ACTIVATION].i, sum);
    }
}

static double gate(double *const *in, int k, const double *x, const double *h, int size, int units, int u) {
  double sum = in[9 + k][u];
  for (int i = 0; i < size; i++) sum += in[1 + k][u * size + i] * x[i];
  for (int i = 0; i < units; i++) sum += in[5 + k][u * units + i] * h[i];
  return sum;
}

void ref_lstm(const th_graph *g, const th_node *n, int samples, double *const *in, double *out) {
  const th_shape *shape = &g->tensors[n->in[0]].shape;
  const int size = shape->dim[2], steps = shape->dim[0] * shape->dim[1], act = n->attr[TH_ATTR_ACTIVATION].i;
  const int units = g->tensors[n->in[1]].shape.dim[0];
  const double clip = (double)n->attr[TH_ATTR_CLIP].f;
  double *h = malloc(sizeof *h * (size_t)units), *c = malloc(sizeof *c * (size_t)units);
  double *next = malloc(sizeof *next * (size_t)units);
  for (int s = 0; s < samples; s++) {
    memcpy(h, in[13] + s * units, sizeof *h * (size_t)units);
    memcpy(c, in[14] + s * units, sizeof *c * (size_t)units);
    for (int u = 0; u < units && n->attr[TH_ATTR_RESTART].i; u++) h[u] = c[u] = 0;
    for (int t = 0; t < steps; t++) {
      const double *x = in[0] + (s * steps + t) * size;
      for (int u = 0; u < units; u++) {
        const double i = 1 / (1 + exp(-gate(in, 0, x, h, size, units, u)));
        const double f = 1 / (1 + exp(-gate(in, 1, x, h, size, units, u)));
        const double candidate = ref_activate(act, gate(in, 2, x, h, size, units, u));
        const double o = 1 / (1 + exp(-gate(in, 3, x, h, size, units, u)));
        c[u] = f * c[u] + i * candidate;
        if (clip > 0) c[u] = fmax(-clip, fmin(clip, c[u]));
        next[u] = o * ref_activate(act, c[u]);
      }
      memcpy(h, next, sizeof *h * (size_t)units);
      memcpy(out + (s * steps + t) * units, h, sizeof *h * (size_t)units);
    }
  }
  free(h);
  free(c);
  free(next);
}
