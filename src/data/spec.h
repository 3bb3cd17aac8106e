/* The words of a DATA argument: "NAME|PATH[,key=value...]", parsed and range-checked but not yet looked up.
 *
 * A piece without '=' continues the list of the key before it: "augment=shift2,flip" and "mean=0.5,0.4,0.3".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_SPEC_H
#define TH_DATA_SPEC_H

#include "data/dataset.h"

typedef struct th_data_spec {
  const char *source; /* name or path */
  float scale;        /* 0: not given */
  float mean[4], std[4];
  int n_mean, n_std; /* 0: not given */
  double val, test;  /* fractions; test 0: from the files of the test set */
  int limit;         /* samples of each store, 0: all */
  uint64_t seed;
  bool has_augment;
  th_augment augment;
} th_data_spec;

th_status th_data_spec_parse(th_arena *arena, const char *text, uint64_t seed, th_data_spec *spec);

#endif
