/* Shared by the files of the Keras reader:
 *
 *   keras.c             the containers: .h5 and .keras, and where each keeps the weights of a layer
 *   keras_config.c      the config: models, layers, references to layers
 *   keras_model.c       runs a model's calls in order, those of models in it too
 *   keras_build.c       values, nodes and weights of the graph that is being made
 *   keras_layers.c      the table of layers (keras_layers.def), and layers without a window
 *   keras_windows.c     convolutions, pools, dense layers
 *   keras_recurrent.c   LSTM
 *   keras_merge.c       layers of several inputs, and plain TensorFlow and Keras operations
 *   keras_activation.c  activations, by name and as layers
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_KERAS_INTERNAL_H
#define TH_READ_KERAS_INTERNAL_H

#include "base/arena.h"
#include "format/json.h"
#include "ir/graph.h"
#include "op/op.h"

enum { KR_MAX_ARGS = 24, KR_MAX_WEIGHTS = 12, KR_MAX_WEIGHT_RANK = 5, KR_MAX_PORTS = 64, KR_MAX_CALLS = 2048 };

typedef struct kr_reader kr_reader;
typedef struct kr_layer kr_layer;
typedef struct kr_model kr_model;
typedef struct kr_call kr_call;
typedef th_status kr_layer_fn(kr_reader *r, kr_call *c, int argument);

typedef struct kr_row {
  const char *class_name;
  kr_layer_fn *build;
  int argument; /* what tells apart layers of one function: an operator, a number of dimensions */
} kr_row;

/* A layer object: its weights are read once, however often it is called. */
struct kr_layer {
  const char *name, *class_name;
  const th_json *config;
  const kr_row *row; /* NULL for inputs and models */
  kr_model *inner;   /* a model used as a layer */
  kr_model *parent;
  const char *store;                                  /* where .keras keeps it: "layers/dense_1" */
  bool is_input, is_operation;                        /* an operation has no weights and takes constants */
  const th_json **call;                               /* inbound nodes */
  int n_calls, first_call;                            /* references to call i say first_call + i */
  int n_uses;                                         /* calls that have been made */
  int weight[KR_MAX_WEIGHTS], n_weights, weight_form; /* constants of the graph once n_weights > 0 */
};

typedef struct kr_ref {
  const char *layer;
  int call, output;
} kr_ref;

struct kr_model {
  kr_layer *self; /* NULL for the whole file's model */
  const char *name;
  bool sequential;
  kr_layer *layers;
  int n_layers;
  kr_ref *inputs, *outputs;
  int n_inputs, n_outputs;
  const th_json *config;
};

/* What flows between layers: the shape that Keras sees, and the tensors that hold it. A row (1, length, channels) also
 * has the form of an image (1, 1, length, channels), which is what 1D layers work on; forms are made when asked for. */
typedef struct kr_value {
  th_shape shape;
  int tensor; /* in that shape; -1: not made */
  int image;  /* rank 4; -1: not made */
} kr_value;

typedef struct kr_arg {
  int value; /* -1: a constant */
  double number;
} kr_arg;

/* One call of a layer. */
struct kr_call {
  kr_layer *layer;
  kr_arg arg[KR_MAX_ARGS];
  int n_args;
  bool has_state;              /* initial_state was given */
  int out[KR_MAX_ARGS], n_out; /* values */
};

/* Where weights come from: number `index` of the layer's weights. `want` says what is expected, for providers that make
 * weights up; the caller compares. */
typedef struct kr_found {
  int count; /* how many weights the layer has */
  int rank;
  int64_t dim[8];
  const float *data;
} kr_found;
typedef th_status kr_find_fn(void *user, kr_reader *r, const kr_layer *l, int index, const kr_found *want,
                             kr_found *found);

typedef struct kr_source {
  kr_find_fn *find;
  void *user;
  int major; /* of the Keras that wrote the file: 2 or 3 */
} kr_source;

struct kr_reader {
  const char *what;
  kr_source source;
  th_graph *g;
  th_arena *scratch;
  kr_value *values;
  int n_values;
  int64_t weights; /* elements so far */
  int calls;       /* so far */
};

/* Config (the whole model's object: class_name, config) to graph. */
th_status th_keras_read_config(const th_json *root, const kr_source *source, const char *what, th_graph **graph);

/* --- keras_config.c --- */
bool th_keras_is_model(const char *class_name);
bool th_keras_take_ref(const th_json *j, kr_ref *ref);              /* false: j is no [layer, call, output, ...] */
kr_layer *th_keras_find_layer(const kr_model *m, const char *name); /* NULL when absent */
/* `self`: the layer that the model is, NULL for the outermost. */
th_status th_keras_take_model(kr_reader *r, kr_layer *self, const char *class_name, const th_json *config, int depth,
                              kr_model **model);

/* --- keras_build.c --- */
/* "model.h5: layer conv1 (Conv2D): ..." */
th_status th_keras_fail(const kr_reader *r, const kr_layer *l, const char *fmt, ...) TH_PRINTF(3, 4);

th_status th_keras_value(kr_reader *r, const th_shape *shape, int tensor, int image, int *value);
th_status th_keras_tensor(kr_reader *r, int value, int *tensor); /* in the value's own shape */
th_status th_keras_image(kr_reader *r, int value, int *tensor);  /* rank 4; of a value of rank 3 or 4 */
static inline const th_shape *th_keras_shape(const kr_reader *r, int value) {
  return &r->values[value].shape;
}

/* A node with an output of yet unknown shape; settle it with finish once the attributes are set. `part`: NULL for the
 * node that bears the layer's name, else what it does, as "relu". */
th_status th_keras_node(kr_reader *r, const kr_call *c, th_op_id op, const char *part, const int *in, int n_in,
                        th_node **node);
th_status th_keras_finish(kr_reader *r, const kr_call *c, th_node *node, int *tensor);
/* The same for an output of known shape (reshape). */
th_status th_keras_reshape(kr_reader *r, const char *name, int tensor, const th_shape *shape, int *out);
/* Names of one call's nodes. */
const char *th_keras_clean(kr_reader *r, const char *name);
const char *th_keras_name(kr_reader *r, const kr_call *c, const char *part);

/* Operators on whatever form there is. */
th_status th_keras_unary(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, int *out);
th_status th_keras_unary_attr(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, th_attr_id id,
                              float attr, int *out);
th_status th_keras_binary(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int a, int b, int *out);
/* With a constant of `n` values (1, or one per channel) as the second operand; swapped: as the first. */
th_status th_keras_with_const(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, const float *data,
                              int n, bool swapped, int *out);
/* A result of an operator on images: the value of the layer, a row again if `row`. */
th_status th_keras_image_value(kr_reader *r, int tensor, bool row, int *value);

th_status th_keras_const(kr_reader *r, const kr_call *c, const char *part, const th_shape *shape, const float *data,
                         int *tensor);

typedef struct kr_weight {
  const char *role;
  int rank;
  int64_t dim[KR_MAX_WEIGHT_RANK]; /* as Keras keeps it */
  th_shape shape;                  /* as the graph keeps it */
  int outer, inner, block;         /* outer > 0: stored (outer, inner, block), kept (inner, outer, block); 0 is 1 */
} kr_weight;
kr_weight th_keras_channel_weight(const char *role, int n); /* n values, one per channel */
/* Reads the layer's weights into constants; the second time gives the same ones. `form` tells apart uses of one layer
 * that keep them in different shapes. */
th_status th_keras_weights(kr_reader *r, const kr_call *c, const kr_weight *want, int n, int form, int *tensors);

/* Weight number `index` of the `n` that layer l has, as Keras keeps it; for who cannot use them as they are. */
th_status th_keras_weight_data(kr_reader *r, const kr_layer *l, const kr_weight *want, int index, int n,
                               const float **data);

/* --- asking the config --- */
th_status th_keras_ints(const kr_reader *r, const kr_layer *l, const char *key, int n, int lo, int hi, int *values);
const char *th_keras_text(const kr_layer *l, const char *key, const char *otherwise);
bool th_keras_flag(const kr_layer *l, const char *key, bool otherwise);
double th_keras_real(const kr_layer *l, const char *key, double otherwise);
th_status th_keras_rank(const kr_reader *r, const kr_call *c, int lo, int hi); /* of the first argument */
th_status th_keras_last_axis(const kr_reader *r, const kr_call *c, int rank);  /* "axis" must be the last */
th_status th_keras_channels_last(const kr_reader *r, const kr_layer *l);

/* --- keras_activation.c --- */
/* Applies the layer's "activation"; `value` is replaced. */
th_status th_keras_activate(kr_reader *r, const kr_call *c, int *value);
th_status th_keras_activation(kr_reader *r, const kr_call *c, const char *name, int *value);

/* --- keras_layers.c --- */
const kr_row *th_keras_row(const char *class_name);
const kr_row *th_keras_operation_row(void);
bool th_keras_is_operation(const char *class_name);
#define KERAS_LAYER(class_name, function, argument) kr_layer_fn th_keras_##function;
#include "read/keras_layers.def"
#undef KERAS_LAYER
kr_layer_fn th_keras_operation;

#endif
