/* The activation side of the grid constraint: applied piece by piece from several threads, so what a piece observes
 * and the gradients it contributes go into a part of its own, merged afterwards in a fixed order.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_GRID_H
#define TH_TRAIN_GRID_H

#include <stdint.h>

#include "train/constraint.h"

typedef struct th_grid_part {
  float lo, hi;      /* seen values; lo > hi: none yet */
  double d_lo, d_hi; /* gradients of a learned range */
} th_grid_part;

th_grid_part th_grid_part_empty(void);
/* out = in on the grid. part != NULL: also observes. */
void th_grid_apply(const th_constraint *c, const float *in, float *out, int64_t n, th_grid_part *part);
/* d (in place): gradient of the output -> gradient of the input. `in` is what th_grid_apply saw. */
void th_grid_apply_backward(const th_constraint *c, const float *in, float *d, int64_t n, th_grid_part *part);
/* Takes over what the parts observed (observed ranges) or gathered (learned ones; elems: per sample), and empties
 * them. */
void th_grid_observe(th_constraint *c, th_grid_part *parts, int count);
void th_grid_learn(th_constraint *c, const th_grid_part *parts, int count, int64_t elems);

#endif
