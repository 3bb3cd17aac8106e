/* Fuzzes how the Keras reader understands a config. The input is its text, or, when it begins with a byte 1 or 2, the
 * choices that make a Sequential or a Functional one word by word. Weights are made up, in the shape that a layer asks
 * for. What is accepted goes through everything that a graph goes through. SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/exercise.h"
#include "read/keras_internal.h"

enum { MOST_WEIGHTS = 1 << 14, MOST_LAYERS = 12 };

/* --- weights of any shape --- */

static th_status make_up(void *user, kr_reader *r, const kr_layer *l, int index, const kr_found *want, kr_found *f) {
  static float values[MOST_WEIGHTS];
  int64_t elems = 1;
  for (int i = 0; i < want->rank; i++) {
    elems *= want->dim[i];
    if (elems > MOST_WEIGHTS) return th_keras_fail(r, l, "too large for a fuzzer");
  }
  for (int i = 0; i < MOST_WEIGHTS; i++) values[i] = 0.125f * (float)(i % 17 - 8);
  *f = *want;
  f->data = values;
  return TH_OK;
}

static void finish(th_graph *g) {
  if (g && g->n_inputs <= 16 && g->n_outputs <= 16)
    exercise(g);
  else
    th_graph_destroy(g);
  th_error_clear();
}

static void read_config(const char *text, size_t size) {
  th_json *root;
  th_graph *g = NULL;
  kr_source source = {make_up, NULL, 2 + (int)(size & 1)};
  if (th_json_parse(text, size, "fuzz", &root) == TH_OK) {
    th_keras_read_config(root, &source, "fuzz", &g);
    th_json_free(root);
  }
  finish(g);
}

/* --- configs that bytes choose --- */

typedef struct choice {
  const uint8_t *data;
  size_t size;
} choice;

static unsigned next(choice *c) {
  if (!c->size) return 0;
  c->size--;
  return *c->data++;
}

#define KERAS_LAYER(class_name, function, argument) #class_name,
static const char *const classes[] = {
#include "read/keras_layers.def"
    "Sequential", "Functional", "InputLayer", "TFOpLambda", "TrueDivide", "Lambda"};
#undef KERAS_LAYER

static const char *const keys[] = {"units",
                                   "filters",
                                   "kernel_size",
                                   "strides",
                                   "dilation_rate",
                                   "padding",
                                   "groups",
                                   "activation",
                                   "use_bias",
                                   "pool_size",
                                   "axis",
                                   "scale",
                                   "center",
                                   "epsilon",
                                   "momentum",
                                   "offset",
                                   "target_shape",
                                   "dims",
                                   "size",
                                   "interpolation",
                                   "height",
                                   "width",
                                   "n",
                                   "rate",
                                   "max_value",
                                   "negative_slope",
                                   "threshold",
                                   "alpha",
                                   "keepdims",
                                   "cropping",
                                   "shared_axes",
                                   "output_padding",
                                   "depth_multiplier",
                                   "data_format",
                                   "layer",
                                   "function",
                                   "mean",
                                   "variance",
                                   "invert",
                                   "batch_input_shape"};

static const char *const values[] = {"0",
                                     "1",
                                     "2",
                                     "3",
                                     "4",
                                     "5",
                                     "-1",
                                     "7",
                                     "65536",
                                     "1e9",
                                     "0.5",
                                     "null",
                                     "true",
                                     "false",
                                     "[1,2]",
                                     "[2,2]",
                                     "[3,1]",
                                     "[[1,0],[0,2]]",
                                     "[1]",
                                     "[3]",
                                     "[-1]",
                                     "[2,-1]",
                                     "[3,1,2]",
                                     "\"same\"",
                                     "\"valid\"",
                                     "\"causal\"",
                                     "\"relu\"",
                                     "\"softmax\"",
                                     "\"mish\"",
                                     "\"hard_sigmoid\"",
                                     "\"nearest\"",
                                     "\"bilinear\"",
                                     "\"channels_first\"",
                                     "[[0.5,1,2]]",
                                     "\"math.add\"",
                                     "\"math.maximum\"",
                                     "{\"class_name\":\"ReLU\",\"config\":{\"max_value\":2}}",
                                     "{\"class_name\":\"Dense\",\"config\":{\"units\":2}}",
                                     "[null,3,2]",
                                     "[]"};

#define PICK(c, list) (list)[next(c) % (sizeof(list) / sizeof((list)[0]))]

static void put_layers(th_buf *b, choice *c, bool functional, int depth);

static void put_settings(th_buf *b, choice *c, const char *class_name, int depth) {
  static const char *const likely[] = {"\"units\":3", "\"filters\":2", "\"kernel_size\":2", "\"activation\":\"relu\""};
  unsigned n = next(c) % 6;
  th_buf_printf(b, "\"config\":{%s,%s,%s,%s", likely[0], likely[1], likely[2], likely[3]);
  for (unsigned i = 0; i < n; i++) { /* the first of equal keys counts */
    const char *key = PICK(c, keys);
    th_buf_printf(b, ",\"%s\":%s", key, PICK(c, values));
  }
  if (strcmp(class_name, "Sequential") == 0 || strcmp(class_name, "Functional") == 0) {
    th_buf_printf(b, ",");
    put_layers(b, c, class_name[0] == 'F', depth + 1);
  }
  th_buf_printf(b, "}");
}

static void put_reference(th_buf *b, choice *c, int layers) {
  static const char *const call[] = {"0", "0", "0", "1"}, *const output[] = {"0", "0", "0", "1"};
  const unsigned to = next(c) % (unsigned)(layers + 1);
  if (to == 0) {
    th_buf_printf(b, "[\"in\",0,0]");
    return;
  }
  th_buf_printf(b, "[\"l%u\",%s", to, PICK(c, call));
  th_buf_printf(b, ",%s]", PICK(c, output));
}

static void put_inbound(th_buf *b, choice *c, int layers) {
  const unsigned how = next(c), calls = 1 + how % 2, inputs = 1 + how / 2 % 3;
  th_buf_printf(b, ",\"inbound_nodes\":[");
  for (unsigned k = 0; k < calls; k++) {
    th_buf_printf(b, how & 64 ? "%s{\"args\":[[" : "%s[", k ? "," : "");
    for (unsigned i = 0; i < inputs; i++) {
      th_buf_printf(b, how & 64 ? "%s{\"config\":{\"keras_history\":" : "%s", i ? "," : "");
      put_reference(b, c, layers);
      th_buf_printf(b, how & 64 ? "}}" : "");
    }
    th_buf_printf(b, how & 64 ? "%s]]}" : "%s]", how & 128 ? ",1.5" : "");
  }
  th_buf_printf(b, "]");
}

static void put_layers(th_buf *b, choice *c, bool functional, int depth) {
  static const char *const shapes[] = {"[null,4]", "[null,6,3]", "[null,6,6,2]", "[null,5,4,2,2]"};
  const int n = depth > 2 ? 1 : 1 + (int)(next(c) % MOST_LAYERS);
  th_buf_printf(
      b,
      "\"name\":\"m%d\",\"layers\":[{\"class_name\":\"InputLayer\",\"name\":\"in\",\"config\":{\"name\":\"in\","
      "\"batch_shape\":%s},\"inbound_nodes\":[]}",
      depth, PICK(c, shapes));
  for (int i = 1; i <= n; i++) {
    const char *class_name = PICK(c, classes);
    th_buf_printf(b, ",{\"class_name\":\"%s\",\"name\":\"l%d\",", class_name, i);
    put_settings(b, c, depth > 2 ? "" : class_name, depth);
    if (functional) put_inbound(b, c, i - 1 + (int)(next(c) % 16 == 0));
    th_buf_printf(b, "}");
  }
  th_buf_printf(b, "]");
  if (!functional) return;
  th_buf_printf(b, ",\"input_layers\":[[\"in\",0,0]],\"output_layers\":[");
  put_reference(b, c, n);
  th_buf_printf(b, "]");
}

static void read_chosen(const uint8_t *data, size_t size, bool functional) {
  th_buf b = {0};
  choice c = {data, size};
  th_buf_printf(&b, "{\"class_name\":\"%s\",\"config\":{", functional ? "Functional" : "Sequential");
  put_layers(&b, &c, functional, 0);
  th_buf_printf(&b, "}}");
  if (th_buf_status(&b) == TH_OK) read_config((const char *)b.data, b.size);
  th_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  if (data[0] == 1 || data[0] == 2)
    read_chosen(data + 1, size - 1, data[0] == 2);
  else
    read_config((const char *)data, size);
  return 0;
}
