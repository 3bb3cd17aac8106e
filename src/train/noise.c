/* The noise constraint: variational dropout of single weights (Molchanov et al. 2017), by which pruning sees what
 * matters.
 *
 * While it is on, forward uses w + s e, where e is 1 or -1 by chance; s is learned for each weight. Training maximizes
 * the evidence bound: the loss of noisy weights plus, for each weight, 1/2 log(1 + w^2 / s^2) (the divergence from the
 * prior of greatest evidence, Kharitonov et al. 2018, eq. 9), over the number of samples. Noise grows wherever the
 * loss does not mind, and |w| / s is how many times over a weight is told from none: th_noise_scores, which a mask may
 * judge by. The paper's noise is normal and drawn for each sample's sums; two values have the same variance, cost a bit
 * of chance, and are drawn once a step. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "math/math.h"
#include "train/constraint.h"
#include "train/loss.h"
#include "train/vec.h"

#define STREAM_NOISE 0x6e6f6973ull
#define FIRST_PART 0.1f /* s at the beginning, of the weights' root mean square */
#define RATE 0.003f     /* of log s, by Adam */
#define SMALLEST 1e-12f

typedef struct noise {
  th_constraint base;
  th_noise_options o;
  int64_t n;
  int64_t room;                 /* n, rounded up to whole vectors */
  float *log_s, *s, *d, *m, *v; /* log s, s, gradient of log s and its moments */
  uint64_t *chance;             /* a bit per weight */
  const float *in;
  bool on, started;
  float most; /* of log s: the weights' root mean square is noise enough */
} noise;

/* Four weights' noise: four bits of chance pick the signs. */
static th_vec noise_of(const noise *z, int64_t i) {
  const int32_t four = (int32_t)(z->chance[i / 64] >> (i % 64) & 15);
  const th_ivec minus = ((th_ivec){four, four, four, four} & (th_ivec){1, 2, 4, 8}) != 0;
  return (th_vec)((th_ivec)th_vec_load(z->s + i) ^ (minus & INT32_MIN));
}

static void noise_project(th_constraint *c, const float *in, float *out, int64_t n) {
  const noise *z = (const noise *)c;
  if (!z->on) {
    if (out != in) memcpy(out, in, (size_t)n * sizeof *out);
    return;
  }
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC) th_vec_store(out + i, th_vec_load(in + i) + noise_of(z, i));
  for (const th_vec last = noise_of(z, i); i < n; i++) out[i] = in[i] + last[i % TH_VEC];
}

/* Of four weights or fewer: the gradient of log s, and what the weight's own gradient becomes. */
static th_vec backward_of(noise *z, int64_t i, th_vec w, th_vec d) {
  const th_vec e = noise_of(z, i), sum = w * w + e * e + SMALLEST;
  th_vec_store(z->d + i, d * e - z->o.price * w * w / sum);
  return d + z->o.price * w / sum;
}

static void noise_backward(th_constraint *c, const float *in, const float *d_out, float *d_in, int64_t n) {
  noise *z = (noise *)c;
  if (!z->on) {
    if (d_in != d_out) memcpy(d_in, d_out, (size_t)n * sizeof *d_in);
    return;
  }
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC)
    th_vec_store(d_in + i, backward_of(z, i, th_vec_load(in + i), th_vec_load(d_out + i)));
  th_vec w = {0}, d = {0};
  for (int64_t k = i; k < n; k++) w[k - i] = in[k], d[k - i] = d_out[k];
  if (i == n) return;
  d = backward_of(z, i, w, d);
  for (int64_t k = i; k < n; k++) d_in[k] = d[k - i];
}

static void noise_update(th_constraint *c, const th_optimizer *o) {
  noise *z = (noise *)c;
  if (!z->on) return;
  th_optimizer own = *o;
  own.id = TH_OPTIMIZER_ADAM;
  own.lr = RATE;
  th_optimizer_update(&own, false, z->log_s, z->d, z->m, z->v, z->n);
  for (int64_t i = 0; i < z->n; i++) z->log_s[i] = z->log_s[i] < z->most ? z->log_s[i] : z->most;
  th_math_get()->unary(TH_UNARY_EXP, 0, z->log_s, z->s, z->n);
}

static void start(noise *z, const float *in) {
  double squares = 0;
  for (int64_t i = 0; i < z->n; i++) squares += (double)in[i] * (double)in[i];
  const float size = (float)sqrt(squares / (double)z->n) + SMALLEST;
  z->most = (float)th_real_log((double)size);
  for (int64_t i = 0; i < z->n; i++) z->log_s[i] = (float)th_real_log((double)(FIRST_PART * size));
  for (int64_t i = 0; i < z->n; i++) z->s[i] = FIRST_PART * size;
  z->started = true;
}

static th_status noise_tick(th_constraint *c, const float *in, int64_t n, const th_tick *t) {
  noise *z = (noise *)c;
  (void)n;
  z->in = in;
  if (!z->started) start(z, in);
  z->on = t->progress < (double)z->o.until;
  th_rng rng = th_rng_init(z->o.seed, STREAM_NOISE << 32 | (uint64_t)t->step);
  for (int64_t i = 0; i <= z->n / 64 && z->on; i++) z->chance[i] = th_rng_u64(&rng);
  return TH_OK;
}

void th_noise_scores(const th_constraint *c, float *score) {
  const noise *z = (const noise *)c;
  for (int64_t i = 0; i < z->n; i++) score[i] = fabsf(z->in[i]) / z->s[i];
}

static bool noise_settled(const th_constraint *c) {
  return !((const noise *)c)->on;
}

static void noise_finish(th_constraint *c, const float *in, float *out, int64_t n) {
  (void)c;
  if (out != in) memcpy(out, in, (size_t)n * sizeof *out);
}

static void noise_save(const th_constraint *c, th_buf *b) {
  const noise *z = (const noise *)c;
  const size_t bytes = (size_t)z->n * sizeof(float);
  th_buf_u8(b, z->started);
  th_buf_u8(b, z->on);
  th_buf_f32(b, z->most);
  th_buf_append(b, z->log_s, bytes);
  th_buf_append(b, z->s, bytes);
  th_buf_append(b, z->m, bytes);
  th_buf_append(b, z->v, bytes);
}

static void take(th_reader *r, float *to, int64_t n) {
  const uint8_t *from = th_reader_take(r, (size_t)n * sizeof *to);
  if (from) memcpy(to, from, (size_t)n * sizeof *to);
}

static th_status noise_load(th_constraint *c, th_reader *r) {
  noise *z = (noise *)c;
  z->started = th_reader_u8(r) != 0;
  z->on = th_reader_u8(r) != 0;
  z->most = th_reader_f32(r);
  take(r, z->log_s, z->n);
  take(r, z->s, z->n);
  take(r, z->m, z->n);
  take(r, z->v, z->n);
  return th_reader_status(r);
}

static void noise_destroy(th_constraint *c) {
  noise *z = (noise *)c;
  th_free(z->log_s);
  th_free(z->chance);
  th_free(z);
}

const th_constraint_class th_constraint_noise = {.name = "noise",
                                                 .project = noise_project,
                                                 .backward = noise_backward,
                                                 .update = noise_update,
                                                 .tick = noise_tick,
                                                 .finish = noise_finish,
                                                 .settled = noise_settled,
                                                 .save = noise_save,
                                                 .load = noise_load,
                                                 .destroy = noise_destroy};

th_status th_noise_create(const th_noise_options *o, int64_t n, th_constraint **c) {
  *c = NULL;
  noise *z = th_alloc(sizeof *z);
  if (!z) return TH_ERR_RESOURCE;
  *z = (noise){.base = {&th_constraint_noise}, .o = *o, .n = n};
  z->room = n / TH_VEC * TH_VEC + TH_VEC;
  z->log_s = th_alloc((size_t)z->room * 5 * sizeof *z->log_s);
  z->chance = th_alloc(((size_t)n / 64 + 1) * sizeof *z->chance);
  if (!z->log_s || !z->chance) {
    noise_destroy(&z->base);
    return TH_ERR_RESOURCE;
  }
  z->s = z->log_s + z->room;
  z->d = z->s + z->room;
  z->m = z->d + z->room;
  z->v = z->m + z->room;
  *c = &z->base;
  return TH_OK;
}
