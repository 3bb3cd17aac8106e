/* Folders of IDX files, in the layout of MNIST. See data/source.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "data/idx.h"
#include "data/source.h"

/* "<part>-<what>-idxN-TYPE[.gz]" or "<part>-<what>.idxN-TYPE[.gz]": the first in order, so plain before .gz. */
static const char *find_file(char **names, int count, const char *part, const char *what) {
  size_t part_length = strlen(part), what_length = strlen(what);
  for (int i = 0; i < count; ++i) {
    const char *s = names[i];
    if (strncmp(s, part, part_length) != 0 || s[part_length] != '-') continue;
    s += part_length + 1;
    if (strncmp(s, what, what_length) != 0) continue;
    s += what_length;
    if ((*s == '-' || *s == '.') && strncmp(s + 1, "idx", 3) == 0 && isdigit((unsigned char)s[4])) return names[i];
  }
  return NULL;
}

typedef struct idx_files {
  const char *dir;
  const char *images[2], *labels[2]; /* of store 0 and 1; NULL when absent */
} idx_files;

static th_status find_idx_files(th_arena *arena, const char *dir, idx_files *f) {
  char **names;
  int count;
  TH_TRY(th_dir_list(arena, dir, &names, &count));
  *f = (idx_files){.dir = dir};
  static const char *const parts[2][2] = {{"train", "train"}, {"t10k", "test"}};
  for (int store = 0; store < 2; ++store)
    for (int alias = 0; alias < 2 && !f->images[store]; ++alias) {
      f->images[store] = find_file(names, count, parts[store][alias], "images");
      f->labels[store] = find_file(names, count, parts[store][alias], "labels");
    }
  return TH_OK;
}

static th_status to_float(th_arena *arena, th_idx *idx, int64_t count) {
  float *values = TH_ARRAY(arena, float, count);
  if (!values) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < count; ++i) values[i] = (float)((const int32_t *)idx->data)[i];
  idx->data = values;
  idx->dtype = TH_DTYPE_F32;
  return TH_OK;
}

static th_status read_images(th_dataset *d, const char *path, th_store *store, th_shape *shape) {
  th_idx idx;
  TH_TRY(th_idx_read(d->arena, path, &idx));
  if (idx.rank < 2)
    return th_fail(TH_ERR_INPUT, "%s: has %d dimension, expected 2 to 4: samples, then 1 to 3 of each sample", path,
                   idx.rank);
  *shape = (th_shape){.rank = idx.rank - 1};
  for (int i = 1; i < idx.rank; ++i) shape->dim[i - 1] = idx.dim[i];
  if (shape->rank == 2) shape->dim[shape->rank++] = 1;
  int64_t elems = th_shape_elems(shape);
  if (elems > 1 << 24)
    return th_fail(TH_ERR_INPUT, "%s: a sample has %lld values, at most 2^24 are supported", path, (long long)elems);
  if (idx.dtype == TH_DTYPE_S32) TH_TRY(to_float(d->arena, &idx, elems * idx.dim[0]));
  store->count = idx.dim[0];
  store->dtype = idx.dtype;
  store->samples = idx.data;
  return TH_OK;
}

static bool label_at(const th_idx *idx, int i, int32_t *label) {
  switch (idx->dtype) {
    case TH_DTYPE_U8:
      *label = ((const uint8_t *)idx->data)[i];
      break;
    case TH_DTYPE_S8:
      *label = ((const int8_t *)idx->data)[i];
      break;
    case TH_DTYPE_S16:
      *label = ((const int16_t *)idx->data)[i];
      break;
    default:
      *label = ((const int32_t *)idx->data)[i];
      break;
  }
  return *label >= 0 && *label < TH_MAX_CLASSES;
}

static th_status read_labels(th_dataset *d, const char *path, const char *images, int n_images, th_store *store) {
  th_idx idx;
  TH_TRY(th_idx_read(d->arena, path, &idx));
  if (idx.rank != 1 || idx.dtype == TH_DTYPE_F32)
    return th_fail(TH_ERR_INPUT, "%s: labels must be one dimension of whole numbers, found %d dimension(s) of %s", path,
                   idx.rank, th_dtype_name(idx.dtype));
  if (idx.dim[0] != n_images)
    return th_fail(TH_ERR_INPUT, "%s: has %d labels, but %s has %d samples", path, idx.dim[0], images, n_images);
  int32_t *labels = TH_ARRAY(d->arena, int32_t, store->count);
  if (!labels) return TH_ERR_RESOURCE;
  for (int i = 0; i < idx.dim[0]; ++i) {
    int32_t label;
    if (!label_at(&idx, i, &label))
      return th_fail(TH_ERR_INPUT, "%s: label %d is %d, expected 0 to %d", path, i, label, TH_MAX_CLASSES - 1);
    if (label >= d->classes) d->classes = label + 1;
    if (i < store->count) labels[i] = label;
  }
  store->labels = labels;
  return TH_OK;
}

static th_status read_store(th_dataset *d, const idx_files *f, int which, int limit) {
  const char *images = th_path_join(d->arena, f->dir, f->images[which]);
  if (!images) return TH_ERR_RESOURCE;
  th_store *store = &d->store[which];
  th_shape shape;
  TH_TRY(read_images(d, images, store, &shape));
  int all = store->count;
  if (limit && limit < all) store->count = limit;
  if (which == 0) {
    d->shape = shape;
  } else if (!th_shape_eq(&shape, &d->shape)) {
    char found[TH_SHAPE_TEXT], expected[TH_SHAPE_TEXT];
    return th_fail(TH_ERR_INPUT, "%s: samples are %s, those for training are %s", images, th_shape_text(&shape, found),
                   th_shape_text(&d->shape, expected));
  }
  if (!f->labels[which]) return TH_OK;
  const char *labels = th_path_join(d->arena, f->dir, f->labels[which]);
  return labels ? read_labels(d, labels, images, all, store) : TH_ERR_RESOURCE;
}

th_status th_source_read_idx(th_dataset *d, const char *dir, const th_data_spec *spec) {
  idx_files files;
  TH_TRY(find_idx_files(d->arena, dir, &files));
  TH_TRY(read_store(d, &files, 0, spec->limit));
  if (spec->test > 0) return TH_OK; /* a part of the training set serves instead of the test files */
  if (!files.images[1])
    return th_fail(TH_ERR_INPUT,
                   "%s: has no test set (t10k-images-idx* or test-images-idx*); test=0.2 takes a part of "
                   "the training set",
                   dir);
  return read_store(d, &files, 1, spec->limit);
}

bool th_source_probe_idx(const th_source_place *place) {
  return place->names && find_file(place->names, place->count, "train", "images");
}
