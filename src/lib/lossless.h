/* Making an integer model smaller without changing one bit of its outputs, and proving it by running both.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_LOSSLESS_H
#define TH_LIB_LOSSLESS_H

#include "lib/measure.h"

/* What a model weighs after one of the steps. */
typedef struct th_lossless_row {
  const char *name;
  th_footprint f; /* bytes: the .thim program with raw weights, but coded in the last row */
  double seconds;
} th_lossless_row;

#define TH_LOSSLESS_ROWS 12

typedef struct th_lossless {
  th_graph *graph; /* the result */
  th_lossless_row row[TH_LOSSLESS_ROWS];
  int n;
  th_deployed deployed; /* the graph, coded */
} th_lossless;

/* Runs all passes on a copy and measures after each: "as given", one row per group of passes, "encode" with `coders`.
 * TH_ERR_INPUT for models that are not integer. */
th_status th_lossless_run(const th_model *model, const th_encode_options *coders, th_lossless *result);
void th_lossless_free(th_lossless *result);

/* Runs `samples` random samples, and the test split of `data` unless that is NULL, through the model and through the
 * blob, and compares every output byte. TH_ERR_INTERNAL, naming sample and output, at the first difference. *compared:
 * samples in all. */
th_status th_lossless_verify(th_model *model, const void *blob, size_t bytes, int samples, uint64_t seed,
                             const th_data *data, const th_context *ctx, int *compared);

/* What `info` says about it: the object "lossless" and a paragraph. The bytes are those of the fast coders. */
th_status th_info_lossless(const th_model *model, th_result *result);

/* `shrink --lossless`: the whole of it, with the files that th_shrink() promises. */
th_status th_shrink_lossless(const th_model *model, const th_data *data, const th_shrink_options *options,
                             const char *dir, const th_context *ctx, th_result **result);

#endif
