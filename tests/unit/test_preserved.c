/* What pruning and clustering gained survives quantization, after training and with training that sees the rounding:
 * no layer gets more weights that are not zero, none more distinct values (whole channels may disappear). For
 * convolution, depthwise and fully connected layers alike; what TensorFlow's toolkit calls PQAT, CQAT and PCQAT.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "lib/data.h"
#include "lib/stages.h"
#include "lib/training.h"
#include "read/arch.h"
#include "train_fixture.h"

#define LAYERS 5

static const char net_text[] =
    "input 6x6x2\nconv2d 16 kernel=3 padding=same name=conv\nbatch_norm\nrelu\n"
    "depthwise_conv2d kernel=3 padding=same name=dw\nrelu\nconv2d 16 kernel=1 name=pw activation=relu\n"
    "max_pool2d 2\nfully_connected 24 name=fc activation=relu\nfully_connected 4 name=out\nsoftmax\n";
static const char *const layers[LAYERS] = {"conv", "dw", "pw", "fc", "out"};

typedef struct layer {
  int64_t elems;
  int nonzero, distinct;
} layer;

static double value(const th_tensor *t, int64_t i) {
  return t->dtype == TH_DTYPE_S8 ? (double)((const int8_t *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* Distinct integers of a quantized tensor, else distinct values. */
static int count_distinct(const th_tensor *t, int64_t n) {
  int distinct = 0;
  if (t->dtype == TH_DTYPE_F32 && th_weight_levels(t)) return th_weight_levels(t);
  for (int64_t i = 0; i < n; i++) {
    bool seen = false;
    for (int64_t k = 0; k < i && !seen; k++) seen = fabs(value(t, k) - value(t, i)) <= 0;
    distinct += !seen;
  }
  return distinct;
}

static layer layer_of(const th_model *m, const char *name) {
  layer l = {0};
  for (int i = 0; i < m->graph->n_nodes; i++) {
    const th_node *n = &m->graph->nodes[i];
    if (n->dead || strcmp(n->name, name) != 0) continue;
    const th_tensor *t = th_node_in(m->graph, n, 1);
    l.elems = th_shape_elems(&t->shape);
    for (int64_t k = 0; k < l.elems; k++) l.nonzero += fabs(value(t, k)) > 0;
    l.distinct = count_distinct(t, l.elems);
  }
  if (!l.elems) fail_msg("no layer %s", name);
  return l;
}

static th_model *network(void) {
  th_graph *g;
  th_model *m;
  FX_OK(th_read_arch_bytes((const uint8_t *)net_text, sizeof net_text - 1, "net.txt", &g));
  FX_OK(th_model_from_graph(g, "text", &m));
  m->untrained = true;
  return m;
}

/* Runs a stage with settings "name=value name=value ...". */
static void run(th_model *m, const th_data *data, const char *stage, const char *settings) {
  th_settings *s;
  char text[256];
  snprintf(text, sizeof text, "%s", settings);
  FX_OK(th_settings_create(stage, &s));
  for (char *at = text, *word; (word = strtok_r(at, " ", &at)) != NULL;) {
    char *equals = strchr(word, '=');
    *equals = '\0';
    FX_OK(th_settings_set(s, word, equals + 1));
  }
  FX_OK(th_stage_apply(m, data, NULL, s, NULL));
  th_settings_free(s);
}

/* As files of other tools have it: values without a grid. */
static void forget_grids(th_model *m) {
  for (int i = 0; i < m->graph->n_tensors; i++)
    if (m->graph->tensors[i].data) FX_OK(th_graph_set_quant(m->graph, i, -1, 0, NULL, NULL));
}

/* The rows of one network that was shrunk by `first` and `second` (either may be NULL), then quantized. */
static void check_file(bool foreign, const char *first, const char *second, const char *quantize) {
  th_dataset set = fx_dataset(256, 64, 4, 0.5f);
  const th_data data = {.set = &set};
  th_model *m = network();
  layer before[LAYERS];
  run(m, &data, "train", "epochs=2");
  if (first) run(m, &data, "prune", first);
  if (second) run(m, &data, "cluster", second);
  for (int i = 0; i < LAYERS; i++) before[i] = layer_of(m, layers[i]);
  if (foreign) forget_grids(m);
  run(m, &data, "quantize", quantize);
  for (int i = 0; i < LAYERS; i++) {
    const layer after = layer_of(m, layers[i]);
    const bool is_pruned = before[i].nonzero <= 0.6 * (double)before[i].elems;
    if (first && (after.nonzero > before[i].nonzero || !is_pruned))
      fail_msg("%s, %s: %d weights of %lld became %d", quantize, layers[i], before[i].nonzero,
               (long long)before[i].elems, after.nonzero);
    if (second && (after.distinct > before[i].distinct || before[i].distinct > 8))
      fail_msg("%s, %s: %d distinct values became %d", quantize, layers[i], before[i].distinct, after.distinct);
  }
  th_model_close(m);
  fx_dataset_free(&set);
}

static void check(const char *first, const char *second, const char *quantize) {
  check_file(false, first, second, quantize);
}

#define PRUNE "sparsity=0.6 scope=layer depthwise=true epochs=2"
#define PRUNE_BLOCKS "granularity=n:m depthwise=true epochs=1"
#define CLUSTER "clusters=8 epochs=1"
#define CLUSTER_LAYER "clusters=8 scope=layer epochs=1"
#define QAT "method=qat epochs=2 lr=0.01"

static void pruned_layers_stay_pruned(void **state) {
  check(PRUNE, NULL, QAT);
  check(PRUNE, NULL, QAT " weights=int4 dense-channels=true");
  check(PRUNE, NULL, QAT " weights=ternary");
  check(PRUNE_BLOCKS, NULL, QAT " range=observed");
  check(PRUNE, NULL, "equalize=true rounding=adaround weights=int4");
}

static void clustered_layers_keep_their_values(void **state) {
  check(NULL, CLUSTER, QAT);
  check(NULL, CLUSTER_LAYER, QAT);
  check(NULL, CLUSTER, QAT " weights=int4");
  check(NULL, CLUSTER, "bias-correction=true rounding=adaround");
}

static void pruned_and_clustered_layers_keep_both(void **state) {
  check(PRUNE, CLUSTER, QAT);
  check(PRUNE, CLUSTER_LAYER, QAT " dense-channels=true");
  check(PRUNE_BLOCKS, CLUSTER, QAT " weights=int4");
  check(PRUNE, CLUSTER, "bias-correction=true");
}

static void files_of_other_tools_keep_their_values(void **state) {
  check_file(true, NULL, CLUSTER_LAYER, QAT);
  check_file(true, PRUNE, CLUSTER_LAYER, QAT " weights=int4");
  check_file(true, PRUNE, CLUSTER_LAYER, "dense-channels=true");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pruned_layers_stay_pruned),
      cmocka_unit_test(clustered_layers_keep_their_values),
      cmocka_unit_test(pruned_and_clustered_layers_keep_both),
      cmocka_unit_test(files_of_other_tools_keep_their_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
