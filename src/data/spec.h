/* The words of a DATA argument: "NAME|PATH[,key=value...]", parsed and range-checked but not yet looked up.
 *
 * A piece without '=' continues the list of the key before it: "augment=shift2,flip" and "mean=0.5,0.4,0.3". Each kind
 * of data set says which keys it understands; another one's keys are refused, not ignored.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_SPEC_H
#define TH_DATA_SPEC_H

#include "data/dataset.h"

enum { TH_SPEC_ITEMS = 32 };

typedef struct th_spec_list {
  const char *item[TH_SPEC_ITEMS];
  int count;
} th_spec_list;

typedef struct th_data_spec {
  const char *source; /* name or path */
  float scale;        /* 0: not given */
  int32_t zero;
  bool has_zero;
  float mean[4], std[4];
  int n_mean, n_std; /* 0: not given */
  double val, test;  /* fractions; test 0: from the files of the test set */
  int limit;         /* samples of each store, 0: all */
  uint64_t seed;
  bool has_augment;
  th_augment augment;
  bool no_labels;       /* labels=none */
  const char *positive; /* class of the positive answer, for AUC; NULL: not given */

  const char *test_file;            /* test=PATH; NULL: not given */
  const char *labels, *test_labels; /* files of labels beside raw data; NULL: not given */
  th_shape shape;                   /* of one raw sample; rank 0: not given */
  const char *dtype;                /* of raw data, as NumPy names it; NULL: not given */
  const char *label;                /* column of a csv file with the class */
  th_spec_list target, drop;        /* columns with numbers to predict, columns to leave out */
  double missing[4];                /* numbers that stand for a missing value */
  int n_missing;
  bool drop_missing;      /* rows with missing values are left out instead of refused */
  int size_y, size_x;     /* of pictures; 0: as the first one */
  int channels;           /* of pictures: 1 or 3; 0: as the first one */
  const char *features;   /* of sounds */
  int rate, length_ms;    /* of sounds: sampling rate converted to, length cut or padded to; 0: not given */
  int window_ms, step_ms; /* of the frames of sounds; 0: not given */
  uint32_t given;         /* a bit per key in the order of the table in spec.c */
} th_data_spec;

th_status th_data_spec_parse(th_arena *arena, const char *text, uint64_t seed, th_data_spec *spec);

/* Refuses a key that neither every data set nor this kind of it understands. `own`: names with a space on both sides
 * of each, " shape dtype ". */
th_status th_data_spec_check(const th_data_spec *spec, const char *kind, const char *own);

#endif
