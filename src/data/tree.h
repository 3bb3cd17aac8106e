/* Folders with a folder per class, perhaps below train/ and test/: which files there are, and in which order.
 *
 * Names are sorted byte by byte, so the order is the same everywhere. Classes take turns (first file of each class,
 * then the second of each), so that the first N samples are of all classes. Names that begin with '.' or '_' are left
 * out. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_TREE_H
#define TH_DATA_TREE_H

#include "data/source.h"

typedef struct th_tree_file {
  const char *path;
  int32_t label;
} th_tree_file;

typedef struct th_tree {
  const char **classes; /* sorted; those of both parts */
  int n_classes;
  th_tree_file *file[2]; /* of store 0 and 1 */
  int count[2];
} th_tree;

/* `extensions`: ".png .jpg ", each with a blank behind it, in lower case; files that have none of them are left out. */
bool th_tree_probe(const th_source_place *place, const char *extensions);

/* Without train/ the classes are the folders in `dir`, all in store 0. The test part is left out when test= is given.
 */
th_status th_tree_read(th_arena *arena, const char *dir, const char *extensions, const th_data_spec *spec,
                       th_tree *tree);

/* Shape for all stores, classes and labels; the samples are allocated, zeroed. */
th_status th_tree_stores(th_dataset *d, const char *dir, const th_tree *tree, th_dtype dtype, int samples_per_file);

#endif
