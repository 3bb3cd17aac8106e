/* The loss at the logits; see loss.h. Everything in double: K is small, and the sums decide which epoch is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/loss.h"

#include <string.h>

#define MAX_STACK_OUTPUTS 64
#define LN2_HI 6.93147180369123816490e-01 /* ln 2 split so that k * LN2_HI is exact for |k| < 2048 (Cody & Waite) */
#define LN2_LO 1.90821492927058770002e-10
#define LN2 0.69314718055994530942

static double power_of_two(int k) {
  uint64_t bits = (uint64_t)(k + 1023) << 52;
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

double th_real_exp(double x) {
  if (x < -700.0) return 0.0;
  if (x > 700.0) x = 700.0;
  double scaled = x / LN2;
  int k = (int)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  double r = (x - k * LN2_HI) - k * LN2_LO, sum = 1.0;
  for (int i = 13; i >= 1; i--) sum = 1.0 + sum * r / i; /* Taylor by Horner, |r| <= 0.35: next term below 1e-17 */
  return sum * power_of_two(k);
}

double th_real_log(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  int k = (int)(bits >> 52 & 0x7ff) - 1023;
  double m = x / power_of_two(k); /* [1, 2) */
  if (m > 1.4142135623730951) {
    m *= 0.5;
    k++;
  }
  /* ln m = 2 atanh((m - 1) / (m + 1)), |t| <= 0.172 */
  double t = (m - 1.0) / (m + 1.0), square = t * t, sum = 0.0;
  for (int i = 21; i >= 1; i -= 2) sum = sum * square + 1.0 / i;
  return k * LN2 + 2.0 * t * sum;
}

/* log(sum_k exp(scale * z_k)); p (may be NULL) = softmax(scale * z). */
static double log_sum_exp(const float *z, int n, double scale, double *p) {
  double most = (double)z[0], sum = 0.0;
  for (int i = 1; i < n; i++) most = (double)z[i] > most ? (double)z[i] : most;
  for (int i = 0; i < n; i++) {
    double e = th_real_exp(scale * ((double)z[i] - most));
    sum += e;
    if (p) p[i] = e;
  }
  for (int i = 0; p && i < n; i++) p[i] /= sum;
  return th_real_log(sum) + scale * most;
}

static int largest(const float *z, int n) {
  int best = 0;
  for (int i = 1; i < n; i++) best = z[i] > z[best] ? i : best;
  return best;
}

/* Cross entropy of one sample, times `weight`; adds its gradient times weight / batch to d. */
static double cross_entropy(const th_loss *l, const float *z, int label, double weight, double per_sample, double *p,
                            double *d) {
  int n = l->outputs;
  double beta = (double)l->beta, smooth = (double)l->smoothing, loss = 0.0;
  double norm = log_sum_exp(z, n, beta, p);
  for (int k = 0; k < n; k++) {
    double t = smooth / n + (k == label ? 1.0 - smooth : 0.0);
    loss += t * (norm - beta * (double)z[k]);
    d[k] += weight * per_sample * beta * (p[k] - t);
  }
  return weight * loss;
}

/* alpha T^2 KL(teacher || student) of one sample. With beta the student's logits are beta * z. */
static double distill(const th_loss *l, const float *z, const float *u, double per_sample, double *p, double *d) {
  int n = l->outputs;
  double t = (double)l->temperature, alpha = (double)l->alpha, scale = (double)l->beta / t, kl = 0.0;
  double student_norm = log_sum_exp(z, n, scale, p);
  double teacher_norm = log_sum_exp(u, n, 1.0 / t, 0);
  for (int k = 0; k < n; k++) {
    double log_q = (double)u[k] / t - teacher_norm, q = th_real_exp(log_q);
    kl += q * (log_q - (scale * (double)z[k] - student_norm));
    d[k] += alpha * t * t * per_sample * scale * (p[k] - q);
  }
  return alpha * t * t * kl;
}

static double squared_error(const th_loss *l, const float *z, const float *x, double per_sample, float *d) {
  double sum = 0.0;
  for (int k = 0; k < l->outputs; k++) {
    double e = (double)z[k] - (double)x[k];
    sum += e * e;
    if (d) d[k] = (float)(2.0 * e / l->outputs * per_sample);
  }
  return sum / l->outputs;
}

static double labelled(const th_loss *l, const float *z, int sample, double per_sample, float *d_out) {
  double p_small[MAX_STACK_OUTPUTS], d_small[MAX_STACK_OUTPUTS];
  int n = l->outputs;
  double *p = p_small, *d = d_small, more[n > MAX_STACK_OUTPUTS ? 2 * n : 1];
  if (n > MAX_STACK_OUTPUTS) {
    p = more;
    d = more + n;
  }
  memset(d, 0, (size_t)n * sizeof *d);
  double keep = l->teacher ? 1.0 - (double)l->alpha : 1.0;
  double loss = cross_entropy(l, z, l->labels[sample], keep, per_sample, p, d);
  if (l->teacher) loss += distill(l, z, l->teacher + (int64_t)sample * n, per_sample, p, d);
  for (int k = 0; d_out && k < n; k++) d_out[k] = (float)d[k];
  return loss;
}

void th_loss_eval(const th_loss *l, const float *logits, float *d_logits, int begin, int end, int batch,
                  th_loss_sum *sum) {
  double per_sample = 1.0 / batch;
  for (int s = begin; s < end; s++) {
    const float *z = logits + (int64_t)s * l->outputs;
    float *d = d_logits ? d_logits + (int64_t)s * l->outputs : 0;
    if (!l->labels) {
      sum->loss += squared_error(l, z, l->target + (int64_t)s * l->outputs, per_sample, d);
      continue;
    }
    sum->loss += labelled(l, z, s, per_sample, d);
    sum->right += largest(z, l->outputs) == l->labels[s];
  }
}
