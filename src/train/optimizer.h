/* Optimizers: one update rule over a flat array, given the gradient and two moment arrays.
 *
 * SGD with (Nesterov) momentum as in Sutskever et al. 2013 in the form that keeps the velocity free of the rate; Adam
 * after Kingma & Ba 2015, algorithm 1; AdamW with decoupled decay after Loshchilov & Hutter 2019, algorithm 2. Weight
 * decay of SGD and Adam is the L2 term in the gradient. Basic arithmetic and square roots only, so the bits are the
 * same on every machine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_OPTIMIZER_H
#define TH_TRAIN_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum th_optimizer_id { TH_OPTIMIZER_SGD, TH_OPTIMIZER_ADAM, TH_OPTIMIZER_ADAMW } th_optimizer_id;

typedef struct th_optimizer {
  th_optimizer_id id;
  float lr; /* of this step */
  float momentum;
  bool nesterov;
  float weight_decay;
  double beta1_power, beta2_power; /* beta^t after t steps, for the bias correction */
} th_optimizer;

th_optimizer th_optimizer_init(th_optimizer_id id, float momentum, bool nesterov, float weight_decay);
/* Begins a step: sets its rate and counts it. */
void th_optimizer_step(th_optimizer *o, float lr);
/* Moves w by gradient g. m and v: the moments, zero at first; v is not touched by SGD and may then be NULL. */
void th_optimizer_update(const th_optimizer *o, bool decays, float *w, const float *g, float *m, float *v, int64_t n);
bool th_optimizer_has_second_moment(th_optimizer_id id);

/* A constraint's own parameter p (a centroid, a step size): SGD moves it by its gradient, Adam by `unit` times the
 * normalized direction. `unit` is the parameter's size in relation to the weights', so that both change by the same
 * fraction per step, which is what the gradient scale of LSQ is for under SGD. */
typedef struct th_own {
  float m, v;
} th_own;
float th_own_delta(const th_optimizer *o, th_own *own, float g, float unit);

#endif
