/* The grid's own state, shared by its class with the grids of weights (grid.c) and the grids of activations
 * (grid_activation.c). SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_GRID_STATE_H
#define TH_TRAIN_GRID_STATE_H

#include "train/grid.h"
#include "train/rate.h"

#define TH_GRID_SMALLEST 1e-12f /* scale */

typedef struct th_grid {
  th_constraint base;
  th_grid_options o;
  int64_t n, inner;
  int channels;
  float *scale;   /* by channel */
  float *d_scale; /* learned weights */
  th_own *own;    /* by channel; activations: lo and hi */
  float *unit;    /* by channel: scale relative to the weights at the beginning */
  int32_t zero;   /* activations */
  float lo, hi;
  double d_lo, d_hi; /* already scaled for the update */
  th_rate rate;
  bool seen, frozen, begun; /* begun: with the scales that were given */
} th_grid;

static inline int th_grid_hi(const th_grid *g) {
  return (1 << (g->o.bits - 1)) - 1;
}

static inline int th_grid_lo(const th_grid *g) {
  if (g->o.symmetric && g->o.least) return g->o.least;
  return g->o.symmetric ? -th_grid_hi(g) : -th_grid_hi(g) - 1;
}

static inline float th_grid_clamp(float v, float lo, float hi) {
  return v > lo ? (v < hi ? v : hi) : lo; /* NaN becomes lo, so that rounding stays defined */
}

/* grid_activation.c. Scale and zero from lo and hi; and a learned range moves. */
void th_grid_nudge(th_grid *g);
void th_grid_update_range(th_grid *g, const th_optimizer *o);

#endif
