/* The rows of the table that the stages print: what a model weighs and how right it is after each.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_ROWS_H
#define TH_LIB_ROWS_H

#include "lib/measure.h"
#include "report/result.h"

typedef struct th_stage_row {
  const char *name;
  const char *graph; /* file of the network after it, relative to the result's folder; NULL: none */
  int64_t bytes, params, macs;
  double ratio;      /* float32 bytes / bytes */
  bool tested;       /* the next one, mse and change are those of the test split; false: that was not read */
  double accuracy;   /* NaN when the data set has no labels */
  double validation; /* accuracy on the validation split, for choosing; NaN when there is none */
  double mse;
  double change; /* accuracy minus that of the first row; NaN when that was not tested */
  double sparsity, bits_per_weight, seconds;
} th_stage_row;

typedef struct th_stage_rows {
  th_stage_row row[40];
  int n;
  int64_t float_bytes; /* 4 * parameters of the first row */
  uint64_t seed;
  bool spare_test;                 /* rows to come do not read the test split */
  const th_encode_options *coders; /* of integer models; NULL: none, integers in as few bits as they need */
} th_stage_rows;

extern const th_encode_options th_rows_coded; /* all coders, as the smallest .thim has them */

#define TH_ROW_FLOAT32 "float32" /* the row whose bytes are 4 per parameter, whatever its weights are */

/* Appends a row; ratios are to 4 bytes per parameter of the first. Integer models count as `coders` says. */
th_status th_rows_measure(th_stage_rows *rows, const char *name, th_model *model, const th_data *data,
                          const th_context *ctx);
/* Appends a row of given bytes; the other numbers are those of the row before. */
void th_rows_repeat(th_stage_rows *rows, const char *name, int64_t bytes, double seconds);
/* Where much accuracy was lost since the first row: by how much, and the advice. */
void th_rows_warn(const th_stage_rows *rows, const char *advice, const th_context *ctx);
/* "stages" array, seed, and the table with a word on what its bytes are. */
void th_rows_write(const th_stage_rows *rows, th_result *result);
/* bytes, accuracy, sparsity ... of the last row as keys of the root. */
void th_rows_write_last(const th_stage_rows *rows, th_result *result);

#endif
