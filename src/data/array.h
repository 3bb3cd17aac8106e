/* Arrays of numbers as files hold them: any NumPy element type, either byte order, C or Fortran layout; turned into the
 * few types that samples, labels and targets are kept in. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_ARRAY_H
#define TH_DATA_ARRAY_H

#include "data/dataset.h"

enum { TH_ARRAY_RANK = 8 };

typedef struct th_array {
  const char *what; /* for messages: "x.npz: x_train" */
  char kind;        /* 'i' 'u' 'f' 'b' */
  int bytes;        /* of one element */
  bool big, fortran;
  int rank;
  int64_t dim[TH_ARRAY_RANK]; /* the first one counts samples */
  const uint8_t *data;        /* all elements are there */
} th_array;

/* "int8" ... "float64", "bool": kind and bytes. false: unknown. */
bool th_array_set_type(th_array *a, const char *name);
const char *th_array_type_text(const th_array *a, char buf[16]);

/* A .npy file (format 1.0 to 3.0), all of it: header and exactly as many bytes as it says. */
th_status th_array_from_npy(const uint8_t *data, size_t size, const char *what, th_array *a);

/* The first `limit` (0: all) samples: 8-bit integers (which may stay where they are) and int16 as they are, everything
 * else as float. Two dimensions of
 * a sample get a third one, a single channel. */
th_status th_array_samples(th_arena *arena, const th_array *a, int limit, th_store *store, th_shape *shape);

/* What is to be predicted for store->count samples: whole numbers are labels, one-hot rows too, floats are targets. */
th_status th_array_answers(th_dataset *d, const th_array *a, th_store *store, int64_t all);

#endif
