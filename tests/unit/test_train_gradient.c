/* Gradients of the whole loss against central differences, through batch norm, shared buffers, masks and codebooks; the
 * loss itself against formulas written out in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "train/net.h"
#include "train_fixture.h"

#define BATCH 40
#define CLASSES 4

typedef struct bench {
  th_graph *g;
  th_net *net;
  th_loss loss;
  int32_t labels[BATCH];
} bench;

static bench bench_open_keeping(th_graph *g, const th_constraints *cs, const bool *kept) {
  bench b = {.g = g};
  FX_OK(th_net_create_keeping(g, cs, BATCH, true, kept, &b.net));
  th_rng rng = th_rng_init(5, 5);
  for (int i = 0; i < BATCH * FX_ELEMS; i++) th_net_input(b.net)[i] = th_rng_normal(&rng);
  for (int i = 0; i < BATCH; i++) b.labels[i] = (int32_t)th_rng_below(&rng, CLASSES);
  for (int i = 0; i < b.net->n_params; i++) { /* biases off zero: rectified zeros would sit exactly on the kink */
    const th_param *p = &b.net->params[i];
    for (int64_t k = 0; k < p->elems && !p->is_weight; k++) b.net->shadow[p->at + k] += 0.2f * th_rng_normal(&rng);
  }
  b.loss = (th_loss){.outputs = CLASSES, .beta = 1.0f, .smoothing = 0.1f};
  return b;
}

static bench bench_open(th_graph *g, const th_constraints *cs) {
  return bench_open_keeping(g, cs, NULL);
}

static void bench_close(bench *b) {
  th_net_destroy(b->net);
  th_graph_destroy(b->g);
}

static double forward(bench *b) {
  th_loss_sum sum = {0};
  b->loss.labels = b->labels;
  FX_OK(th_net_forward(b->net, BATCH, true, 3, 1));
  th_loss_eval(&b->loss, th_net_logits(b->net), NULL, 0, BATCH, BATCH, &sum);
  for (int i = 0; b->loss.match && i < b->loss.match->n; i++) {
    const th_net_tensor *t = &b->net->tensors[b->loss.match->pair[i].student];
    float *unused = test_calloc((size_t)(BATCH * t->elems), sizeof *unused);
    sum.loss += th_match_eval(b->loss.match, i, t->seen, unused, 0, BATCH, BATCH);
    test_free(unused);
  }
  return sum.loss / BATCH;
}

/* Derivative of the loss along a random direction of one block of weights: by differences, and by the gradient. */
static void check_direction(bench *b, float *w, const float *gradient, int64_t n, const char *name, double tolerance) {
  float *kept = test_malloc((size_t)n * sizeof *kept), *direction = test_malloc((size_t)n * sizeof *direction);
  th_rng rng = th_rng_init(11, (uint64_t)n);
  double by_gradient = 0.0, norm = 0.0, size = 0.0, step = 2e-3;
  memcpy(kept, w, (size_t)n * sizeof *kept);
  for (int64_t i = 0; i < n; i++) { /* mostly along the gradient, so that the derivative is not lost in noise */
    size += (double)gradient[i] * (double)gradient[i];
  }
  for (int64_t i = 0; i < n; i++) {
    direction[i] = th_rng_normal(&rng) + 3.0f * gradient[i] / (float)(sqrt(size / (double)n) + 1e-12);
    norm += (double)direction[i] * (double)direction[i];
  }
  norm = sqrt(norm);
  for (int64_t i = 0; i < n; i++) by_gradient += (double)gradient[i] * (double)direction[i] / norm;
  for (int64_t i = 0; i < n; i++) w[i] = kept[i] + (float)(step * (double)direction[i] / norm);
  double up = forward(b);
  for (int64_t i = 0; i < n; i++) w[i] = kept[i] - (float)(step * (double)direction[i] / norm);
  double down = forward(b), by_difference = (up - down) / (2.0 * step);
  memcpy(w, kept, (size_t)n * sizeof *kept);
  if (!(fabs(by_gradient - by_difference) <= tolerance * fabs(by_difference) + 2e-4))
    fail_msg("%s: gradient %g, difference %g", name, by_gradient, by_difference);
  test_free(kept);
  test_free(direction);
}

static void backward(bench *b) {
  th_loss_sum sum = {0};
  double loss = forward(b);
  FX_OK(th_net_backward(b->net, &b->loss, 3, 1, &sum));
  assert_true(fabs(sum.loss / BATCH - loss) < 1e-9);
}

static void check_all(bench *b, double tolerance) {
  backward(b);
  float *gradient = test_malloc((size_t)b->net->param_elems * sizeof *gradient);
  memcpy(gradient, b->net->gradient, (size_t)b->net->param_elems * sizeof *gradient);
  assert_true(b->net->n_params >= 8);
  for (int i = 0; i < b->net->n_params; i++) {
    const th_param *p = &b->net->params[i];
    check_direction(b, b->net->shadow + p->at, gradient + p->at, p->elems, b->g->tensors[p->tensor].name, tolerance);
  }
  test_free(gradient);
}

static void of_a_smooth_residual_net(void **state) {
  bench b = bench_open(fx_residual(TH_OP_TANH, CLASSES, false, 2), NULL);
  check_all(&b, 0.02);
  bench_close(&b);
}

static void of_a_net_with_kinks_and_dropout(void **state) {
  bench b = bench_open(fx_residual(TH_OP_RELU, CLASSES, true, 3), NULL);
  check_all(&b, 0.03);
  bench_close(&b);
}

static th_graph *separable_net(th_op_id activation) {
  fx_net b = fx_begin();
  for (int layer = 0; layer < 3; layer++) {
    if (layer == 1)
      fx_depthwise(&b);
    else
      fx_conv(&b, 32, 3);
    fx_batch_norm(&b, 0.9f);
    th_node *n = fx_node(&b, activation, NULL, 0);
    n->attr[TH_ATTR_ALPHA].f = 0;
    fx_infer(&b, n);
  }
  fx_dense(&b, CLASSES);
  return fx_end(&b, 6);
}

static int count_passing(const bench *b) {
  int n = 0;
  for (int t = 0; t < b->g->n_tensors; t++) n += b->net->tensors[t].passing;
  return n;
}

/* A leaky relu that leaks nothing is a relu, but one that takes its own pass and is kept for the way back. */
static void of_relus_made_by_batch_norms(void **state) {
  bench made = bench_open(separable_net(TH_OP_RELU), NULL), apart = bench_open(separable_net(TH_OP_LEAKY_RELU), NULL);
  assert_int_equal(count_passing(&made), 4);
  assert_int_equal(count_passing(&apart), 0);
  backward(&made);
  backward(&apart);
  assert_int_equal(made.net->param_elems, apart.net->param_elems);
  for (int64_t i = 0; i < made.net->param_elems; i++)
    assert_true(made.net->gradient[i] == apart.net->gradient[i]); /* 0 may be -0 */
  check_all(&made, 0.03);
  bench_close(&made);
  bench_close(&apart);
}

static void fx_transpose_conv(fx_net *b, int oc) {
  int ic = b->g->tensors[b->at].shape.dim[3];
  int in[2] = {fx_const(b, "tc_w", th_shape_make(4, oc, 3, 3, ic)), fx_const(b, "tc_b", th_shape_make(1, oc))};
  th_node *n = fx_node(b, TH_OP_TRANSPOSE_CONV2D, in, 2);
  n->attr[TH_ATTR_STRIDE_Y].i = n->attr[TH_ATTR_STRIDE_X].i = 2;
  n->attr[TH_ATTR_PAD_TOP].i = n->attr[TH_ATTR_PAD_LEFT].i = 1;
  fx_infer(b, n);
}

/* Three parts: one is read twice, one once, one by nobody but a node that leads nowhere. */
static th_graph *split_net(void) {
  fx_net b = fx_begin();
  const int32_t perm[4] = {0, 2, 3, 1};
  th_shape four = th_shape_make(1, 4), any = th_shape_make(2, 1, 1);
  int part[3], order, id, joined, dense;
  FX_OK(th_graph_add_const(b.g, "perm", TH_DTYPE_S32, &four, perm, &order));
  fx_conv(&b, 12, 3);
  for (int i = 0; i < 3; i++) FX_OK(th_graph_add_tensor(b.g, "part", TH_DTYPE_F32, &any, &part[i]));
  FX_OK(th_graph_add_node(b.g, b.g->n_nodes, TH_OP_SPLIT, "split", &b.at, 1, part, 3, &id));
  fx_infer(&b, &b.g->nodes[id]);
  b.at = part[2];
  fx_simple(&b, TH_OP_RELU);
  b.at = part[1];
  fx_transpose_conv(&b, 4);
  fx_simple(&b, TH_OP_TANH); /* 10 x 10 */
  fx_dense(&b, 16);
  dense = b.at;
  b.at = part[0];
  fx_conv(&b, 4, 1);
  fx_simple(&b, TH_OP_TANH);
  joined = b.at;
  b.at = part[0];
  fx_add(&b, joined);
  fx_infer(&b, fx_node(&b, TH_OP_TRANSPOSE, &order, 1));
  fx_dense(&b, 16);
  fx_add(&b, dense);
  fx_dense(&b, CLASSES);
  return fx_end(&b, 9);
}

static void through_split_and_transpose(void **state) {
  bench b = bench_open(split_net(), NULL);
  check_all(&b, 0.02);
  bench_close(&b);
}

static void with_a_teacher(void **state) {
  bench b = bench_open(fx_residual(TH_OP_TANH, CLASSES, false, 4), NULL);
  float teacher[BATCH * CLASSES];
  th_rng rng = th_rng_init(1, 2);
  for (int i = 0; i < BATCH * CLASSES; i++) teacher[i] = 3.0f * th_rng_normal(&rng);
  b.loss.teacher = teacher;
  b.loss.temperature = 3.0f;
  b.loss.alpha = 0.7f;
  check_all(&b, 0.02);
  bench_close(&b);
}

/* Targets as if a teacher of the same shapes had made them; with relus made by batch norms, which else keep nothing. */
static void check_match(th_match_kind kind, th_graph *g, int pairs, double tolerance) {
  th_match m;
  bool *kept = test_calloc((size_t)g->n_tensors, sizeof *kept);
  float *targets[TH_MOST_PAIRS];
  FX_OK(th_match_find(kind, 3.0f, g, g, &m));
  assert_int_equal(m.n, pairs);
  for (int i = 0; i < m.n; i++) {
    const int64_t n = BATCH * th_shape_elems(&g->tensors[m.pair[i].teacher].shape);
    th_rng rng = th_rng_init(21, (uint64_t)i);
    kept[m.pair[i].student] = true;
    m.pair[i].target = targets[i] = test_malloc((size_t)n * sizeof(float));
    for (int64_t k = 0; k < n; k++) targets[i][k] = th_rng_normal(&rng);
  }
  bench b = bench_open_keeping(g, NULL, kept);
  b.loss.match = &m;
  check_all(&b, tolerance);
  bench_close(&b);
  for (int i = 0; i < m.n; i++) test_free(targets[i]);
  test_free(kept);
}

static void with_matched_attention(void **state) {
  check_match(TH_MATCH_ATTENTION, fx_residual(TH_OP_TANH, CLASSES, false, 4), 2, 0.02);
  check_match(TH_MATCH_ATTENTION, separable_net(TH_OP_RELU), 1, 0.03);
}

static void with_matched_features(void **state) {
  check_match(TH_MATCH_FEATURES, fx_residual(TH_OP_TANH, CLASSES, false, 4), 3, 0.02);
  check_match(TH_MATCH_FEATURES, separable_net(TH_OP_RELU), 1, 0.03);
}

/* The walk cuts a batch of 40 into one lane; 130 has 4 lanes and sums private gradients: the same gradient as the mean
 * over the batch by differences. */
static void check_lanes(th_graph *g) {
  enum { MANY = 130 };
  th_net *net;
  int32_t labels[MANY];
  FX_OK(th_net_create(g, NULL, MANY, true, &net));
  assert_true(net->lanes > 1 && net->chunks_per_lane >= 1);
  th_rng rng = th_rng_init(9, 9);
  for (int i = 0; i < MANY * FX_ELEMS; i++) th_net_input(net)[i] = th_rng_normal(&rng);
  for (int i = 0; i < MANY; i++) labels[i] = (int32_t)th_rng_below(&rng, CLASSES);
  th_loss loss = {.outputs = CLASSES, .beta = 1.0f, .labels = labels};
  th_loss_sum sum = {0};
  FX_OK(th_net_forward(net, MANY, true, 0, 0));
  FX_OK(th_net_backward(net, &loss, 0, 0, &sum));
  for (int i = 0; i < net->n_params; i++) {
    const th_param *p = &net->params[i];
    float *w = net->shadow + p->at, kept = w[0], analytic = net->gradient[p->at];
    double at[2], step = 1e-2;
    for (int side = 0; side < 2; side++) {
      th_loss_sum s = {0};
      w[0] = kept + (float)(side ? step : -step);
      FX_OK(th_net_forward(net, MANY, true, 0, 0));
      th_loss_eval(&loss, th_net_logits(net), NULL, 0, MANY, MANY, &s);
      at[side] = s.loss / MANY;
    }
    w[0] = kept;
    double difference = (at[1] - at[0]) / (2 * step);
    if (fabs(difference - (double)analytic) > 0.02 * fabs(difference) + 2e-4)
      fail_msg("%s: gradient %g, difference %g", g->tensors[p->tensor].name, (double)analytic, difference);
  }
  th_net_destroy(net);
  th_graph_destroy(g);
}

static void over_several_lanes(void **state) {
  check_lanes(fx_residual(TH_OP_TANH, CLASSES, false, 2));
}

static void by_slices_of_a_large_layer(void **state) {
  th_graph *g = fx_mlp(250, CLASSES, 2);
  th_net *net;
  FX_OK(th_net_create(g, NULL, 130, true, &net));
  assert_int_equal(net->forward.steps[0].kind, TH_STEP_OUTPUTS);
  th_net_destroy(net);
  check_lanes(g);
}

/* --- the loss --- */

static void loss_follows_its_formulas(void **state) {
  const float z[3] = {0.5f, -1.25f, 2.0f}, u[3] = {1.0f, 0.0f, -1.0f};
  const int32_t label = 2;
  double t = 2.0, alpha = 0.25, smooth = 0.3, sum = 0, st = 0, su = 0, ce = 0, kl = 0;
  for (int k = 0; k < 3; k++) {
    sum += exp((double)z[k]);
    st += exp((double)z[k] / t);
    su += exp((double)u[k] / t);
  }
  for (int k = 0; k < 3; k++) {
    double target = smooth / 3 + (k == label ? 1 - smooth : 0), q = exp((double)u[k] / t) / su;
    ce -= target * log(exp((double)z[k]) / sum);
    kl += q * log(q / (exp((double)z[k] / t) / st));
  }
  th_loss l = {.outputs = 3,
               .labels = &label,
               .smoothing = 0.3f,
               .beta = 1.0f,
               .temperature = 2.0f,
               .alpha = 0.25f,
               .teacher = u};
  th_loss_sum s = {0};
  float d[3];
  th_loss_eval(&l, z, d, 0, 1, 1, &s);
  assert_true(fabs(s.loss - ((1 - alpha) * ce + alpha * t * t * kl)) < 1e-6);
  assert_int_equal(s.right, 1);
  for (int k = 0; k < 3; k++) {
    double target = smooth / 3 + (k == label ? 1 - smooth : 0), q = exp((double)u[k] / t) / su;
    double want = (1 - alpha) * (exp((double)z[k]) / sum - target) + alpha * t * (exp((double)z[k] / t) / st - q);
    assert_true(fabs((double)d[k] - want) < 1e-6);
  }
}

static void squared_error_without_labels(void **state) {
  const float z[4] = {1, 2, 3, 4}, x[4] = {1, 1, 5, 4};
  th_loss l = {.outputs = 2, .target = x};
  th_loss_sum s = {0};
  float d[4];
  th_loss_eval(&l, z, d, 0, 2, 2, &s);
  assert_true(fabs(s.loss - (0.5 + 2.0)) < 1e-12); /* (0 + 1) / 2 and (4 + 0) / 2 */
  const float want[4] = {0, 0.5f, -1, 0};
  for (int i = 0; i < 4; i++) assert_true(fabsf(d[i] - want[i]) < 1e-6f);
}

static void exponential_and_logarithm_agree_with_libm(void **state) {
  for (double x = -50.0; x < 50.0; x += 0.37) assert_true(fabs(th_real_exp(x) / exp(x) - 1.0) < 1e-13);
  for (double x = 1e-12; x < 1e12; x *= 1.37) assert_true(fabs(th_real_log(x) - log(x)) <= 1e-13 * (1 + fabs(log(x))));
}

/* --- constraints in the loss --- */

static th_constraints *one_constraint(const th_graph *g, const char *tensor, th_constraint *c) {
  th_constraints *cs;
  FX_OK(th_constraints_create(g, &cs));
  FX_OK(th_constraints_add(cs, fx_find(g, tensor), c));
  return cs;
}

static const th_param *param_of(const th_net *net, int tensor) {
  return &net->params[net->tensors[tensor].param];
}

static void project(bench *b, th_constraints *cs, int tensor) {
  float **shadows = test_calloc((size_t)b->g->n_tensors, sizeof *shadows),
        **values = test_calloc((size_t)b->g->n_tensors, sizeof *values);
  th_tick tick = {.progress = 1.0};
  shadows[tensor] = b->net->shadow + param_of(b->net, tensor)->at;
  values[tensor] = param_of(b->net, tensor)->value;
  FX_OK(th_constraints_tick(cs, shadows, values, NULL, &tick));
  test_free(shadows);
  test_free(values);
}

static void through_a_mask(void **state) {
  th_graph *g = fx_residual(TH_OP_TANH, CLASSES, false, 2);
  int t = fx_find(g, "conv_w");
  int64_t n = th_shape_elems(&g->tensors[t].shape);
  th_constraint *c;
  FX_OK(th_mask_create(&(th_mask_options){.sparsity = 0.6f}, n, &g->tensors[t].shape, &c));
  th_constraints *cs = one_constraint(g, "conv_w", c);
  bench b = bench_open(g, cs);
  project(&b, cs, t);
  backward(&b);
  const th_param *p = param_of(b.net, t);
  float *shadow = b.net->shadow + p->at, *gradient = b.net->gradient + p->at;
  check_direction(&b, p->value, gradient, n, "value", 0.02);
  th_constraints_backward(cs, t, shadow, gradient);
  for (int64_t i = 0; i < n; i++) assert_true((p->value[i] == 0.0f) == (gradient[i] == 0.0f));
  th_constraints_destroy(cs);
  bench_close(&b);
}

/* Each centroid's derivative by differences equals what update moves it by: -rate * sum / sqrt(count). */
static void of_centroids(void **state) {
  enum { K = 4 };
  th_graph *g = fx_residual(TH_OP_TANH, CLASSES, false, 2);
  int t = fx_find(g, "conv_w");
  const th_tensor *w = &g->tensors[t];
  int64_t n = th_shape_elems(&w->shape);
  th_constraint *c;
  FX_OK(th_codebook_create(&(th_codebook_options){.clusters = K, .channel_axis = -1}, w->data, n, &w->shape, &c));
  th_constraints *cs = one_constraint(g, "conv_w", c);
  bench b = bench_open(g, cs);
  project(&b, cs, t);
  backward(&b);
  const th_param *p = param_of(b.net, t);
  const float *centroid;
  const uint16_t *index;
  assert_int_equal(th_codebook_values(c, &centroid, &index), K);
  double difference[K], before[K], step = 2e-3;
  int64_t count[K] = {0};
  for (int64_t i = 0; i < n; i++) count[index[i]]++;
  for (int k = 0; k < K; k++) {
    double at[2];
    for (int side = 0; side < 2; side++) {
      for (int64_t i = 0; i < n; i++)
        p->value[i] = centroid[index[i]] + (index[i] == k ? (float)(side ? step : -step) : 0.0f);
      at[side] = forward(&b);
    }
    difference[k] = (at[1] - at[0]) / (2 * step);
    before[k] = (double)centroid[k];
  }
  th_constraints_backward(cs, t, b.net->shadow + p->at, b.net->gradient + p->at);
  th_optimizer o = th_optimizer_init(TH_OPTIMIZER_SGD, 0.0f, false, 0.0f);
  th_optimizer_step(&o, 0.01f);
  th_constraints_update(cs, &o);
  for (int k = 0; k < K; k++) {
    double moved = ((double)centroid[k] - before[k]) * -100.0 * sqrt((double)count[k]);
    if (fabs(moved - difference[k]) > 0.03 * fabs(difference[k]) + 2e-3)
      fail_msg("centroid %d: update %g, difference %g", k, moved, difference[k]);
  }
  th_constraints_destroy(cs);
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_a_smooth_residual_net),
      cmocka_unit_test(of_a_net_with_kinks_and_dropout),
      cmocka_unit_test(of_relus_made_by_batch_norms),
      cmocka_unit_test(through_split_and_transpose),
      cmocka_unit_test(with_a_teacher),
      cmocka_unit_test(with_matched_attention),
      cmocka_unit_test(with_matched_features),
      cmocka_unit_test(over_several_lanes),
      cmocka_unit_test(by_slices_of_a_large_layer),
      cmocka_unit_test(loss_follows_its_formulas),
      cmocka_unit_test(squared_error_without_labels),
      cmocka_unit_test(exponential_and_logarithm_agree_with_libm),
      cmocka_unit_test(through_a_mask),
      cmocka_unit_test(of_centroids),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
