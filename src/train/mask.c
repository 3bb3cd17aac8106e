/* The mask constraint: pruning by magnitude.
 *
 * Weights are pruned in units (an element, or a block of consecutive weights of one output channel); the units with the
 * smallest score are zeroed, as many as the schedule asks for. Schedule: Zhu & Gupta 2017, eq. 1,
 *   s(t) = s_f + (s_i - s_f) (1 - (t - t_0) / (t_1 - t_0))^3,
 * re-evaluated every hundredth of the fit; what is pruned stays so, unless regrowth is on. Regrowth (Evci et al. 2020,
 * section 3): a fraction of the survivors, decaying to none along a cosine, makes room for the pruned weights with the
 * largest gradients, which start again from zero. Global scope: one threshold over the scores of several masks; each
 * keeps at least a hundredth of its units, for a layer without weights passes nothing on. Sparsity counts units. N:M
 * keeps the N largest of each group of M in a channel, at once. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "train/constraint.h"
#include "train/schedule.h"
#include "train/select.h"
#include "train/vec.h"

#define UPDATE_EVERY 0.01    /* of the fit */
#define REGROW_UNTIL 0.75    /* of the fit: the last quarter trains a mask that stays */
#define REGROW_FRACTION 0.3f /* of the survivors, at the beginning (Evci et al. 2020) */
#define KEEP_AT_LEAST 100    /* global scope: one unit of so many survives in each member */

typedef struct mask mask;

typedef struct group {
  int count, ticked, alive;
  bool by_deviation;
  mask **members;
} group;

struct mask {
  th_constraint base;
  th_mask_options o;
  int64_t n, units;
  int64_t channels, inner, row; /* output channels, consecutive elements of one, elements of one */
  uint32_t *keep;               /* by element: all ones, or zero where pruned */
  float *score;                 /* by unit */
  float *work;                  /* by element: scratch of selections */
  float *offset;                /* regrowth: what the shadow was when the weight came back; NULL otherwise */
  const float *in, *grad;
  bool started, done;
  float initial;  /* sparsity found at the beginning */
  float unit;     /* what magnitudes are measured in: 1, or the standard deviation of the weights at the beginning */
  double updated; /* progress of the last update */
  group *group;
};

/* --- units and scores --- */

/* Element k of a channel: blocks and groups run along these, so that none lies in two channels. */
static int64_t element_of(const mask *m, int64_t channel, int64_t k) {
  return (k / m->inner * m->channels + channel) * m->inner + k % m->inner;
}

static int64_t blocks_of_row(const mask *m) {
  return (m->row + m->o.block - 1) / m->o.block;
}

static int64_t unit_of(const mask *m, int64_t i) {
  if (m->o.granularity != TH_GRANULARITY_BLOCK) return i;
  const int64_t channel = i / m->inner % m->channels;
  const int64_t k = i / (m->inner * m->channels) * m->inner + i % m->inner;
  return channel * blocks_of_row(m) + k / m->o.block;
}

static float effective(const mask *m, int64_t i) {
  return m->offset ? m->in[i] - m->offset[i] : m->in[i];
}

/* Score of a unit: the mean magnitude of its elements; -1 when it is pruned for good, so that it goes first again. */
static void score_units(mask *m) {
  if (m->o.granularity == TH_GRANULARITY_ELEMENT) {
    for (int64_t i = 0; i < m->n; i++) m->score[i] = m->keep[i] ? fabsf(effective(m, i)) : -1.0f;
    return;
  }
  memset(m->score, 0, (size_t)m->units * sizeof *m->score);
  memset(m->work, 0, (size_t)m->units * sizeof *m->work);
  for (int64_t i = 0; i < m->n; i++) {
    int64_t u = unit_of(m, i);
    m->score[u] += fabsf(effective(m, i));
    m->work[u] += 1.0f;
    if (!m->keep[i]) m->score[u] = -INFINITY;
  }
  for (int64_t u = 0; u < m->units; u++) m->score[u] = m->score[u] < 0 ? -1.0f : m->score[u] / m->work[u];
}

/* --- selection --- */

static uint32_t ones_if(bool kept) {
  return kept ? UINT32_MAX : 0;
}

static void keep_units(mask *m, const float *score, float threshold, int64_t *ties) {
  if (m->o.granularity == TH_GRANULARITY_BLOCK) {
    for (int64_t u = 0; u < m->units; u++) /* decided per unit first: a block's elements need not be consecutive */
      m->work[u] = score[u] < threshold || (score[u] == threshold && (*ties)-- > 0) ? 0.0f : 1.0f;
    for (int64_t i = 0; i < m->n; i++) m->keep[i] = ones_if(m->work[unit_of(m, i)] != 0.0f);
    return;
  }
  for (int64_t i = 0; i < m->n; i++)
    m->keep[i] = ones_if(!(score[i] < threshold || (score[i] == threshold && (*ties)-- > 0)));
}

/* Threshold below which all of `zeros` smallest lie, and how many equal to it go with them, first come first. */
static float threshold_of(float *scores, int64_t n, int64_t zeros, int64_t *ties) {
  *ties = 0;
  if (zeros <= 0) return -INFINITY;
  float threshold = th_select_kth(scores, n, zeros - 1);
  int64_t below = 0;
  for (int64_t i = 0; i < n; i++) below += scores[i] < threshold;
  *ties = zeros - below;
  return threshold;
}

static int64_t zeros_for(float sparsity, int64_t units) {
  double s = sparsity > 1.0f ? 1.0 : (double)sparsity;
  return (int64_t)(s * (double)units + 0.5);
}

static void prune(mask *m, int64_t zeros) {
  int64_t ties;
  memcpy(m->work, m->score, (size_t)m->units * sizeof *m->work);
  float threshold = threshold_of(m->work, m->units, zeros, &ties);
  keep_units(m, m->score, threshold, &ties);
}

static int64_t count_zeros(const mask *m) {
  int64_t zeros = 0;
  for (int64_t i = 0; i < m->n; i++) zeros += !m->keep[i];
  return zeros;
}

/* Drops `k` more survivors and brings back the `k` pruned elements with the largest gradients. */
static void regrow(mask *m, int64_t k) {
  uint32_t *before = (uint32_t *)m->work; /* as many bytes; scores of elements leave work alone */
  int64_t zeros = count_zeros(m);
  if (!m->grad || k < 1 || zeros + k > m->n) return;
  score_units(m);
  float *scores = th_alloc((size_t)m->n * sizeof *scores);
  if (!scores) { /* one round without regrowth is still a valid mask */
    th_error_clear();
    return;
  }
  memcpy(scores, m->score, (size_t)m->n * sizeof *scores);
  int64_t ties;
  float threshold = threshold_of(scores, m->n, zeros + k, &ties);
  memcpy(before, m->keep, (size_t)m->n * sizeof *before);
  keep_units(m, m->score, threshold, &ties);
  for (int64_t i = 0; i < m->n; i++) m->score[i] = scores[i] = m->keep[i] ? INFINITY : fabsf(m->grad[i]);
  threshold = threshold_of(scores, m->n, zeros, &ties);
  keep_units(m, m->score, threshold, &ties);
  for (int64_t i = 0; i < m->n; i++)
    if (m->keep[i] && !before[i]) m->offset[i] = m->in[i];
  th_free(scores);
}

static void keep_largest(mask *m, int64_t channel, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i++) {
    const int64_t at = element_of(m, channel, i);
    int larger = 0; /* of equal ones the first counts as larger */
    for (int64_t j = first; j < last; j++) {
      const float a = fabsf(m->in[element_of(m, channel, j)]), b = fabsf(m->in[at]);
      larger += a > b || (a == b && j < i);
    }
    m->keep[at] = ones_if(larger < m->o.block);
  }
}

/* A channel's last group may be shorter, and keeps as many. */
static void prune_n_m(mask *m) {
  for (int64_t c = 0; c < m->channels; c++)
    for (int64_t first = 0; first < m->row; first += m->o.keep_of)
      keep_largest(m, c, first, first + m->o.keep_of < m->row ? first + m->o.keep_of : m->row);
}

/* --- the schedule --- */

static float sparsity_at(const mask *m, double progress) {
  double begin = (double)m->o.begin, end = (double)m->o.end, target = (double)m->o.sparsity;
  if (m->o.schedule == TH_PRUNE_CONSTANT || progress >= end || end <= begin) return m->o.sparsity;
  if (target <= (double)m->initial) return m->o.sparsity;
  double left = progress <= begin ? 1.0 : 1.0 - (progress - begin) / (end - begin);
  return (float)(target + ((double)m->initial - target) * left * left * left);
}

static bool may_regrow(const mask *m, double progress) {
  return m->offset && progress < REGROW_UNTIL;
}

static bool is_final(const mask *m, double progress) {
  bool grown = m->o.schedule == TH_PRUNE_CONSTANT || progress >= (double)m->o.end || m->o.end <= m->o.begin;
  return (grown && !may_regrow(m, progress)) || progress >= 1.0;
}

static float deviation(const float *w, int64_t n) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += (double)w[i];
    squares += (double)w[i] * (double)w[i];
  }
  const double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
  return variance > 0 ? (float)sqrt(variance) : 1.0f;
}

static void start(mask *m) {
  m->started = true;
  m->unit = m->group && m->group->by_deviation ? deviation(m->in, m->n) : 1.0f;
  int64_t zeros = 0;
  score_units(m);
  for (int64_t u = 0; u < m->units; u++) zeros += m->score[u] <= 0.0f;
  m->initial = (float)((double)zeros / (double)m->units);
}

static void update_alone(mask *m, double progress, float sparsity) {
  score_units(m);
  prune(m, zeros_for(sparsity, m->units));
  if (!may_regrow(m, progress)) return;
  float fraction = REGROW_FRACTION * 0.5f * (1.0f + (float)th_cos_pi(progress / REGROW_UNTIL));
  regrow(m, (int64_t)(fraction * (float)(m->n - count_zeros(m))));
}

/* The best hundredth of each member is out of the competition. */
static void protect(mask *m) {
  int64_t kept = m->units - (m->units + KEEP_AT_LEAST - 1) / KEEP_AT_LEAST;
  memcpy(m->work, m->score, (size_t)m->units * sizeof *m->work);
  float least = th_select_kth(m->work, m->units, kept);
  for (int64_t u = 0; u < m->units; u++)
    if (m->score[u] >= least) m->score[u] = INFINITY;
}

static th_status update_group(group *g, double progress) {
  int64_t units = 0, at = 0, ties;
  double zeros = 0.0;
  for (int i = 0; i < g->count; i++) {
    mask *m = g->members[i];
    units += m->units;
    zeros += (double)sparsity_at(m, progress) * (double)m->units;
  }
  float *scores = th_alloc((size_t)units * sizeof *scores);
  if (!scores) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->count; i++) {
    mask *m = g->members[i];
    score_units(m);
    for (int64_t u = 0; u < m->units && m->unit != 1.0f; u++) m->score[u] /= m->unit;
    protect(m);
    memcpy(scores + at, m->score, (size_t)m->units * sizeof *scores);
    at += m->units;
  }
  float threshold = threshold_of(scores, units, (int64_t)(zeros + 0.5), &ties);
  th_free(scores);
  for (int i = 0; i < g->count; i++) keep_units(g->members[i], g->members[i]->score, threshold, &ties);
  for (int i = 0; i < g->count; i++) {
    mask *m = g->members[i];
    if (may_regrow(m, progress)) {
      float fraction = REGROW_FRACTION * 0.5f * (1.0f + (float)th_cos_pi(progress / REGROW_UNTIL));
      regrow(m, (int64_t)(fraction * (float)(m->n - count_zeros(m))));
    }
  }
  return TH_OK;
}

static bool is_due(const mask *m, double progress) {
  if (m->done) return false;
  return m->updated < 0.0 || progress - m->updated >= UPDATE_EVERY || is_final(m, progress);
}

static th_status update(mask *m, double progress) {
  if (m->o.granularity == TH_GRANULARITY_N_M) {
    prune_n_m(m);
  } else if (m->group) {
    if (++m->group->ticked < m->group->count) return TH_OK; /* the last member to be ticked does it for all */
    m->group->ticked = 0;
    return update_group(m->group, progress);
  } else {
    update_alone(m, progress, sparsity_at(m, progress));
  }
  return TH_OK;
}

static th_status mask_tick(th_constraint *c, const float *in, int64_t n, const th_tick *t) {
  mask *m = (mask *)c;
  m->in = in;
  m->grad = t->grad;
  if (!m->started) start(m);
  if (m->o.sparsity < 0.0f) { /* preserve */
    for (int64_t i = 0; i < n && !m->done; i++) m->keep[i] = ones_if(in[i] != 0.0f);
    m->done = true;
  }
  if (!is_due(m, t->progress)) return TH_OK;
  m->updated = t->progress;
  m->done = m->o.granularity == TH_GRANULARITY_N_M || is_final(m, t->progress);
  return update(m, t->progress);
}

/* --- the class --- */

/* No branches: survivors are too irregular to be predicted. */
static void keep_values(const mask *m, const float *in, float *out, int64_t n) {
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC)
    th_vec_store(out + i, (th_vec)((th_ivec)th_vec_load(in + i) & *(const th_ivec *)(m->keep + i)));
  for (; i < n; i++) out[i] = m->keep[i] ? in[i] : 0.0f;
}

static void mask_project(th_constraint *c, const float *in, float *out, int64_t n) {
  const mask *m = (const mask *)c;
  keep_values(m, in, out, n);
  for (int64_t i = 0; i < n && m->offset; i++) out[i] -= m->keep[i] ? m->offset[i] : 0.0f;
}

static void mask_backward(th_constraint *c, const float *in, const float *d_out, float *d_in, int64_t n) {
  (void)in;
  keep_values((const mask *)c, d_out, d_in, n);
}

static bool mask_settled(const th_constraint *c) {
  return ((const mask *)c)->done;
}

static void mask_save(const th_constraint *c, th_buf *b) {
  const mask *m = (const mask *)c;
  uint64_t updated;
  memcpy(&updated, &m->updated, sizeof updated);
  th_buf_u8(b, m->started);
  th_buf_u8(b, m->done);
  th_buf_f32(b, m->initial);
  th_buf_f32(b, m->unit);
  th_buf_u64(b, updated);
  th_buf_append(b, m->keep, (size_t)m->n * sizeof *m->keep);
  if (m->offset) th_buf_append(b, m->offset, (size_t)m->n * sizeof *m->offset);
}

static th_status mask_load(th_constraint *c, th_reader *r) {
  mask *m = (mask *)c;
  m->started = th_reader_u8(r) != 0;
  m->done = th_reader_u8(r) != 0;
  m->initial = th_reader_f32(r);
  m->unit = th_reader_f32(r);
  uint64_t updated = th_reader_u64(r);
  memcpy(&m->updated, &updated, sizeof updated);
  const uint8_t *keep = th_reader_take(r, (size_t)m->n * sizeof *m->keep);
  if (keep) memcpy(m->keep, keep, (size_t)m->n * sizeof *m->keep);
  const uint8_t *offset = m->offset ? th_reader_take(r, (size_t)m->n * sizeof *m->offset) : NULL;
  if (offset) memcpy(m->offset, offset, (size_t)m->n * sizeof *m->offset);
  return th_reader_status(r);
}

static void mask_destroy(th_constraint *c) {
  mask *m = (mask *)c;
  if (m->group && --m->group->alive == 0) {
    th_free(m->group->members);
    th_free(m->group);
  }
  th_free(m->keep);
  th_free(m->score);
  th_free(m->work);
  th_free(m->offset);
  th_free(m);
}

const th_constraint_class th_constraint_mask = {.name = "mask",
                                                .project = mask_project,
                                                .backward = mask_backward,
                                                .tick = mask_tick,
                                                .finish = mask_project,
                                                .settled = mask_settled,
                                                .save = mask_save,
                                                .load = mask_load,
                                                .destroy = mask_destroy};

static th_status check(const th_mask_options *o, int64_t n, const th_shape *shape) {
  if (n < 1 || o->sparsity > 1.0f)
    return th_fail(TH_ERR_USAGE, "mask: sparsity is %g, expected at most 1", (double)o->sparsity);
  if (o->granularity == TH_GRANULARITY_BLOCK && o->block < 1)
    return th_fail(TH_ERR_USAGE, "mask: block is %d, expected at least 1", o->block);
  if (o->granularity == TH_GRANULARITY_N_M && (o->block < 1 || o->keep_of < o->block))
    return th_fail(TH_ERR_USAGE, "mask: n:m is %d:%d, expected 1 <= n <= m", o->block, o->keep_of);
  if (o->granularity != TH_GRANULARITY_ELEMENT && shape->rank > 1 &&
      (o->channel_axis < 0 || o->channel_axis >= shape->rank))
    return th_fail(TH_ERR_USAGE, "mask: channel axis is %d, the tensor has %d dimensions", o->channel_axis,
                   shape->rank);
  if (o->regrow && o->granularity != TH_GRANULARITY_ELEMENT)
    return th_fail(TH_ERR_USAGE, "mask: regrowth works on single elements only");
  return TH_OK;
}

/* A tensor without channels is one row. */
static void find_rows(mask *m, const th_shape *shape) {
  m->channels = 1;
  m->inner = m->row = m->units = m->n;
  if (m->o.granularity == TH_GRANULARITY_ELEMENT) return;
  if (shape->rank > 1) {
    m->channels = shape->dim[m->o.channel_axis];
    m->row = m->n / m->channels;
    m->inner = 1;
    for (int i = m->o.channel_axis + 1; i < shape->rank; i++) m->inner *= shape->dim[i];
  }
  if (m->o.granularity == TH_GRANULARITY_BLOCK) m->units = m->channels * blocks_of_row(m);
}

th_status th_mask_create(const th_mask_options *o, int64_t n, const th_shape *shape, th_constraint **c) {
  *c = NULL;
  TH_TRY(check(o, n, shape));
  mask *m = th_alloc(sizeof *m);
  if (!m) return TH_ERR_RESOURCE;
  *m = (mask){.base = {&th_constraint_mask}, .o = *o, .n = n, .updated = -1.0};
  find_rows(m, shape);
  m->keep = th_alloc((size_t)n * sizeof *m->keep);
  m->score = th_alloc((size_t)n * sizeof(float));
  m->work = th_alloc((size_t)n * sizeof(float));
  m->offset = o->regrow ? th_alloc((size_t)n * sizeof(float)) : NULL;
  if (!m->keep || !m->score || !m->work || (o->regrow && !m->offset)) {
    mask_destroy(&m->base);
    return TH_ERR_RESOURCE;
  }
  memset(m->keep, 0xff, (size_t)n * sizeof *m->keep);
  *c = &m->base;
  return TH_OK;
}

th_status th_mask_group(th_constraint **masks, int count, bool by_deviation) {
  for (int i = 0; i < count; i++) {
    const mask *m = (const mask *)masks[i], *first = (const mask *)masks[0];
    if (masks[i]->cls != &th_constraint_mask || m->group || m->o.granularity == TH_GRANULARITY_N_M ||
        m->o.sparsity < 0.0f || m->o.granularity != first->o.granularity || m->o.schedule != first->o.schedule ||
        m->o.begin != first->o.begin || m->o.end != first->o.end || m->o.regrow != first->o.regrow)
      return th_fail(TH_ERR_USAGE, "mask group: member %d is not a mask with the granularity and schedule of the first",
                     i);
  }
  if (count < 2) return TH_OK;
  group *g = th_alloc(sizeof *g);
  if (g) g->members = th_alloc((size_t)count * sizeof *g->members);
  if (!g || !g->members) {
    th_free(g);
    return TH_ERR_RESOURCE;
  }
  g->count = g->alive = count;
  g->by_deviation = by_deviation;
  for (int i = 0; i < count; i++) {
    g->members[i] = (mask *)masks[i];
    g->members[i]->group = g;
  }
  return TH_OK;
}
