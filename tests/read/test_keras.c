/* Keras files that are wrong, hostile or unusual, made here through libhdf5 and libzip: each mistake gives one message
 * that names file, layer and weight; nothing outside the file is touched; half precision is widened.
 * What Keras itself writes is the matter of test_keras_golden.c. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hdf5.h>
#include <zip.h>

#include "base/bytes.h"
#include "base/file.h"
#include "op/op.h"
#include "read/read.h"

/* --- making files --- */

typedef struct weight {
  const char *name; /* "dense/kernel:0"; NULL ends */
  int rank;
  hsize_t dim[4];
  hid_t type; /* 0: float32 */
} weight;

static void set_text(hid_t object, const char *name, const char *text) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);
  hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(a >= 0 && H5Awrite(a, type, &text) >= 0);
  H5Aclose(a);
}

/* Fixed strings of 32 bytes, as NumPy writes them. */
static void set_names(hid_t object, const char *attribute, const weight *w, int n) {
  char names[8][32] = {{0}};
  hsize_t count = (hsize_t)n;
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, NULL);
  H5Tset_size(type, 32);
  for (int i = 0; i < n; i++) snprintf(names[i], 32, "%s", w[i].name);
  hid_t a = H5Acreate2(object, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(a >= 0 && H5Awrite(a, type, names) >= 0);
  H5Aclose(a);
}

static hid_t links(void) {
  hid_t list = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(list, 1);
  return list;
}

/* Values 1/2, 1, 3/2, ...: exact in every float type */
static void add_dataset(hid_t group, const weight *w) {
  hsize_t elems = 1;
  float values[256];
  hid_t space = H5Screate_simple(w->rank, w->dim, NULL);
  for (int i = 0; i < w->rank; i++) elems *= w->dim[i];
  assert_true(elems <= 256);
  for (hsize_t i = 0; i < elems; i++) values[i] = 0.5f * (float)(i + 1);
  hid_t d = H5Dcreate2(group, w->name, w->type ? w->type : H5T_IEEE_F32LE, space, links(), H5P_DEFAULT, H5P_DEFAULT);
  assert_true(d >= 0 && H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(d);
}

static hid_t new_file(void) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, 0);
  hid_t file = H5Fcreate("made", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  assert_true(file >= 0);
  return file;
}

static th_buf image_of(hid_t file) {
  th_buf b = {0};
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  ssize_t size = H5Fget_file_image(file, NULL, 0);
  assert_true(size > 0);
  th_buf_zeros(&b, (size_t)size);
  assert_true(H5Fget_file_image(file, b.data, b.size) == size);
  H5Fclose(file);
  return b;
}

static hid_t layer_group(hid_t file, const char *layer) {
  char path[64];
  snprintf(path, sizeof path, "model_weights/%s", layer);
  return H5Gcreate2(file, path, links(), H5P_DEFAULT, H5P_DEFAULT);
}

static th_buf make_h5(const char *config, const char *layer, const weight *w) {
  int n = 0;
  hid_t file = new_file();
  if (config) set_text(file, "model_config", config);
  set_text(file, "keras_version", "2.15.0");
  if (layer) {
    hid_t group = layer_group(file, layer);
    while (w[n].name) n++;
    set_names(group, "weight_names", w, n);
    for (int i = 0; i < n; i++) add_dataset(group, &w[i]);
    H5Gclose(group);
  }
  return image_of(file);
}

/* --- reading them --- */

static th_graph *read_ok(const th_buf *b) {
  th_graph *g;
  const th_model_reader *reader = th_model_reader_find(b->data, b->size);
  assert_non_null(reader);
  if (reader->read(b->data, b->size, "m.h5", &g) != TH_OK || th_op_infer_all(g) != TH_OK)
    fail_msg("%s", th_error_message());
  return g;
}

static void refuse(th_buf b, const char *message) {
  th_graph *g = NULL;
  const th_model_reader *reader = th_model_reader_find(b.data, b.size);
  assert_non_null(reader);
  th_error_clear();
  th_status status = reader->read(b.data, b.size, "m.h5", &g);
  if (status != TH_ERR_INPUT || g || strncmp(th_error_message(), "m.h5", 4) || !strstr(th_error_message(), message))
    fail_msg("expected '%s', got %d '%s'", message, status, th_error_message());
  th_error_clear();
  th_buf_free(&b);
}

#define SEQUENTIAL(layers)                                                                                           \
  "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[{\"class_name\":\"InputLayer\",\"config\":" \
  "{\"batch_input_shape\":[null,4],\"name\":\"in\"}}," layers "]}}"
#define IMAGES(layers)                                                                                               \
  "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[{\"class_name\":\"InputLayer\",\"config\":" \
  "{\"batch_input_shape\":[null,4,4,2],\"name\":\"in\"}}," layers "]}}"
#define DENSE(more) "{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\",\"units\":3" more "}}"
#define CONV(more) "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"c\"" more "}}"
#define LAYER(class, more) "{\"class_name\":\"" class "\",\"config\":{\"name\":\"x\"" more "}}"

static const weight dense_weights[] = {{"d/kernel:0", 2, {4, 3}, 0}, {"d/bias:0", 1, {3}, 0}, {0}};

static void messages(void **state) {
  (void)state;
  static const struct {
    const char *config, *message;
  } cases[] = {
      {NULL, "without a model_config"},
      {"{\"class_name\": \"Sequential\", ", "m.h5:1: not valid JSON"},
      {"{\"class_name\": \"MyNet\", \"config\": {}}", "class 'MyNet', expected Sequential or Functional"},
      {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": []}}", "has 0 layers"},
      {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{}]}}", "layer 0 of the config has no class_name"},
      {"{\"class_name\":\"Sequential\",\"config\":{\"layers\":[" DENSE() "]}}", "does not say the shape of its input"},
      {"{\"class_name\":\"Sequential\",\"config\":{\"layers\":[" DENSE(",\"batch_input_shape\":[null,null]") "]}}",
       "dimension 1 of its input is not fixed"},
      {SEQUENTIAL(LAYER("ReLU", "") "," LAYER("Softmax", "")), "layer x (Softmax): another layer has the same name"},
      {SEQUENTIAL(LAYER("Lambda", "")), "layer x (Lambda): it holds Python code"},
      {SEQUENTIAL(LAYER("Att\\u001b[31m\xc3\xa4", "")), "(Att?[31m\?\?): layers of this class are not supported"},
      {SEQUENTIAL(LAYER("Attention", "")), "layer x (Attention): layers of this class are not supported"},
      {SEQUENTIAL(DENSE()), "layer d (Dense): the file has no weights for it"},
      {SEQUENTIAL(DENSE(",\"activation\":\"wavy\"")), "the file has no weights"},
      {SEQUENTIAL(LAYER("Activation", ",\"activation\":\"wavy\"")), "activation wavy is not supported"},
      {SEQUENTIAL(LAYER("Softmax", ",\"axis\":0")), "only the last is supported"},
      {SEQUENTIAL(LAYER("Dense", "")), "it has no units"},
      {SEQUENTIAL(LAYER("Dense", ",\"units\":1e30")), "units is 1e+30"},
      {SEQUENTIAL(LAYER("Dense", ",\"units\":2.5")), "units is 2.5, expected a whole number"},
      {SEQUENTIAL(LAYER("Dense", ",\"units\":16777216")), "the file has no weights"},
      {SEQUENTIAL(LAYER("Conv2D", ",\"filters\":2,\"kernel_size\":3")), "its input is 1x4, expected 4 dimensions"},
      {IMAGES(CONV(",\"filters\":2")), "it has no kernel_size"},
      {IMAGES(CONV(",\"filters\":2,\"kernel_size\":[3]")), "kernel_size has 1 numbers, expected 2"},
      {IMAGES(CONV(",\"filters\":2,\"kernel_size\":3,\"strides\":0")), "strides is 0"},
      {IMAGES(CONV(",\"filters\":2,\"kernel_size\":3,\"data_format\":\"channels_first\"")), "only channels_last"},
      {IMAGES(CONV(",\"filters\":2,\"kernel_size\":3,\"padding\":\"full\"")), "padding is full"},
      {IMAGES(CONV(",\"filters\":2,\"kernel_size\":3,\"groups\":3")), "3 groups do not divide"},
      {IMAGES(CONV(",\"filters\":16777216,\"kernel_size\":[65536,65536]")), "its kernel would have"},
      {IMAGES(LAYER("MaxPooling2D", ",\"pool_size\":9")), "max_pool2d"},
      {IMAGES(LAYER("ZeroPadding2D", ",\"padding\":[[0,1],[2,-1]]")), "padding is -1"},
      {IMAGES(LAYER("ZeroPadding2D", ",\"padding\":65536")), "its output would be"},
      {IMAGES(LAYER("BatchNormalization", ",\"axis\":1")), "only the last is supported"},
      {IMAGES(LAYER("Reshape", ",\"target_shape\":[5,7]")), "32 values do not fit target_shape"},
      {IMAGES(LAYER("Reshape", ",\"target_shape\":[-1,7]")), "32 values do not fit target_shape"},
      {IMAGES(LAYER("Concatenate", ",\"axis\":0")), "axis 0 is the batch"},
      {IMAGES(LAYER("Dropout", ",\"rate\":1.5")), "rate is 1.5"},
      {IMAGES(LAYER("Rescaling", ",\"scale\":[1,2,3]")), "scale has 3 numbers, expected 1 or 2"},
      {IMAGES(LAYER("TimeDistributed", ",\"layer\":{\"class_name\":\"Conv2D\"}")), "a Conv2D layer in it"},
      {"{\"class_name\":\"Functional\",\"config\":{\"layers\":[" LAYER("ReLU", "") "]}}", "input_layers of the config"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    refuse(make_h5(cases[i].config, NULL, NULL), cases[i].message);
}

/* A model of an input "a" and layers whose wiring is given. */
#define FUNCTIONAL(layers, outputs)                                                                             \
  "{\"class_name\":\"Functional\",\"config\":{\"name\":\"f\",\"input_layers\":[[\"a\",0,0]],\"output_layers\":" \
  "[" outputs                                                                                                   \
  "],\"layers\":[{\"class_name\":\"InputLayer\",\"name\":\"a\",\"config\":{\"batch_input_shape\":[null,4]},"    \
  "\"inbound_nodes\":[]}," layers "]}}"
#define RELU(name, from) \
  "{\"class_name\":\"ReLU\",\"name\":\"" name "\",\"config\":{},\"inbound_nodes\":[[[" from ",{}]]]}"

static void wiring(void **state) {
  (void)state;
  static const struct {
    const char *config, *message;
  } cases[] = {
      {FUNCTIONAL(RELU("r", "\"b\",0,0"), "[\"r\",0,0]"), "layer r (ReLU): its input b is no layer of the model"},
      {FUNCTIONAL(RELU("r", "\"a\",0,3"), "[\"r\",0,0]"), "its input a has no output number 3"},
      {FUNCTIONAL(RELU("r", "\"a\",0,0") "," RELU("s", "\"r\",7,0"), "[\"s\",0,0]"), "has no call number 7"},
      {FUNCTIONAL(RELU("r", "\"s\",0,0") "," RELU("s", "\"r\",0,0"), "[\"s\",0,0]"), "the model has a loop"},
      {FUNCTIONAL(RELU("r", "\"a\",0,0"), "[\"q\",0,0]"), "its input q is no layer"},
      {FUNCTIONAL(RELU("r", "\"a\",0,0") "," RELU("s", "\"r\",-1,0"), "[\"s\",0,0]"), "has no call number -1"},
      {FUNCTIONAL(RELU("r", "1,0,0"), "[\"r\",0,0]"), "an input names no layer"},
      {FUNCTIONAL("{\"class_name\":\"ReLU\",\"name\":\"r\",\"inbound_nodes\":[{\"args\":[3]}]}", "[\"r\",0,0]"),
       "it has no input"},
      {FUNCTIONAL("{\"class_name\":\"TFOpLambda\",\"name\":\"t\",\"config\":{\"function\":\"math.betainc\"},"
                  "\"inbound_nodes\":[[\"a\",0,0,{}]]}",
                  "[\"t\",0,0]"),
       "operation math.betainc is not supported"},
      {FUNCTIONAL("{\"class_name\":\"TFOpLambda\",\"name\":\"t\",\"config\":{\"function\":\"math.add\"},"
                  "\"inbound_nodes\":[[\"a\",0,0,{}]]}",
                  "[\"t\",0,0]"),
       "has 1 operand(s) that are tensors or numbers, expected 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    refuse(make_h5(cases[i].config, NULL, NULL), cases[i].message);
}

#define ROWS(layers)                                                                                                 \
  "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[{\"class_name\":\"InputLayer\",\"config\":" \
  "{\"batch_input_shape\":[null,3,2],\"name\":\"in\"}}," layers "]}}"
#define LSTM(more) LAYER("LSTM", ",\"units\":2" more)

static void recurrent_layers(void **state) {
  (void)state;
  static const weight good[] = {
      {"x/c/kernel:0", 2, {2, 8}, 0}, {"x/c/rec:0", 2, {2, 8}, 0}, {"x/c/b:0", 1, {8}, 0}, {0}};
  static const struct {
    const char *config, *message;
  } cases[] = {
      {SEQUENTIAL(LSTM("")), "layer x (LSTM): its input is 1x4, expected 3 dimensions"},
      {ROWS(LAYER("LSTM", "")), "units is missing"},
      {ROWS(LSTM(",\"return_state\":true")), "return_state is not supported"},
      {ROWS(LSTM(",\"time_major\":true")), "time_major is not supported"},
      {ROWS(LSTM(",\"activation\":\"selu\"")), "activation selu is not supported; tanh and relu are"},
      {ROWS(LSTM(",\"activation\":{\"class_name\":\"F\"}")), "activation a function of its own is not supported"},
      {ROWS(LSTM(",\"recurrent_activation\":\"hard_sigmoid\"")), "recurrent_activation hard_sigmoid is not supported"},
      {ROWS(LSTM(",\"use_bias\":false")), "3 weight(s) are stored, expected 2"},
      {ROWS(LAYER("LSTM", ",\"units\":3")), "weight kernel is 2x8, expected 2x12"},
      {ROWS(LAYER("GRU", ",\"units\":2")), "layers of this class are not supported"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    refuse(make_h5(cases[i].config, "x", good), cases[i].message);
  for (int stateful = 0; stateful < 2; stateful++) {
    th_buf b = make_h5(stateful ? ROWS(LSTM(",\"stateful\":true")) : ROWS(LSTM("")), "x", good);
    th_graph *g = read_ok(&b);
    assert_int_equal(g->nodes[0].op, TH_OP_LSTM);
    assert_int_equal(g->nodes[0].attr[TH_ATTR_RESTART].i, !stateful);
    th_graph_destroy(g);
    th_buf_free(&b);
  }
}

static void weights_are_checked(void **state) {
  (void)state;
  static const weight few[] = {{"d/kernel:0", 2, {4, 3}, 0}, {0}};
  static const weight shape[] = {{"d/kernel:0", 2, {3, 4}, 0}, {"d/bias:0", 1, {3}, 0}, {0}};
  static const weight rank[] = {{"d/kernel:0", 2, {4, 3}, 0}, {"d/bias:0", 2, {3, 1}, 0}, {0}};
  refuse(make_h5(SEQUENTIAL(DENSE()), "d", few), "layer d (Dense): 1 weight(s) are stored, expected 2");
  refuse(make_h5(SEQUENTIAL(DENSE()), "d", shape), "layer d (Dense): weight kernel is 3x4, expected 4x3");
  refuse(make_h5(SEQUENTIAL(DENSE()), "d", rank), "layer d (Dense): weight bias is 3x1, expected 3");
  refuse(make_h5(SEQUENTIAL(DENSE(",\"use_bias\":false")), "d", dense_weights), "2 weight(s) are stored, expected 1");
  th_buf b = make_h5(SEQUENTIAL(DENSE(",\"activation\":\"wavy\"")), "d", dense_weights);
  refuse(b, "layer d (Dense): activation wavy is not supported");
}

/* Dense kernels (in, out) are kept (out, in); values are exact in every type. */
static void check_dense(th_graph *g) {
  const th_tensor *k = &g->tensors[th_graph_find_tensor(g, "d/kernel")],
                  *b = &g->tensors[th_graph_find_tensor(g, "d/bias")];
  assert_int_equal(k->dtype, TH_DTYPE_F32);
  for (int o = 0; o < 3; o++)
    for (int i = 0; i < 4; i++) assert_true(((const float *)k->data)[o * 4 + i] == 0.5f * (float)(i * 3 + o + 1));
  for (int o = 0; o < 3; o++) assert_true(((const float *)b->data)[o] == 0.5f * (float)(o + 1));
}

static hid_t half_type(void) { /* IEEE half: 1 sign, 5 exponent and 10 mantissa bits */
  hid_t t = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(t, 15, 10, 5, 0, 10);
  H5Tset_size(t, 2);
  H5Tset_ebias(t, 15);
  return t;
}

static void other_float_types(void **state) {
  (void)state;
  hid_t types[] = {half_type(), H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_STD_I32LE};
  for (int i = 0; i < 3; i++) {
    weight w[] = {{"d/kernel:0", 2, {4, 3}, types[i]}, {"d/bias:0", 1, {3}, types[i]}, {0}};
    th_buf b = make_h5(SEQUENTIAL(DENSE()), "d", w);
    th_graph *g = read_ok(&b);
    check_dense(g);
    th_graph_destroy(g);
    th_buf_free(&b);
  }
}

/* Two opaque bytes with an attribute, as Keras 3 keeps bfloat16: the upper half of a float32. */
static void bfloat16(void **state) {
  (void)state;
  static const uint16_t bits[3] = {0x3f00, 0x3f80, 0x3fc0}; /* 0.5, 1, 1.5 */
  static const weight w[] = {{"d/kernel:0", 2, {4, 3}, 0}, {"d/bias:0", 1, {3}, 0}};
  hsize_t three = 3;
  hid_t file = new_file(), group = layer_group(file, "d"), type = H5Tcreate(H5T_OPAQUE, 2);
  set_text(file, "model_config", SEQUENTIAL(DENSE()));
  set_names(group, "weight_names", w, 2);
  add_dataset(group, &w[0]);
  hid_t d = H5Dcreate2(group, "d/bias:0", type, H5Screate_simple(1, &three, NULL), links(), H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bits) >= 0);
  set_text(d, "dtype", "bfloat16");
  H5Dclose(d);
  H5Gclose(group);
  th_buf b = image_of(file);
  th_graph *g = read_ok(&b);
  check_dense(g);
  th_graph_destroy(g);
  th_buf_free(&b);
}

/* Long lists of names are kept in parts; what an optimizer keeps is not looked at. */
static void names_in_parts(void **state) {
  (void)state;
  hid_t file = new_file(), group = layer_group(file, "d");
  set_text(file, "model_config", SEQUENTIAL(DENSE()));
  set_names(group, "weight_names0", dense_weights, 1);
  set_names(group, "weight_names1", dense_weights + 1, 1);
  for (int i = 0; i < 2; i++) add_dataset(group, &dense_weights[i]);
  H5Gclose(group);
  H5Gclose(H5Gcreate2(file, "optimizer_weights/deep/er", links(), H5P_DEFAULT, H5P_DEFAULT));
  th_buf b = image_of(file);
  th_graph *g = read_ok(&b);
  check_dense(g);
  th_graph_destroy(g);
  th_buf_free(&b);
}

/* Neither another file nor a dataset's bytes elsewhere are read; a dataset that claims more than it stores is not. */
static void nothing_outside(void **state) {
  (void)state;
  hsize_t dims[2] = {4, 3}, most[2] = {1 << 13, 1 << 13}, chunk[2] = {1, 1 << 13};
  for (int kind = 0; kind < 4; kind++) {
    hid_t file = new_file(), group = layer_group(file, "d"), space = H5Screate_simple(2, dims, NULL);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    set_text(file, "model_config", SEQUENTIAL(DENSE()));
    set_names(group, "weight_names", dense_weights, 2);
    add_dataset(group, &dense_weights[1]);
    if (kind == 0) H5Lcreate_external("/etc/hostname", "/k", group, "d/kernel:0", links(), H5P_DEFAULT);
    if (kind == 1) H5Lcreate_soft("/model_weights/d/d/bias:0", group, "d/kernel:0", links(), H5P_DEFAULT);
    if (kind == 2) H5Pset_external(list, "/etc/hostname", 0, 48);
    if (kind == 3) {
      H5Pset_chunk(list, 2, chunk);
      space = H5Screate_simple(2, most, NULL); /* nothing is written: 256 MiB of a fill value */
    }
    if (kind >= 2) H5Dclose(H5Dcreate2(group, "d/kernel:0", H5T_IEEE_F32LE, space, links(), list, H5P_DEFAULT));
    H5Gclose(group);
    refuse(image_of(file), "weight d/kernel:0 is missing, or is not a plain dataset of numbers");
  }
}

static void damaged_files(void **state) {
  (void)state;
  th_buf b = make_h5(SEQUENTIAL(DENSE()), "d", dense_weights);
  for (size_t cut = 16; cut + 64 < b.size; cut += b.size / 23) {
    th_buf part = {0};
    th_buf_append(&part, b.data, cut);
    refuse(part, "m.h5");
  }
  uint32_t seed = 1;
  for (int k = 0; k < 300; k++) { /* whatever comes: success or an error of input, never a crash */
    th_buf copy = {0};
    th_graph *g = NULL;
    th_buf_append(&copy, b.data, b.size);
    for (int i = 0; i < 8; i++) {
      seed = seed * 1664525u + 1013904223u;
      copy.data[16 + (seed >> 8) % (copy.size - 16)] = (uint8_t)(seed >> 4);
    }
    th_status status = th_model_reader_find(copy.data, copy.size)->read(copy.data, copy.size, "m.h5", &g);
    assert_true(status == TH_OK ? g != NULL : status == TH_ERR_INPUT && !g);
    if (status != TH_OK && strncmp(th_error_message(), "m.h5", 4)) fail_msg("%s", th_error_message());
    th_error_clear();
    th_graph_destroy(g);
    th_buf_free(&copy);
  }
  th_buf_free(&b);
}

/* --- .keras --- */

typedef struct entry {
  const char *name;
  const void *data;
  size_t size;
} entry;

static th_buf make_zip(const entry *e, int n, bool store) {
  char path[] = "/tmp/thimble-zip-XXXXXX";
  int code, fd = mkstemp(path);
  assert_true(fd >= 0);
  zip_t *z = zip_open(path, ZIP_TRUNCATE, &code);
  assert_non_null(z);
  for (int i = 0; i < n; i++) {
    zip_int64_t at = zip_file_add(z, e[i].name, zip_source_buffer(z, e[i].data, e[i].size, 0), 0);
    assert_true(at >= 0);
    zip_set_file_compression(z, (zip_uint64_t)at, store ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0);
  }
  assert_int_equal(zip_close(z), 0);
  th_arena *arena = th_arena_create();
  uint8_t *data;
  size_t size;
  th_buf b = {0};
  assert_int_equal(th_file_read(arena, path, TH_FILE_LIMIT, &data, &size), TH_OK);
  th_buf_append(&b, data, size);
  th_arena_destroy(arena);
  remove(path);
  return b;
}

static const char archive_config[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[{\"module\":\"keras.layers\",\"class_name\":"
    "\"InputLayer\",\"config\":{\"batch_shape\":[null,4],\"name\":\"in\"}},{\"module\":\"keras.layers\",\"class_name\":"
    "\"Dense\",\"config\":{\"name\":\"d\",\"units\":3,\"activation\":{\"module\":\"builtins\",\"class_name\":"
    "\"function\",\"config\":\"relu\"}}}]}}";

static th_buf archive_weights(const char *prefix) {
  char k[80], b[80];
  snprintf(k, sizeof k, "%s/dense/vars/0", prefix);
  snprintf(b, sizeof b, "%s/dense/vars/1", prefix);
  weight w[] = {{k, 2, {4, 3}, 0}, {b, 1, {3}, 0}};
  hid_t file = new_file();
  for (int i = 0; i < 2; i++) add_dataset(file, &w[i]);
  return image_of(file);
}

static void archives(void **state) {
  (void)state;
  static const char *const prefixes[] = {"layers", "_layer_checkpoint_dependencies"};
  for (int i = 0; i < 2; i++) {
    th_buf w = archive_weights(prefixes[i]);
    entry e[] = {{"config.json", archive_config, strlen(archive_config)}, {"model.weights.h5", w.data, w.size}};
    th_buf b = make_zip(e, 2, i == 0);
    th_graph *g = read_ok(&b);
    check_dense(g);
    assert_int_equal(g->nodes[g->n_nodes - 1].op, TH_OP_RELU);
    th_graph_destroy(g);
    th_buf_free(&b);
    th_buf_free(&w);
  }
}

static void bad_archives(void **state) {
  (void)state;
  static char zeros[5 << 20];
  th_buf w = archive_weights("layers"), other = archive_weights("elsewhere");
  size_t n = strlen(archive_config);
  entry none[] = {{"picture.png", "x", 1}}, no_weights[] = {{"config.json", archive_config, n}};
  entry npz[] = {{"config.json", archive_config, n}, {"model.weights.npz", "x", 1}};
  entry text[] = {{"config.json", archive_config, n}, {"model.weights.h5", "no weights, only text", 21}};
  entry bomb[] = {{"config.json", zeros, sizeof zeros}};
  entry elsewhere[] = {{"config.json", archive_config, n}, {"model.weights.h5", other.data, other.size}};
  entry good[] = {{"config.json", archive_config, n}, {"model.weights.h5", w.data, w.size}};
  refuse(make_zip(none, 1, true), "without config.json");
  refuse(make_zip(no_weights, 1, true), "has no entry model.weights.h5");
  refuse(make_zip(npz, 2, true), "not in one model.weights.h5");
  refuse(make_zip(text, 2, true), "no HDF5 file");
  refuse(make_zip(bomb, 1, false), "config.json: 5242880 bytes are more than the limit of 4194304");
  refuse(make_zip(elsewhere, 2, true), "layer d (Dense): the file has no weights for it (no group layers/dense/vars)");
  th_buf b = make_zip(good, 2, true);
  b.data[60] ^= 1; /* in the stored config */
  refuse(b, "config.json: corrupt");
  b = make_zip(good, 2, true);
  b.size -= 10;
  refuse(b, "not a readable zip archive");
  th_buf_free(&w);
  th_buf_free(&other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages),          cmocka_unit_test(wiring),
      cmocka_unit_test(recurrent_layers),  cmocka_unit_test(weights_are_checked),
      cmocka_unit_test(other_float_types), cmocka_unit_test(bfloat16),
      cmocka_unit_test(names_in_parts),    cmocka_unit_test(nothing_outside),
      cmocka_unit_test(damaged_files),     cmocka_unit_test(archives),
      cmocka_unit_test(bad_archives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
