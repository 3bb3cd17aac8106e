/* HDF5 files, loaded whole into plain arrays: the datasets of numbers as float32 and the attributes that are text.
 *
 * libhdf5 is large and was not made for hostile files, so it runs in a process of its own (base/isolate.h) and only on
 * what is simple: hard links, datasets that lie in the file itself, the filters that come with it. Everything else
 * (external and soft links, external and virtual storage, other filters, tables, references) is left out. Sizes are
 * checked against the bytes that are stored before anything is allocated.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_HDF5_H
#define TH_FORMAT_HDF5_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

enum { TH_H5_MAX_RANK = 8 };

typedef struct th_h5_dataset {
  const char *path; /* without the leading '/' */
  int rank;
  int64_t dim[TH_H5_MAX_RANK];
  int64_t elems;
  const float *data;
} th_h5_dataset;

typedef struct th_h5_text {
  const char *path; /* of the group or dataset it belongs to; "" is the root */
  const char *name;
  int count; /* an attribute may be a list */
  const char *const *value;
} th_h5_text;

typedef struct th_h5 {
  int n_datasets, n_texts;
  th_h5_dataset *datasets; /* sorted by path */
  th_h5_text *texts;       /* sorted by path, then name */
} th_h5;

bool th_h5_probe(const uint8_t *data, size_t size);

/* `skip`: paths ("optimizer_weights") of groups that are left out, ended by NULL. Everything lives in `arena`. */
th_status th_h5_load(th_arena *arena, const uint8_t *data, size_t size, const char *const *skip, const char *what,
                     th_h5 *h5);

void th_h5_sort(th_h5 *h5);                                                             /* after paths were changed */
const th_h5_dataset *th_h5_find(const th_h5 *h5, const char *path);                     /* NULL when absent */
const th_h5_text *th_h5_find_text(const th_h5 *h5, const char *path, const char *name); /* NULL when absent */

#endif
