/* The constraints one by one and stacked: what each promises of its values, gradients and schedule. Expected values are
 * computed here from the definitions (sorting, nearest centroid by brute force, the formulas of the papers).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "train/grid.h"
#include "train/points.h"
#include "train/select.h"
#include "train_fixture.h"

#define N 3000

static float *random_weights(int64_t n, uint64_t seed) {
  float *w = test_malloc((size_t)n * sizeof *w);
  th_rng rng = th_rng_init(seed, 1);
  for (int64_t i = 0; i < n; i++) w[i] = 0.1f * th_rng_normal(&rng);
  return w;
}

static int64_t zeros_in(const float *v, int64_t n) {
  int64_t zeros = 0;
  for (int64_t i = 0; i < n; i++) zeros += v[i] == 0.0f;
  return zeros;
}

static void tick(th_constraint *c, const float *in, int64_t n, double progress, int epoch, const float *grad) {
  th_tick t = {.progress = progress, .step = 32 * epoch, .epoch = epoch, .epoch_begins = true, .grad = grad};
  FX_OK(c->cls->tick(c, in, n, &t));
}

static th_shape flat(int64_t n) {
  return th_shape_make(1, (int32_t)n);
}

static int by_magnitude(const void *a, const void *b) {
  float x = fabsf(*(const float *)a), y = fabsf(*(const float *)b);
  return (x > y) - (x < y);
}

/* --- selection --- */

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void select_finds_the_kth(void **state) {
  th_rng rng = th_rng_init(3, 3);
  for (int round = 0; round < 200; round++) {
    float a[60], b[60];
    int n = 1 + (int)th_rng_below(&rng, 60), k = (int)th_rng_below(&rng, (uint32_t)n);
    for (int i = 0; i < n; i++) a[i] = b[i] = (float)th_rng_below(&rng, round % 2 ? 5 : 1000);
    qsort(b, (size_t)n, sizeof *b, ascending);
    assert_true(th_select_kth(a, n, k) == b[k]);
  }
}

/* --- mask --- */

static th_constraint *mask(th_mask_options o, int64_t n, th_shape shape) {
  th_constraint *c;
  FX_OK(th_mask_create(&o, n, &shape, &c));
  return c;
}

static void mask_zeroes_exactly_the_smallest(void **state) {
  const float sparsities[] = {0.0f, 0.001f, 0.5f, 0.9f, 0.9997f, 1.0f};
  float *w = random_weights(N, 1), *v = test_malloc(N * sizeof *v), *sorted = test_malloc(N * sizeof *v);
  memcpy(sorted, w, N * sizeof *w);
  qsort(sorted, N, sizeof *w, by_magnitude);
  for (int i = 0; i < 6; i++) {
    th_constraint *c = mask((th_mask_options){.sparsity = sparsities[i]}, N, flat(N));
    int64_t want = (int64_t)((double)sparsities[i] * N + 0.5);
    tick(c, w, N, 0.0, 0, NULL);
    c->cls->project(c, w, v, N);
    assert_int_equal(zeros_in(v, N), want);
    for (int k = 0; k < N && want > 0; k++) {
      assert_true((v[k] == 0.0f) == (fabsf(w[k]) <= fabsf(sorted[want - 1])));
      if (v[k] != 0.0f) assert_true(v[k] == w[k]);
    }
    assert_true(c->cls->settled(c));
    c->cls->destroy(c);
  }
  test_free(w);
  test_free(v);
  test_free(sorted);
}

static void mask_counts_ties_exactly(void **state) {
  float w[100], v[100];
  for (int i = 0; i < 100; i++) w[i] = i % 2 ? 0.5f : -0.5f;
  th_constraint *c = mask((th_mask_options){.sparsity = 0.37f}, 100, flat(100));
  tick(c, w, 100, 0.0, 0, NULL);
  c->cls->project(c, w, v, 100);
  assert_int_equal(zeros_in(v, 100), 37);
  c->cls->destroy(c);
}

/* Zhu & Gupta's equation at each update; what is pruned never returns; the end is exact. */
static void mask_grows_along_the_polynomial(void **state) {
  float *w = random_weights(N, 2), *v = test_malloc(N * sizeof *v);
  uint8_t gone[N] = {0};
  th_mask_options o = {.sparsity = 0.9f, .schedule = TH_PRUNE_POLYNOMIAL, .begin = 0.1f, .end = 0.7f};
  th_constraint *c = mask(o, N, flat(N));
  th_rng rng = th_rng_init(8, 8);
  for (int step = 0; step <= 200; step++) {
    double progress = step / 200.0, part = (progress - (double)o.begin) / ((double)o.end - (double)o.begin);
    double left = 1 - (part < 0 ? 0 : part > 1 ? 1 : part), want = 0.9 * (1 - left * left * left);
    tick(c, w, N, progress, 0, NULL);
    c->cls->project(c, w, v, N);
    if (step % 2 == 0) assert_true(fabs((double)zeros_in(v, N) / N - want) < 1.1 / 3000 + 0.9 * 3 * 0.01 / 0.6);
    if (progress > 0.71) assert_int_equal(zeros_in(v, N), 2700);
    assert_true(c->cls->settled(c) == (progress >= (double)o.end));
    for (int i = 0; i < N; i++) {
      assert_true(!gone[i] || v[i] == 0.0f);
      gone[i] = v[i] == 0.0f;
      w[i] += 0.01f * th_rng_normal(&rng);
    }
  }
  c->cls->destroy(c);
  test_free(w);
  test_free(v);
}

static void mask_preserves_zeros(void **state) {
  float *w = random_weights(N, 3), *v = test_malloc(N * sizeof *v);
  for (int i = 0; i < N; i += 3) w[i] = 0.0f;
  th_constraint *c = mask((th_mask_options){.sparsity = -1.0f}, N, flat(N));
  tick(c, w, N, 0.0, 0, NULL);
  for (int i = 0; i < N; i++) w[i] += 1.0f;
  tick(c, w, N, 0.5, 1, NULL);
  c->cls->project(c, w, v, N);
  for (int i = 0; i < N; i++) assert_true(v[i] == (i % 3 ? w[i] : 0.0f));
  c->cls->destroy(c);
  test_free(w);
  test_free(v);
}

/* The weights of each output channel in storage order: rows[channel][...], every row `length` long. */
static void rows_of(const float *w, const th_shape *shape, int axis, int64_t length, float *rows) {
  const int64_t n = th_shape_elems(shape);
  int64_t filled[64] = {0};
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i, at[TH_MAX_RANK];
    for (int d = shape->rank - 1; d >= 0; d--) {
      at[d] = rest % shape->dim[d];
      rest /= shape->dim[d];
    }
    const int64_t c = shape->rank > 1 ? at[axis] : 0;
    rows[c * length + filled[c]++] = w[i];
  }
}

typedef struct rows_case {
  th_shape shape;
  int axis;
  int64_t channels;
  int m; /* weights of a group or block */
} rows_case;

/* Masks random weights; `rows` and `kept` are what went in and came out, channel by channel. */
static int64_t mask_rows(const rows_case *r, th_mask_options o, float *rows, float *kept) {
  const int64_t n = th_shape_elems(&r->shape), length = n / r->channels;
  float *w = random_weights(n, 4), *v = test_malloc((size_t)n * sizeof *v);
  o.channel_axis = r->axis;
  th_constraint *c = mask(o, n, r->shape);
  tick(c, w, n, 0.0, 0, NULL);
  c->cls->project(c, w, v, n);
  rows_of(w, &r->shape, r->axis, length, rows);
  rows_of(v, &r->shape, r->axis, length, kept);
  c->cls->destroy(c);
  test_free(w);
  test_free(v);
  return length;
}

static const rows_case in_rows[] = {
    {{4, {14, 3, 3, 10}}, 0, 14, 4}, /* convolution: rows of 90 */
    {{2, {5, 7}}, 0, 5, 4},          /* dense */
    {{4, {1, 3, 3, 6}}, 3, 6, 4},    /* depthwise: a channel's nine weights are not consecutive */
    {{2, {30, 8}}, 0, 30, 8},        /* rows that are whole blocks */
    {{1, {35}}, 0, 1, 8},            /* no channels: one row */
};
enum { IN_ROWS = sizeof in_rows / sizeof *in_rows, MOST_IN_ROWS = 1260 };

static void mask_keeps_n_of_m_within_a_channel(void **state) {
  float rows[MOST_IN_ROWS], kept[MOST_IN_ROWS];
  for (const rows_case *r = in_rows; r < in_rows + IN_ROWS; r++) {
    const th_mask_options o = {.granularity = TH_GRANULARITY_N_M, .block = 2, .keep_of = r->m};
    const int64_t length = mask_rows(r, o, rows, kept);
    for (int64_t at = 0; at < r->channels * length;) {
      const int64_t left = length - at % length, size = left < r->m ? left : r->m;
      float sorted[64];
      memcpy(sorted, rows + at, (size_t)size * sizeof *sorted);
      qsort(sorted, (size_t)size, sizeof *sorted, by_magnitude);
      assert_int_equal(zeros_in(kept + at, size), size > 2 ? size - 2 : 0);
      for (int64_t k = 0; k < size && size > 2; k++)
        assert_true((kept[at + k] != 0.0f) == (fabsf(rows[at + k]) >= fabsf(sorted[size - 2])));
      at += size;
    }
  }
}

static void mask_prunes_blocks_within_a_channel(void **state) {
  float rows[MOST_IN_ROWS], kept[MOST_IN_ROWS];
  for (const rows_case *r = in_rows; r < in_rows + IN_ROWS; r++) {
    const th_mask_options o = {.sparsity = 0.5f, .granularity = TH_GRANULARITY_BLOCK, .block = r->m};
    const int64_t length = mask_rows(r, o, rows, kept), blocks = r->channels * ((length + r->m - 1) / r->m);
    int64_t dead = 0;
    double dead_most = 0, live_least = 1e9;
    for (int64_t at = 0; at < r->channels * length;) {
      const int64_t left = length - at % length, size = left < r->m ? left : r->m;
      const int64_t zeros = zeros_in(kept + at, size);
      double mean = 0;
      for (int64_t k = 0; k < size; k++) mean += fabs((double)rows[at + k]) / (double)size;
      assert_true(zeros == 0 || zeros == size);
      if (zeros) dead_most = fmax(dead_most, mean);
      if (!zeros) live_least = fmin(live_least, mean);
      dead += zeros > 0;
      at += size;
    }
    assert_int_equal(dead, (blocks + 1) / 2);
    assert_true(dead_most < live_least + 1e-7);
  }
}

/* One threshold over two tensors of different spread: what survives anywhere is larger than what dies anywhere. */
static void mask_group_shares_one_threshold(void **state) {
  float *a = random_weights(N, 5), *b = random_weights(N, 6), *va = test_malloc(N * sizeof *va),
        *vb = test_malloc(N * sizeof *vb);
  for (int i = 0; i < N; i++) b[i] *= 1.5f;
  th_constraint *c[2] = {mask((th_mask_options){.sparsity = 0.8f}, N, flat(N)),
                         mask((th_mask_options){.sparsity = 0.8f}, N, flat(N))};
  FX_OK(th_mask_group(c, 2, false));
  tick(c[0], a, N, 0.0, 0, NULL);
  tick(c[1], b, N, 0.0, 0, NULL);
  c[0]->cls->project(c[0], a, va, N);
  c[1]->cls->project(c[1], b, vb, N);
  assert_int_equal(zeros_in(va, N) + zeros_in(vb, N), 4800);
  assert_true(zeros_in(va, N) > 1.1 * zeros_in(vb, N));
  float dead = 0.0f, live = 1e9f, *w[2] = {a, b}, *v[2] = {va, vb};
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N; i++) {
      if (v[k][i] == 0.0f) dead = fmaxf(dead, fabsf(w[k][i]));
      if (v[k][i] != 0.0f) live = fminf(live, fabsf(v[k][i]));
    }
  assert_true(dead < live);
  assert_int_equal(th_mask_group(c, 2, false), TH_ERR_USAGE); /* they have a group already */
  th_error_clear();
  for (int k = 0; k < 2; k++) c[k]->cls->destroy(c[k]);
  test_free(a);
  test_free(b);
  test_free(va);
  test_free(vb);
}

/* In units of the layers' deviations, two tensors that differ only by a factor lose the same weights. */
static void mask_group_measures_in_deviations(void **state) {
  float *a = random_weights(N, 5), *b = test_malloc(N * sizeof *b), *va = test_malloc(N * sizeof *va),
        *vb = test_malloc(N * sizeof *vb);
  for (int i = 0; i < N; i++) b[i] = 64.0f * a[i];
  th_constraint *c[2] = {mask((th_mask_options){.sparsity = 0.7f}, N, flat(N)),
                         mask((th_mask_options){.sparsity = 0.7f}, N, flat(N))};
  FX_OK(th_mask_group(c, 2, true));
  tick(c[0], a, N, 0.0, 0, NULL);
  tick(c[1], b, N, 0.0, 0, NULL);
  c[0]->cls->project(c[0], a, va, N);
  c[1]->cls->project(c[1], b, vb, N);
  assert_in_range(zeros_in(va, N), (int)(0.69 * N), (int)(0.71 * N));
  int different = 0;
  for (int i = 0; i < N; i++) different += (va[i] == 0.0f) != (vb[i] == 0.0f);
  assert_in_range(different, 0, 2); /* the two quotients may round differently at the threshold */
  for (int k = 0; k < 2; k++) c[k]->cls->destroy(c[k]);
  test_free(a);
  test_free(b);
  test_free(va);
  test_free(vb);
}

/* A tensor a thousand times smaller than the other would lose everything; a hundredth stays. */
static void mask_group_kills_no_layer(void **state) {
  float *a = random_weights(N, 5), *b = random_weights(N, 6), *va = test_malloc(N * sizeof *va);
  for (int i = 0; i < N; i++) a[i] *= 0.001f;
  th_constraint *c[2] = {mask((th_mask_options){.sparsity = 0.9f}, N, flat(N)),
                         mask((th_mask_options){.sparsity = 0.9f}, N, flat(N))};
  FX_OK(th_mask_group(c, 2, false));
  tick(c[0], a, N, 0.0, 0, NULL);
  tick(c[1], b, N, 0.0, 0, NULL);
  c[0]->cls->project(c[0], a, va, N);
  assert_int_equal(N - zeros_in(va, N), N / 100);
  for (int k = 0; k < 2; k++) c[k]->cls->destroy(c[k]);
  test_free(a);
  test_free(b);
  test_free(va);
}

/* Regrowth keeps the count, brings back the weights with the largest gradients, and these begin at zero and move. */
static void mask_regrows_by_gradient(void **state) {
  float *w = random_weights(N, 7), *v = test_malloc(N * sizeof *v), *grad = test_calloc(N, sizeof *grad);
  th_constraint *c = mask((th_mask_options){.sparsity = 0.9f, .regrow = true}, N, flat(N));
  tick(c, w, N, 0.0, 0, NULL);
  c->cls->project(c, w, v, N);
  assert_int_equal(zeros_in(v, N), 2700);
  int wanted = 0;
  while (v[wanted] != 0.0f) wanted++;
  grad[wanted] = 5.0f;
  tick(c, w, N, 0.1, 1, grad);
  float back = w[wanted];
  c->cls->project(c, w, v, N);
  assert_true(v[wanted] == 0.0f); /* grown, but from zero */
  w[wanted] += 0.25f;
  c->cls->project(c, w, v, N);
  assert_true(fabsf(v[wanted] - 0.25f) < 1e-6f);
  float d[N];
  for (int i = 0; i < N; i++) d[i] = 1.0f;
  c->cls->backward(c, w, d, d, N);
  int64_t alive = N - zeros_in(d, N);
  assert_int_equal(alive, 300);
  assert_true(d[wanted] == 1.0f);
  w[wanted] = back;
  c->cls->destroy(c);
  test_free(w);
  test_free(v);
  test_free(grad);
}

/* --- codebook --- */

static int distinct(const float *v, int64_t n, float *values, int most) {
  int count = 0;
  for (int64_t i = 0; i < n; i++) {
    int k = 0;
    while (k < count && values[k] != v[i]) k++;
    if (k == count && count < most) values[count++] = v[i];
  }
  return count;
}

static double squared_error(const float *a, const float *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
  return sum;
}

static void codebook_has_k_values_and_nearest_ones(void **state) {
  float *w = random_weights(N, 8), *v = test_malloc(N * sizeof *v), values[64];
  double linear_error = 0;
  th_shape shape = flat(N);
  for (int init = TH_CENTROID_LINEAR; init <= TH_CENTROID_KMEANSPP; init++) {
    th_constraint *c;
    th_codebook_options o = {
        .clusters = 16, .init = (th_centroid_init)init, .channel_axis = -1, .lloyd_iterations = 200, .seed = 2};
    FX_OK(th_codebook_create(&o, w, N, &shape, &c));
    c->cls->project(c, w, v, N);
    assert_int_equal(distinct(v, N, values, 64), 16);
    for (int i = 0; i < N; i++) {
      float nearest = values[0];
      for (int k = 1; k < 16; k++) nearest = fabsf(w[i] - values[k]) < fabsf(w[i] - nearest) ? values[k] : nearest;
      assert_true(fabsf(fabsf(v[i] - w[i]) - fabsf(nearest - w[i])) < 1e-6f);
    }
    const float *centroid;
    const uint16_t *index;
    assert_int_equal(th_codebook_values(c, &centroid, &index), 16);
    double mean[16] = {0}, count[16] = {0};
    for (int i = 0; i < N; i++) {
      assert_true(v[i] == centroid[index[i]]);
      mean[index[i]] += (double)w[i];
      count[index[i]]++;
    }
    for (int k = 0; k < 16; k++)
      assert_true(fabs(mean[k] / count[k] - (double)centroid[k]) < 2e-3); /* Lloyd converged */
    double error = squared_error(v, w, N);
    if (init == TH_CENTROID_LINEAR) linear_error = error;
    assert_true(error < 2.0 * linear_error && error < 0.02 * 0.01 * N);
    c->cls->destroy(c);
  }
  test_free(w);
  test_free(v);
}

static void codebook_pins_zero(void **state) {
  float *w = random_weights(N, 9), *v = test_malloc(N * sizeof *v), *d = test_malloc(N * sizeof *d);
  for (int i = 0; i < N; i++)
    if (i % 4) w[i] = 0.0f;
  th_constraint *c;
  th_shape shape = flat(N);
  th_codebook_options o = {.clusters = 8, .channel_axis = -1, .zero_pinned = true};
  FX_OK(th_codebook_create(&o, w, N, &shape, &c));
  th_optimizer sgd = th_optimizer_init(TH_OPTIMIZER_SGD, 0.9f, false, 0.0f);
  for (int step = 0; step < 5; step++) {
    tick(c, w, N, 0.1 * step, step, NULL);
    c->cls->project(c, w, v, N);
    for (int i = 0; i < N; i++) assert_true((v[i] == 0.0f) == (w[i] == 0.0f));
    for (int i = 0; i < N; i++) d[i] = 1.0f;
    c->cls->backward(c, w, d, d, N);
    for (int i = 0; i < N; i++) assert_true(d[i] == (w[i] == 0.0f ? 0.0f : 1.0f));
    th_optimizer_step(&sgd, 1e-4f);
    c->cls->update(c, &sgd);
  }
  const float *centroid;
  const uint16_t *index;
  th_codebook_values(c, &centroid, &index);
  assert_true(centroid[0] == 0.0f);
  for (int i = 0; i < N; i++) assert_true((index[i] == 0) == (w[i] == 0.0f));
  c->cls->destroy(c);
  test_free(w);
  test_free(v);
  test_free(d);
}

static double entropy(const uint16_t *index, int64_t n, int k) {
  double bits = 0;
  for (int c = 0; c < k; c++) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += index[i] == c;
    if (count) bits -= (double)count / (double)n * log2((double)count / (double)n);
  }
  return bits;
}

static void codebook_rate_term_lowers_entropy(void **state) {
  float *w = random_weights(N, 10);
  th_shape shape = flat(N);
  double bits[2];
  for (int rated = 0; rated < 2; rated++) {
    th_constraint *c;
    const float *centroid;
    const uint16_t *index;
    th_codebook_options o = {.clusters = 32, .channel_axis = -1, .rate_lambda = rated ? 0.02f : 0.0f};
    FX_OK(th_codebook_create(&o, w, N, &shape, &c));
    for (int epoch = 1; epoch < 10; epoch++) tick(c, w, N, 0.05 * epoch, epoch, NULL);
    th_codebook_values(c, &centroid, &index);
    bits[rated] = entropy(index, N, 32);
    c->cls->destroy(c);
  }
  assert_true(bits[1] < bits[0] - 0.3);
  test_free(w);
}

/* Per channel, power scales, on the grid: values are scale times an integer exactly, the scales are few. */
static void codebook_finishes_on_its_grid(void **state) {
  enum { C = 12, M = 250 };
  float *w = random_weights(C * M, 11), *v = test_malloc(C * M * sizeof *v);
  for (int i = 0; i < C * M; i++) w[i] *= 1.0f + (float)(i / M) * 0.3f;
  th_shape shape = th_shape_make(2, C, M);
  th_constraint *c;
  th_codebook_options o = {.clusters = 16, .channel_axis = 0, .power_scales = true, .grid_bits = 8};
  FX_OK(th_codebook_create(&o, w, C * M, &shape, &c));
  c->cls->finish(c, w, v, C * M);
  const float *scale, *level;
  const uint16_t *index;
  int axis;
  assert_int_equal(c->cls->scales(c, &scale, &axis), C);
  assert_int_equal(axis, 0);
  th_codebook_values(c, &level, &index);
  for (int i = 0; i < C * M; i++) {
    float q = level[index[i]];
    assert_true(q == (float)(int)q && fabsf(q) <= 127.0f);
    assert_true(v[i] == scale[i / M] * q);
  }
  for (int ch = 1; ch < C; ch++) { /* ratios are powers of 2^(1/4) */
    double k = 4 * log2((double)scale[ch] / (double)scale[0]);
    assert_true(fabs(k - round(k)) < 1e-4);
  }
  assert_true(squared_error(v, w, C * M) < 0.02 * squared_error(w, w + 1, C * M - 1));

  /* starting from the clustered tensor keeps every bit */
  th_constraint *again;
  float *same = test_malloc(C * M * sizeof *same);
  th_codebook_options keep = o;
  keep.init = TH_CENTROID_KEEP;
  keep.keep_scales = scale;
  FX_OK(th_codebook_create(&keep, v, C * M, &shape, &again));
  again->cls->project(again, v, same, C * M);
  assert_memory_equal(same, v, C * M * sizeof *v);
  again->cls->destroy(again);
  keep.clusters = 3;
  assert_int_equal(th_codebook_create(&keep, v, C * M, &shape, &again), TH_ERR_INPUT);
  th_error_clear();
  c->cls->destroy(c);
  test_free(same);
  test_free(w);
  test_free(v);
}

/* --- grid --- */

static void grid_weights_are_on_the_grid(void **state) {
  enum { C = 5, M = 60 };
  const int axes[] = {-1, 0, 2};
  for (int a = 0; a < 3; a++) {
    float *w = random_weights(C * M * 4, 12), v[C * M * 4], d[C * M * 4];
    th_shape shape = th_shape_make(3, C, M, 4);
    for (int bits = 2; bits <= 8; bits += 3) {
      th_constraint *c;
      FX_OK(th_grid_create(&(th_grid_options){.bits = bits, .symmetric = true, .channel_axis = axes[a], .freeze_at = 1},
                           w, C * M * 4, &shape, &c));
      tick(c, w, C * M * 4, 0.0, 0, NULL);
      c->cls->project(c, w, v, C * M * 4);
      const float *scale;
      int axis, q_max = (1 << (bits - 1)) - 1, n = c->cls->scales(c, &scale, &axis);
      assert_int_equal(n, a == 0 ? 1 : a == 1 ? C : 4);
      float reached[C] = {0};
      for (int i = 0; i < C * M * 4; i++) {
        int ch = a == 0 ? 0 : a == 1 ? i / (M * 4) : i % 4;
        float q = roundf(v[i] / scale[ch]);
        assert_true(v[i] == scale[ch] * q && fabsf(q) <= (float)q_max);
        assert_true(fabsf(v[i] - w[i]) <= 0.5001f * scale[ch]);
        reached[ch] = fmaxf(reached[ch], fabsf(q));
        d[i] = 2.0f;
      }
      for (int ch = 0; ch < n; ch++) assert_true(reached[ch] == (float)q_max); /* observed: the largest uses all */
      c->cls->backward(c, w, d, d, C * M * 4);
      for (int i = 0; i < C * M * 4; i++) assert_true(d[i] == 2.0f);
      c->cls->destroy(c);
    }
    test_free(w);
  }
}

/* One SGD step without momentum moves the scale by -lr sum g (q - v) / sqrt(N Q): LSQ, eq. 3. */
/* With a rate, each weight takes the level of least (v - k)^2 - rate * mean v^2 * log2 P(k) among those from the
 * nearest to zero, by the shares that were counted last; masked weights stay zero. */
static void grid_with_a_rate_takes_cheap_levels(void **state) {
  enum { COUNT = 4000 };
  static float w[COUNT], plain[COUNT], cheap[COUNT];
  const th_shape shape = th_shape_make(1, COUNT);
  const float scale = 0.5f;
  th_rng rng = th_rng_init(3, 0);
  double entropy[2];
  for (int i = 0; i < COUNT; i++) w[i] = th_rng_below(&rng, 4) ? th_rng_normal(&rng) : 0.0f;
  for (int r = 0; r < 2; r++) {
    th_constraint *c;
    float *out = r ? cheap : plain;
    FX_OK(th_grid_create(&(th_grid_options){.bits = 4,
                                            .symmetric = true,
                                            .channel_axis = -1,
                                            .range = TH_RANGE_LEARNED,
                                            .begin = &scale,
                                            .rate = r ? 0.05f : 0.0f,
                                            .freeze_at = 1},
                         w, COUNT, &shape, &c));
    FX_OK(c->cls->tick(c, w, COUNT, &(th_tick){.step = 0}));
    c->cls->project(c, w, out, COUNT);
    int count[15] = {0};
    for (int i = 0; i < COUNT; i++) count[lrintf(out[i] / scale) + 7]++;
    entropy[r] = 0;
    for (int k = 0; k < 15; k++)
      if (count[k]) entropy[r] += count[k] * log2((double)COUNT / count[k]) / COUNT;
    c->cls->destroy(c);
  }
  int given_up = 0;
  for (int i = 0; i < COUNT; i++) {
    assert_true(w[i] != 0.0f || cheap[i] == 0.0f);
    assert_true(fabsf(cheap[i]) <= fabsf(plain[i]) + 1e-6f && cheap[i] * plain[i] >= 0.0f);
    given_up += cheap[i] != plain[i];
  }
  assert_true(given_up > COUNT / 50 && entropy[1] < 0.95 * entropy[0]);
}

static void grid_learns_the_step_of_lsq(void **state) {
  float *w = random_weights(N, 13), *g = random_weights(N, 14), d[N];
  th_constraint *c;
  th_shape shape = flat(N);
  FX_OK(th_grid_create(
      &(th_grid_options){.bits = 3, .symmetric = true, .channel_axis = -1, .range = TH_RANGE_LEARNED, .freeze_at = 1},
      w, N, &shape, &c));
  tick(c, w, N, 0.0, 0, NULL);
  const float *scale;
  th_grid_scales(c, &scale, NULL);
  double s = (double)scale[0], sum = 0;
  for (int i = 0; i < N; i++) {
    double v = (double)w[i] / s, at = v > 3 ? 3 : v < -3 ? -3 : v;
    sum += (double)g[i] * (round(at) - (fabs(v) <= 3 ? v : 0));
  }
  c->cls->backward(c, w, g, d, N);
  for (int i = 0; i < N; i++) assert_true(d[i] == (fabs((double)w[i] / s) <= 3 ? g[i] : 0.0f));
  th_optimizer o = th_optimizer_init(TH_OPTIMIZER_SGD, 0.0f, false, 0.0f);
  th_optimizer_step(&o, 0.01f);
  c->cls->update(c, &o);
  double want = s - (double)0.01f * sum / sqrt(N * 3.0);
  assert_true(fabs((double)scale[0] - want) < 1e-6 * s + 1e-2 * fabs(want - s));
  assert_true(fabs(want - s) > 1e-6 * s);
  tick(c, w, N, 1.0, 1, NULL); /* frozen from here on */
  float frozen = scale[0];
  c->cls->update(c, &o);
  assert_true(scale[0] == frozen);
  c->cls->destroy(c);
  test_free(w);
  test_free(g);
}

static th_constraint *activation_grid(th_range range, float lo, float hi) {
  th_constraint *c;
  FX_OK(th_grid_create(
      &(th_grid_options){.bits = 8, .channel_axis = -1, .range = range, .freeze_at = 1, .lo = lo, .hi = hi}, NULL, 0,
      NULL, &c));
  return c;
}

static void grid_activations_have_exact_zero(void **state) {
  const float ranges[][2] = {{-1.0f, 3.0f}, {0.0f, 6.0f}, {-0.37f, 0.11f}, {-5.0f, 0.0f}, {0.5f, 2.0f}};
  for (int r = 0; r < 5; r++) {
    th_constraint *c = activation_grid(TH_RANGE_OBSERVED, ranges[r][0], ranges[r][1]);
    const float *scale;
    const int32_t *zero;
    assert_int_equal(th_grid_scales(c, &scale, &zero), 1);
    assert_true(*zero >= -128 && *zero <= 127);
    float in[101], out[101], origin = 0.0f, at;
    th_grid_apply(c, &origin, &at, 1, NULL);
    assert_true(at == 0.0f);
    for (int i = 0; i <= 100; i++) in[i] = -6.0f + 0.12f * (float)i;
    th_grid_apply(c, in, out, 101, NULL);
    for (int i = 0; i <= 100; i++) {
      float q = roundf(out[i] / *scale) + (float)*zero;
      assert_true(q >= -128 && q <= 127 && fabsf(out[i] - *scale * (q - (float)*zero)) < 1e-6f);
      float clamped = fminf(fmaxf(in[i], fminf(ranges[r][0], 0)), ranges[r][1]);
      assert_true(fabsf(out[i] - clamped) <= 1.01f * *scale);
    }
    c->cls->destroy(c);
  }
}

static void grid_observes_a_moving_range(void **state) {
  th_constraint *c = activation_grid(TH_RANGE_OBSERVED, 0.0f, 0.0f);
  th_grid_part parts[2] = {th_grid_part_empty(), th_grid_part_empty()};
  const float a[2] = {-1.0f, 0.5f}, b[2] = {0.0f, 3.0f};
  float out[2];
  const float *scale;
  for (int step = 0; step < 3; step++) {
    th_grid_apply(c, a, out, 2, &parts[0]);
    th_grid_apply(c, b, out, 2, &parts[1]);
    th_grid_observe(c, parts, 2);
    th_grid_scales(c, &scale, NULL);
    assert_true(fabsf(*scale - 4.0f / 255) < 1e-6f); /* [-1, 3], from the first step on */
  }
  const float wide[2] = {-1.0f, 5.0f};
  th_grid_apply(c, wide, out, 2, &parts[0]);
  th_grid_observe(c, parts, 2);
  assert_true(*scale > 4.0f / 255 && *scale < 4.2f / 255); /* one outlier moves it a little */
  c->cls->destroy(c);
}

/* Ends of a learned range: clipped values pull their end, rounding errors pull both. */
static void grid_learns_activation_ends(void **state) {
  th_constraint *c = activation_grid(TH_RANGE_LEARNED, -1.0f, 1.0f);
  th_grid_part part = th_grid_part_empty();
  const float in[4] = {2.0f, -3.0f, 0.3f, 0.0f};
  float d[4] = {1.0f, 10.0f, 100.0f, 1000.0f};
  const float *scale;
  const int32_t *zero;
  th_grid_scales(c, &scale, &zero);
  double v = (double)in[2] / (double)*scale, inside = 100.0 * (round(v) - v) / 255.0;
  th_grid_apply_backward(c, in, d, 4, &part);
  assert_true(d[0] == 0.0f && d[1] == 0.0f && d[2] == 100.0f && d[3] == 1000.0f);
  assert_true(fabs(part.d_hi - (1.0 + inside)) < 1e-3 && fabs(part.d_lo - (10.0 - inside)) < 1e-3);
  th_grid_learn(c, &part, 1, 4);
  th_optimizer o = th_optimizer_init(TH_OPTIMIZER_SGD, 0.0f, false, 0.0f);
  th_optimizer_step(&o, 1e-6f);
  float before = *scale;
  c->cls->update(c, &o); /* lo falls and hi falls by descent: lo by ten times as much, so the range grows */
  assert_true(*scale > before);
  c->cls->destroy(c);
}

/* --- stacks --- */

typedef struct stacked {
  th_graph *g;
  th_constraints *cs;
  int tensor;
  int64_t n;
} stacked;

static stacked stack_all(int bits) {
  stacked s = {.g = fx_mlp(24, 4, 1)};
  th_constraint *c;
  s.tensor = fx_find(s.g, "fc_w");
  const th_tensor *w = &s.g->tensors[s.tensor];
  s.n = th_shape_elems(&w->shape);
  FX_OK(th_constraints_create(s.g, &s.cs));
  FX_OK(th_mask_create(&(th_mask_options){.sparsity = 0.75f}, s.n, &w->shape, &c));
  FX_OK(th_constraints_add(s.cs, s.tensor, c));
  FX_OK(th_codebook_create(
      &(th_codebook_options){.clusters = 9, .zero_pinned = true, .channel_axis = -1, .rate_lambda = 0.001f}, w->data,
      s.n, &w->shape, &c));
  FX_OK(th_constraints_add(s.cs, s.tensor, c));
  FX_OK(th_grid_create(&(th_grid_options){.bits = bits, .symmetric = true, .channel_axis = 0, .freeze_at = 1}, w->data,
                       s.n, &w->shape, &c));
  FX_OK(th_constraints_add(s.cs, s.tensor, c));
  return s;
}

/* After a real fit all three promises hold at once, and the graph says so. */
static void stacked_constraints_all_hold(void **state) {
  th_dataset d = fx_dataset(320, 100, 4, 0.7f);
  stacked s = stack_all(8);
  th_constraint *act;
  int relu = s.g->nodes[2].out[0];
  FX_OK(th_grid_create(&(th_grid_options){.bits = 8, .channel_axis = -1, .freeze_at = 1}, NULL, 0, NULL, &act));
  FX_OK(th_constraints_add_activation(s.cs, relu, act));
  assert_int_equal(th_constraints_depth(s.cs, s.tensor), 3);
  th_train_options o;
  th_train_defaults(&o);
  o.epochs = 5;
  o.batch = 32;
  o.lr = 0.02f;
  o.constraints = s.cs;
  th_train_result result;
  FX_OK(th_train_run(s.g, &d, &o, &result));
  assert_true(result.val_accuracy > 0.95);
  const th_tensor *w = &s.g->tensors[s.tensor];
  const float *v = w->data;
  assert_int_equal(zeros_in(v, s.n), (int64_t)(0.75 * (double)s.n + 0.5));
  assert_int_equal(w->quant.count, 24);
  assert_int_equal(w->quant.axis, 0);
  for (int64_t i = 0; i < s.n; i++) {
    float scale = w->quant.scale[i / FX_ELEMS], q = roundf(v[i] / scale);
    assert_true(v[i] == scale * q && fabsf(q) <= 127.0f);
  }
  for (int row = 0; row < 24; row++) { /* eight shared values at most, on each row's grid, and zero */
    float values[16];
    assert_true(distinct(v + row * FX_ELEMS, FX_ELEMS, values, 16) <= 9);
  }
  assert_int_equal(s.g->tensors[relu].quant.count, 1);
  assert_int_equal(s.g->tensors[relu].quant.zero[0], -128);
  assert_int_equal(s.g->tensors[fx_find(s.g, "fc_b")].quant.count, 0);
  th_constraints_destroy(s.cs);
  th_graph_destroy(s.g);
  fx_dataset_free(&d);
}

static void without_epochs_constraints_still_finish(void **state) {
  th_dataset d = fx_dataset(64, 32, 4, 0.7f);
  stacked s = stack_all(8);
  th_train_options o;
  th_train_defaults(&o);
  o.epochs = 0;
  o.constraints = s.cs;
  FX_OK(th_train_run(s.g, &d, &o, NULL));
  assert_int_equal(zeros_in(s.g->tensors[s.tensor].data, s.n), (int64_t)(0.75 * (double)s.n + 0.5));
  assert_int_equal(s.g->tensors[s.tensor].quant.count, 24);
  th_constraints_destroy(s.cs);
  th_graph_destroy(s.g);
  fx_dataset_free(&d);
}

/* keep_best may not choose an epoch in which the mask was still growing, however accurate. */
static void the_best_epoch_is_a_pruned_one(void **state) {
  th_dataset d = fx_dataset(320, 100, 4, 1.5f);
  th_graph *g = fx_mlp(24, 4, 1);
  th_constraints *cs;
  th_constraint *c;
  int t = fx_find(g, "fc_w");
  int64_t n = th_shape_elems(&g->tensors[t].shape);
  FX_OK(th_constraints_create(g, &cs));
  FX_OK(th_mask_create(&(th_mask_options){.sparsity = 0.95f, .schedule = TH_PRUNE_POLYNOMIAL, .end = 1.0f}, n,
                       &g->tensors[t].shape, &c));
  FX_OK(th_constraints_add(cs, t, c));
  th_train_options o;
  th_train_defaults(&o);
  o.epochs = 4;
  o.batch = 32;
  o.lr = 0.02f;
  o.constraints = cs;
  th_train_result result;
  FX_OK(th_train_run(g, &d, &o, &result));
  assert_int_equal(result.best_epoch, 4);
  assert_int_equal(zeros_in(g->tensors[t].data, n), (int64_t)(0.95 * (double)n + 0.5));
  th_constraints_destroy(cs);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

static void misuse_is_refused(void **state) {
  th_constraint *c;
  th_shape shape = flat(10);
  float w[10] = {0};
  assert_int_equal(th_mask_create(&(th_mask_options){.sparsity = 1.5f}, 10, &shape, &c), TH_ERR_USAGE);
  assert_int_equal(th_mask_create(&(th_mask_options){.granularity = TH_GRANULARITY_BLOCK}, 10, &shape, &c),
                   TH_ERR_USAGE);
  assert_int_equal(
      th_mask_create(&(th_mask_options){.granularity = TH_GRANULARITY_N_M, .block = 5, .keep_of = 4}, 10, &shape, &c),
      TH_ERR_USAGE);
  assert_int_equal(
      th_mask_create(&(th_mask_options){.granularity = TH_GRANULARITY_BLOCK, .block = 4, .channel_axis = 2}, 10,
                     &(th_shape){2, {5, 2}}, &c),
      TH_ERR_USAGE);
  assert_int_equal(th_codebook_create(&(th_codebook_options){.clusters = 0}, w, 10, &shape, &c), TH_ERR_USAGE);
  assert_int_equal(th_codebook_create(&(th_codebook_options){.clusters = 4, .channel_axis = 3}, w, 10, &shape, &c),
                   TH_ERR_USAGE);
  assert_int_equal(
      th_grid_create(&(th_grid_options){.bits = 1, .symmetric = true, .channel_axis = -1}, w, 10, &shape, &c),
      TH_ERR_USAGE);
  th_error_clear();
  th_graph *g = fx_mlp(8, 4, 1);
  th_constraints *cs;
  FX_OK(th_constraints_create(g, &cs));
  FX_OK(th_mask_create(&(th_mask_options){.sparsity = 0.5f}, 10, &shape, &c));
  assert_int_equal(th_constraints_add(cs, g->inputs[0], c), TH_ERR_USAGE); /* takes c, also on failure */
  th_error_clear();
  FX_OK(th_mask_create(&(th_mask_options){.sparsity = 0.5f}, 10, &shape, &c));
  assert_int_equal(th_constraints_add_activation(cs, g->inputs[0], c), TH_ERR_USAGE);
  th_error_clear();
  th_constraints_destroy(cs);
  th_graph_destroy(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(select_finds_the_kth),
      cmocka_unit_test(mask_zeroes_exactly_the_smallest),
      cmocka_unit_test(mask_counts_ties_exactly),
      cmocka_unit_test(mask_grows_along_the_polynomial),
      cmocka_unit_test(mask_preserves_zeros),
      cmocka_unit_test(mask_keeps_n_of_m_within_a_channel),
      cmocka_unit_test(mask_prunes_blocks_within_a_channel),
      cmocka_unit_test(mask_group_shares_one_threshold),
      cmocka_unit_test(mask_group_measures_in_deviations),
      cmocka_unit_test(mask_group_kills_no_layer),
      cmocka_unit_test(mask_regrows_by_gradient),
      cmocka_unit_test(codebook_has_k_values_and_nearest_ones),
      cmocka_unit_test(codebook_pins_zero),
      cmocka_unit_test(codebook_rate_term_lowers_entropy),
      cmocka_unit_test(codebook_finishes_on_its_grid),
      cmocka_unit_test(grid_weights_are_on_the_grid),
      cmocka_unit_test(grid_with_a_rate_takes_cheap_levels),
      cmocka_unit_test(grid_learns_the_step_of_lsq),
      cmocka_unit_test(grid_activations_have_exact_zero),
      cmocka_unit_test(grid_observes_a_moving_range),
      cmocka_unit_test(grid_learns_activation_ends),
      cmocka_unit_test(stacked_constraints_all_hold),
      cmocka_unit_test(without_epochs_constraints_still_finish),
      cmocka_unit_test(the_best_epoch_is_a_pruned_one),
      cmocka_unit_test(misuse_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
