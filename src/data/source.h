/* The kinds of data sets: each reads samples, shape, labels and class names into a th_dataset; splits, normalization
 * and augmentation are the same for all (dataset.c).
 *
 * A kind fills store[0], and store[1] when the files have a test set of their own. A set with one store serves as test
 * set as a whole, unless test= takes a part of it. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_SOURCE_H
#define TH_DATA_SOURCE_H

#include "data/dataset.h"
#include "data/spec.h"

/* What lies at the path: a file (names NULL) with its first bytes, or a folder with its sorted entries. */
typedef struct th_source_place {
  th_arena *arena;
  const char *path;
  char **names;
  int count;
  uint8_t head[16];
  const th_data_spec *spec;
} th_source_place;

typedef bool th_source_probe_fn(const th_source_place *place);
typedef th_status th_source_read_fn(th_dataset *d, const char *path, const th_data_spec *spec);

#define TH_SOURCE(name, what, keys)          \
  th_source_probe_fn th_source_probe_##name; \
  th_source_read_fn th_source_read_##name;
#include "data/sources.def"
#undef TH_SOURCE

/* Refuses a store of `count` samples of `shape` that is larger than TH_DATA_LIMIT, before it is allocated. */
th_status th_source_room(const char *what, int64_t count, const th_shape *shape, th_dtype dtype);
/* The labels of a store: `labels` are in the arena, each at least 0. Raises d->classes. */
th_status th_source_take_labels(th_dataset *d, th_store *store, const int32_t *labels);

#endif
