/* From settings to a training: its options, and the constraints that keep what earlier stages gained.
 *
 * Zeros and shared values are found in the weights themselves, so pruned and clustered models may come from any file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_TRAINING_H
#define TH_LIB_TRAINING_H

#include "lib/settings.h"
#include "train/train.h"

#define TH_LONGEST_PATH 1024 /* of a file that a setting names */

typedef struct th_training {
  th_train_options options;
  th_augment augment;
  th_model *teacher[TH_MOST_TEACHERS]; /* owned */
} th_training;

/* The graphs that the words mean which a teacher may be named by. */
typedef struct th_own_teachers {
  const th_graph *self;   /* the network before the first stage, or as its first training left it */
  const th_graph *before; /* as the stage gets it: already smaller, so it answers sooner */
} th_own_teachers;
bool th_is_own_teacher(const char *name);
bool th_teaches_itself(const th_settings *s); /* one of the stage's teachers is such a word */

bool th_stage_trains(const th_settings *s); /* quantize after training does not */

/* Whether a training by these settings can begin, as far as that shows before any work. `same_shapes`: the layers of
 * the network will then have the shapes that they have now. */
th_status th_training_check(const th_settings *s, const th_model *student, bool same_shapes);

/* The own teachers are cloned. NULL data: those of the training come later. The result must be freed. */
th_status th_training_prepare(const th_settings *s, const th_data *data, const th_own_teachers *own,
                              const th_context *ctx, th_training *training);
void th_training_free(th_training *training);

/* A weight tensor: the main constant of a convolution or fully connected layer. */
typedef struct th_weight {
  int node, tensor;
  int axis; /* output channels */
  bool is_depthwise, is_dense;
  bool is_pruned;  /* its zeros are to stay (th_op_is_pruned) */
  double sparsity; /* fraction of exact zeros */
  int64_t elems;
} th_weight;
#define TH_MAX_WEIGHTS 512
/* All float weight tensors, each once. TH_ERR_INPUT when there are more than TH_MAX_WEIGHTS. */
th_status th_weights_list(const th_graph *g, th_weight *list, int *count);

/* Distinct values of a float tensor in units of its grid (th_quant); 0 when it has no grid or more than 256. */
int th_weight_levels(const th_tensor *t);

/* Masks that keep the zeros which are there, where the tensor is pruned. */
th_status th_constrain_zeros(const th_graph *g, const th_weight *w, th_constraints *cs);

#endif
