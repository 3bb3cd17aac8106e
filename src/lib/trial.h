/* Samples for a model that runs on two machines: inputs as the model takes them, outputs of both sides.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_TRIAL_H
#define TH_LIB_TRIAL_H

#include "lib/data.h"
#include "lib/model.h"

typedef struct th_trial {
  int samples;
  size_t in_bytes, out_bytes; /* of a sample: all inputs in order, all outputs */
  uint8_t *inputs, *device, *host;
  int32_t *labels; /* NULL: none */
  int outputs;     /* elements of the first output, which answers */
  th_port out;
  float *real; /* that output, dequantized */
} th_trial;

/* Where the inputs come from; all memory is the arena's. `samples` of the trial: how many are wanted, and how many
 * there are afterwards. From the test split of a data set, with labels; from a file of raw bytes, sample after sample
 * (all of it); or uniform random values in [0, 1), the same in every run. */
th_status th_trial_from_data(th_trial *t, th_model *m, const th_data *data, th_arena *arena);
th_status th_trial_from_file(th_trial *t, th_model *m, const char *path, th_arena *arena);
th_status th_trial_random(th_trial *t, th_model *m, th_arena *arena);

/* Runs the model here, into `host`. */
th_status th_trial_run_host(const th_trial *t, th_model *m);

int64_t th_trial_right(const th_trial *t);     /* answers of the device that are the labels */
int64_t th_trial_different(const th_trial *t); /* bytes of the device's outputs that are not the host's */

#endif
