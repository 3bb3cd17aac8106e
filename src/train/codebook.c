/* The codebook constraint: weights that share few values (Han et al. 2016, section 3).
 *
 * A value is scale[channel] * level[index]. Forward looks levels up; backward sums the gradients of a cluster's members
 * onto its level (their equation 2). Without a rate term the assignment stays, as theirs does. With rate_lambda > 0
 * each member's gradient also moves its shadow (straight-through), and every 32 steps but those of the last quarter a
 * shadow goes to the cluster whose members' mean shadow is nearest, with an entropy term (entropy-constrained
 * quantization, Chou et al. 1989), and the means follow. Means and trained levels are kept apart: what training added
 * to a level does not shift the borders. Sums grow with the population, so SGD divides them by the square root of the
 * count, which makes a level move as much as one weight does; Adam normalizes by itself. With grid_bits the scales are
 * such that levels are integers: forward rounds them, so training sees what is deployed. SPDX-License-Identifier:
 * Apache-2.0 */
#include "train/codebook.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "train/points.h"
#include "train/vec.h"

#define MAX_CLUSTERS 65535
#define DEFAULT_LLOYD 30
#define REASSIGN_UNTIL 0.75 /* of the fit */
/* Shadows drift by straight-through gradients: left alone for long they lose their cluster. */
#define REASSIGN_STEPS 32
#define HEADROOM 0.95f /* the largest level starts here of the grid's end, so that it can grow */

static float grid_limit(const th_codebook *b) {
  return b->o.grid_bits > 0 ? (float)((1 << (b->o.grid_bits - 1)) - 1) : INFINITY;
}

/* What forward uses: rounded levels on a grid. The pinned level is exactly zero. */
static void refresh(th_codebook *b) {
  float limit = grid_limit(b);
  for (int i = b->first; i < b->k; i++) {
    float l = b->level[i] > limit ? limit : b->level[i] < -limit ? -limit : b->level[i];
    b->level[i] = l;
    b->value[i] = b->o.grid_bits > 0 ? th_round(l) : l;
  }
}

/* --- members --- */

static th_codebook *with_members(th_codebook *b) {
  if (b->members >= 0) return b;
  b->members = 0;
  for (int64_t i = 0; i < b->n; i++) { /* without a branch: zeros are too irregular to be predicted */
    b->member[b->members] = (int32_t)i;
    b->members += b->index[i] >= b->first;
  }
  return b;
}

/* Whether to go over the members alone. */
static bool is_sparse(th_codebook *b) {
  return with_members(b)->members < b->n / 2;
}

static float scale_of(const th_codebook *b, int64_t i) {
  return b->scale[b->channels > 1 ? i / b->inner % b->channels : 0];
}

/* Whether the zeros of a mask below are other ones than the pinned weights. */
static bool zeros_moved(th_codebook *b, const float *in) {
  int64_t there = 0;
  int moved = 0;
  for (int64_t i = 0; i < b->n; i++) there += in[i] != 0.0f;
  if (there != with_members(b)->members) return true;
  for (int64_t i = 0; i < b->members; i++) moved |= in[b->member[i]] == 0.0f;
  return moved;
}

/* --- the class --- */

static void codebook_project(th_constraint *c, const float *in, float *out, int64_t n) {
  th_codebook *b = (th_codebook *)c;
  if (b->first && zeros_moved(b, in)) th_codebook_follow_zeros(b, in);
  if (is_sparse(b)) {
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t m = 0; m < b->members; m++) {
      const int32_t i = b->member[m];
      out[i] = scale_of(b, i) * b->value[b->index[i]];
    }
    return;
  }
  for (int64_t s = 0, m = th_codebook_span_elems(b); s < th_codebook_span_count(b); s++) {
    const float scale = th_codebook_span_scale(b, s);
    for (int64_t i = s * m; i < (s + 1) * m; i++) out[i] = scale * b->value[b->index[i]];
  }
}

static void add_gradient(th_codebook *b, int64_t i, float scale, float d) {
  b->sum[b->index[i]] += (double)scale * (double)d;
  b->count[b->index[i]]++;
}

static void backward_members(th_codebook *b, const float *d_out, float *d_in) {
  for (int64_t m = 0; m < b->members; m++) {
    const int32_t i = b->member[m];
    b->kept[m] = d_out[i];
    add_gradient(b, i, scale_of(b, i), d_out[i]);
  }
  memset(d_in, 0, (size_t)b->n * sizeof *d_in); /* which may be d_out */
  for (int64_t m = 0; m < b->members; m++) d_in[b->member[m]] = b->kept[m];
}

static void codebook_backward(th_constraint *c, const float *in, const float *d_out, float *d_in, int64_t n) {
  th_codebook *b = (th_codebook *)c;
  (void)in;
  (void)n;
  memset(b->sum, 0, (size_t)b->k * sizeof *b->sum);
  memset(b->count, 0, (size_t)b->k * sizeof *b->count);
  if (is_sparse(b)) {
    backward_members(b, d_out, d_in);
    return;
  }
  for (int64_t s = 0, m = th_codebook_span_elems(b); s < th_codebook_span_count(b); s++) {
    const float scale = th_codebook_span_scale(b, s);
    for (int64_t i = s * m; i < (s + 1) * m; i++) {
      const bool pinned = b->index[i] < b->first;
      if (!pinned) add_gradient(b, i, scale, d_out[i]);
      d_in[i] = pinned ? 0.0f : d_out[i];
    }
  }
}

static void codebook_update(th_constraint *c, const th_optimizer *o) {
  th_codebook *b = (th_codebook *)c;
  double square = (double)b->rms_scale * (double)b->rms_scale;
  for (int i = b->first; i < b->k; i++) {
    if (!b->count[i]) continue;
    float g = (float)(b->sum[i] / (square * sqrt((double)b->count[i])));
    b->level[i] += th_own_delta(o, &b->own[i], g, 1.0f / b->rms_scale);
  }
  refresh(b);
}

static th_status codebook_tick(th_constraint *c, const float *in, int64_t n, const th_tick *t) {
  (void)n;
  th_codebook *b = (th_codebook *)c;
  bool due = b->o.rate_lambda > 0 && t->step > 0 && t->step % REASSIGN_STEPS == 0;
  if (due && t->progress < REASSIGN_UNTIL) th_codebook_reassign(b, in);
  return TH_OK;
}

static int codebook_scales(const th_constraint *c, const float **scale, int *axis) {
  const th_codebook *b = (const th_codebook *)c;
  if (b->o.grid_bits <= 0) return 0;
  *scale = b->scale;
  *axis = b->channels > 1 ? b->o.channel_axis : -1;
  return b->channels;
}

int th_codebook_values(const th_constraint *c, const float **centroids, const uint16_t **index) {
  const th_codebook *b = (const th_codebook *)c;
  *centroids = b->value;
  if (index) *index = b->index;
  return b->k;
}

static void codebook_save(const th_constraint *c, th_buf *buf) {
  const th_codebook *b = (const th_codebook *)c;
  th_buf_append(buf, b->level, (size_t)b->k * sizeof *b->level);
  th_buf_append(buf, b->mean, (size_t)b->k * sizeof *b->mean);
  th_buf_append(buf, b->own, (size_t)b->k * sizeof *b->own);
  th_buf_append(buf, b->count, (size_t)b->k * sizeof *b->count);
  th_buf_append(buf, b->index, (size_t)b->n * sizeof *b->index);
}

static void take(th_reader *r, void *to, size_t bytes) {
  const uint8_t *from = th_reader_take(r, bytes);
  if (from) memcpy(to, from, bytes);
}

static th_status codebook_load(th_constraint *c, th_reader *r) {
  th_codebook *b = (th_codebook *)c;
  take(r, b->level, (size_t)b->k * sizeof *b->level);
  take(r, b->mean, (size_t)b->k * sizeof *b->mean);
  take(r, b->own, (size_t)b->k * sizeof *b->own);
  take(r, b->count, (size_t)b->k * sizeof *b->count);
  take(r, b->index, (size_t)b->n * sizeof *b->index);
  b->members = -1;
  for (int64_t i = 0; i < b->n; i++)
    if (b->index[i] >= b->k) {
      r->failed = true;
      return th_fail(TH_ERR_INPUT, "%s: cluster %d of %d", r->what, b->index[i], b->k);
    }
  refresh(b);
  return th_reader_status(r);
}

static void codebook_destroy(th_constraint *c) {
  th_codebook *b = (th_codebook *)c;
  th_free(b->scale);
  th_free(b->level);
  th_free(b->value);
  th_free(b->mean);
  th_free(b->sum);
  th_free(b->count);
  th_free(b->own);
  th_free(b->index);
  th_free(b->member);
  th_free(b->kept);
  th_free(b);
}

const th_constraint_class th_constraint_codebook = {.name = "codebook",
                                                    .project = codebook_project,
                                                    .backward = codebook_backward,
                                                    .update = codebook_update,
                                                    .tick = codebook_tick,
                                                    .finish = codebook_project,
                                                    .scales = codebook_scales,
                                                    .save = codebook_save,
                                                    .load = codebook_load,
                                                    .destroy = codebook_destroy};

/* --- creation --- */

/* The smallest 2^(k/4) >= x. */
static float power_above(float x) {
  static const float quarter[4] = {1.0f, 1.189207115f, 1.414213562f, 1.681792831f};
  int exponent;
  float m = 2.0f * frexpf(x, &exponent); /* x = m * 2^(exponent - 1), m in [1, 2) */
  for (int i = 0; i < 4; i++)
    if (m <= quarter[i]) return ldexpf(quarter[i], exponent - 1);
  return ldexpf(1.0f, exponent);
}

/* The largest magnitude of each channel, so that what is clustered lies in [-1, 1]. */
static void find_scales(th_codebook *b, const float *w) {
  if (b->o.channel_axis < 0) {
    b->scale[0] = 1.0f;
    return;
  }
  for (int64_t s = 0; s < th_codebook_span_count(b); s++) {
    float *most = &b->scale[b->channels > 1 ? s % b->channels : 0];
    for (int64_t i = s * th_codebook_span_elems(b); i < (s + 1) * th_codebook_span_elems(b); i++)
      *most = fabsf(w[i]) > *most ? fabsf(w[i]) : *most;
  }
  for (int ch = 0; ch < b->channels; ch++) {
    if (b->scale[ch] == 0.0f) b->scale[ch] = 1.0f;
    if (b->o.power_scales) b->scale[ch] = power_above(b->scale[ch]);
  }
}

/* Values to cluster (all but pinned zeros) divided by their scale, and their weights scale^2. */
static int64_t collect(const th_codebook *b, const float *w, float *x, float *weight) {
  int64_t m = 0;
  for (int64_t s = 0; s < th_codebook_span_count(b); s++) {
    float scale = th_codebook_span_scale(b, s);
    for (int64_t i = s * th_codebook_span_elems(b); i < (s + 1) * th_codebook_span_elems(b); i++) {
      if (th_codebook_is_pinned(b, w[i])) continue;
      x[m] = w[i] / scale;
      weight[m++] = scale * scale;
    }
  }
  return m;
}

static th_status cluster(th_codebook *b, const th_points *p) {
  float *first = b->mean + b->first;
  int k = b->k - b->first, iterations = b->o.lloyd_iterations > 0 ? b->o.lloyd_iterations : DEFAULT_LLOYD;
  TH_TRY(th_points_init(p, b->o.init, b->o.seed, first, k));
  th_points_lloyd(p, iterations, first, k);
  return TH_OK;
}

/* The values that are there, on the grid of keep_scales. */
static th_status keep_values(th_codebook *b, const th_points *p) {
  int used = b->first;
  for (int64_t i = 0; i < p->n; i++) {
    float x = b->o.keep_scales ? th_round(p->x[i]) : p->x[i];
    if (used > b->first && x == b->mean[used - 1]) continue;
    if (used == b->k)
      return th_fail(TH_ERR_INPUT, "codebook: more than %d distinct values, expected the values of a clustered tensor",
                     b->k);
    b->mean[used++] = x;
  }
  b->k = used;
  return TH_OK;
}

/* From levels in [-1, 1] to the grid: scales shrink and levels grow by the same factor. */
static void spread_on_grid(th_codebook *b) {
  float most = 0.0f;
  for (int i = b->first; i < b->k; i++) most = fabsf(b->mean[i]) > most ? fabsf(b->mean[i]) : most;
  if (most == 0.0f) return;
  float factor = grid_limit(b) * HEADROOM / most;
  for (int i = b->first; i < b->k; i++) b->mean[i] *= factor;
  for (int ch = 0; ch < b->channels; ch++) b->scale[ch] /= factor;
}

static th_status start(th_codebook *b, const float *w) {
  bool keep = b->o.init == TH_CENTROID_KEEP;
  if (keep)
    for (int ch = 0; ch < b->channels; ch++) b->scale[ch] = b->o.keep_scales ? b->o.keep_scales[ch] : 1.0f;
  else
    find_scales(b, w);
  float *x = th_alloc((size_t)b->n * 2 * sizeof *x);
  if (!x) return TH_ERR_RESOURCE;
  int64_t m = collect(b, w, x, x + b->n);
  th_points p = {0};
  th_status status = m ? th_points_create(x, x + b->n, m, &p) : TH_OK;
  th_free(x);
  if (status != TH_OK) return status;
  if (m) status = keep ? keep_values(b, &p) : cluster(b, &p);
  th_points_destroy(&p);
  if (status != TH_OK) return status;
  if (b->o.grid_bits > 0 && !(keep && b->o.keep_scales)) spread_on_grid(b);
  memcpy(b->level, b->mean, (size_t)b->k * sizeof *b->level);
  refresh(b);
  th_codebook_assign(b, w);
  th_codebook_follow(b, w);
  return TH_OK;
}

static void measure_scale(th_codebook *b) {
  double sum = 0.0;
  for (int64_t s = 0; s < th_codebook_span_count(b); s++)
    sum += (double)th_codebook_span_scale(b, s) * (double)th_codebook_span_scale(b, s);
  b->rms_scale = (float)sqrt(sum / (double)th_codebook_span_count(b));
}

static th_status allocate(th_codebook *b) {
  size_t k = (size_t)b->k, n = (size_t)b->n;
  b->scale = th_alloc((size_t)b->channels * sizeof *b->scale);
  b->level = th_alloc(k * sizeof *b->level);
  b->value = th_alloc(k * sizeof *b->value);
  b->mean = th_alloc(k * sizeof *b->mean);
  b->sum = th_alloc(k * sizeof *b->sum);
  b->count = th_alloc(k * sizeof *b->count);
  b->own = th_alloc(k * sizeof *b->own);
  b->index = th_alloc(n * sizeof *b->index);
  b->member = th_alloc((n + 1) * sizeof *b->member);
  b->kept = th_alloc(n * sizeof *b->kept);
  bool all =
      b->scale && b->level && b->value && b->mean && b->sum && b->count && b->own && b->index && b->member && b->kept;
  return all ? TH_OK : TH_ERR_RESOURCE;
}

static th_status check(const th_codebook_options *o, int64_t n, const th_shape *shape) {
  int least = o->zero_pinned ? 2 : 1;
  if (o->clusters < least || o->clusters > MAX_CLUSTERS || n < 1 || n > INT32_MAX)
    return th_fail(TH_ERR_USAGE, "codebook: %d clusters, expected %d to %d", o->clusters, least, MAX_CLUSTERS);
  if (o->channel_axis >= shape->rank)
    return th_fail(TH_ERR_USAGE, "codebook: channel axis is %d, the tensor has %d dimensions", o->channel_axis,
                   shape->rank);
  if (o->grid_bits < 0 || o->grid_bits > 16)
    return th_fail(TH_ERR_USAGE, "codebook: grid of %d bits, expected 0 (none) to 16", o->grid_bits);
  return TH_OK;
}

th_status th_codebook_create(const th_codebook_options *o, const float *w, int64_t n, const th_shape *shape,
                             th_constraint **c) {
  *c = NULL;
  TH_TRY(check(o, n, shape));
  th_codebook *b = th_alloc(sizeof *b);
  if (!b) return TH_ERR_RESOURCE;
  *b = (th_codebook){.base = {&th_constraint_codebook},
                     .o = *o,
                     .n = n,
                     .inner = 1,
                     .channels = 1,
                     .k = o->clusters,
                     .first = o->zero_pinned ? 1 : 0};
  if (o->channel_axis >= 0) {
    b->channels = shape->dim[o->channel_axis];
    for (int i = o->channel_axis + 1; i < shape->rank; i++) b->inner *= shape->dim[i];
  }
  th_status status = allocate(b);
  if (status == TH_OK) status = start(b, w);
  b->o.keep_scales = NULL; /* copied above; the caller's may go */
  if (status != TH_OK) {
    codebook_destroy(&b->base);
    return status;
  }
  measure_scale(b);
  *c = &b->base;
  return TH_OK;
}
