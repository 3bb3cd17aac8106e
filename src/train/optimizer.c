/* The update rules of optimizer.h: each element on its own, so vectors of any length give the same bits. SGD is written
 * with short ones; Adam's square roots become vectors by the compiler's options for this file (CMakeLists.txt).
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/optimizer.h"

#include <math.h>

#include "train/vec.h"

#define BETA1 0.9f
#define BETA2 0.999f
#define EPSILON 1e-8f

th_optimizer th_optimizer_init(th_optimizer_id id, float momentum, bool nesterov, float weight_decay) {
  return (th_optimizer){.id = id,
                        .momentum = momentum,
                        .nesterov = nesterov,
                        .weight_decay = weight_decay,
                        .beta1_power = 1.0,
                        .beta2_power = 1.0};
}

void th_optimizer_step(th_optimizer *o, float lr) {
  o->lr = lr;
  o->beta1_power *= (double)BETA1;
  o->beta2_power *= (double)BETA2;
}

bool th_optimizer_has_second_moment(th_optimizer_id id) {
  return id != TH_OPTIMIZER_SGD;
}

static void sgd(const th_optimizer *o, float decay, float *w, const float *g, float *m, int64_t n) {
  const float mu = o->momentum, lr = o->lr;
  /* Nesterov steps along g + mu * m, plain momentum along m: one formula with these two factors. */
  const float of_g = o->nesterov ? lr : 0.0f, of_m = o->nesterov ? lr * mu : lr;
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC) {
    th_vec wi = th_vec_load(w + i), gi = th_vec_load(g + i) + decay * wi, mi = mu * th_vec_load(m + i) + gi;
    th_vec_store(m + i, mi);
    th_vec_store(w + i, wi - (of_g * gi + of_m * mi));
  }
  for (; i < n; i++) {
    float gi = g[i] + decay * w[i];
    m[i] = mu * m[i] + gi;
    w[i] = w[i] - (of_g * gi + of_m * m[i]);
  }
}

static void adam(const th_optimizer *o, float decay, float *restrict w, const float *restrict g, float *restrict m,
                 float *restrict v, int64_t n) {
  const float l2 = o->id == TH_OPTIMIZER_ADAM ? decay : 0.0f;
  const float keep = o->id == TH_OPTIMIZER_ADAMW ? 1.0f - o->lr * decay : 1.0f;
  const float rate = (float)(o->lr / (1.0 - o->beta1_power));
  const float correct = (float)(1.0 / sqrt(1.0 - o->beta2_power));
  for (int64_t i = 0; i < n; i++) {
    float gi = g[i] + l2 * w[i];
    m[i] = BETA1 * m[i] + (1.0f - BETA1) * gi;
    v[i] = BETA2 * v[i] + (1.0f - BETA2) * gi * gi;
    w[i] = keep * w[i] - rate * m[i] / (sqrtf(v[i]) * correct + EPSILON);
  }
}

void th_optimizer_update(const th_optimizer *o, bool decays, float *w, const float *g, float *m, float *v, int64_t n) {
  float decay = decays ? o->weight_decay : 0.0f;
  if (o->id == TH_OPTIMIZER_SGD)
    sgd(o, decay, w, g, m, n);
  else
    adam(o, decay, w, g, m, v, n);
}

float th_own_delta(const th_optimizer *o, th_own *own, float g, float unit) {
  if (o->id == TH_OPTIMIZER_SGD) {
    own->m = o->momentum * own->m + g;
    return -o->lr * own->m;
  }
  own->m = BETA1 * own->m + (1.0f - BETA1) * g;
  own->v = BETA2 * own->v + (1.0f - BETA2) * g * g;
  float direction =
      (float)(own->m / (1.0 - o->beta1_power)) / (sqrtf((float)(own->v / (1.0 - o->beta2_power))) + 1e-12f);
  return -o->lr * unit * direction;
}
