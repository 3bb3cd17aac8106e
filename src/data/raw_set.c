/* Raw numbers: a file that is nothing but elements, little-endian, sample after sample; shape= and dtype= say what they
 * are, labels= names a file of labels (one byte each) or of float32 targets. See data/source.h.
 *
 * Signed integers without scale= are those of a model's input, in its own quantization, and are fed unchanged.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/array.h"
#include "data/source.h"

bool th_source_probe_raw(const th_source_place *place) {
  const char *extension = th_path_extension(place->path);
  return !place->names && (place->spec->shape.rank || th_str_eq(extension, ".bin") || th_str_eq(extension, ".raw"));
}

static th_status read_samples(th_dataset *d, const char *path, const th_data_spec *spec, th_store *store,
                              int64_t *all) {
  th_array a = {.what = path};
  uint8_t *data;
  size_t size;
  if (!th_array_set_type(&a, spec->dtype))
    return th_fail(TH_ERR_USAGE,
                   "data: dtype=%s: expected int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, "
                   "float32, float64 or bool",
                   spec->dtype);
  TH_TRY(th_file_read(d->arena, path, TH_DATA_LIMIT, &data, &size));
  int64_t each = th_shape_elems(&spec->shape) * a.bytes;
  char shape[TH_SHAPE_TEXT];
  if (size == 0 || size % (size_t)each)
    return th_fail(TH_ERR_INPUT, "%s: %zu bytes are no whole number of samples of %s %s (%lld bytes each)", path, size,
                   th_shape_text(&spec->shape, shape), spec->dtype, (long long)each);
  a.data = data;
  a.rank = 1 + spec->shape.rank;
  a.dim[0] = *all = (int64_t)(size / (size_t)each);
  for (int i = 0; i < spec->shape.rank; i++) a.dim[i + 1] = spec->shape.dim[i];
  d->own = a.kind == 'i' && a.bytes <= 2;
  return th_array_samples(d->arena, &a, spec->limit, store, &d->shape);
}

/* One byte a sample: classes. A multiple of four: float32 targets. */
static th_status read_answers(th_dataset *d, const char *path, int64_t all, th_store *store) {
  uint8_t *data;
  size_t size;
  TH_TRY(th_file_read(d->arena, path, TH_DATA_LIMIT, &data, &size));
  th_array a = {.what = path, .data = data, .rank = 1, .dim = {all}, .kind = 'u', .bytes = 1};
  if (size == (size_t)all) return th_array_answers(d, &a, store, all);
  if (size == 0 || size % (4 * (size_t)all))
    return th_fail(TH_ERR_INPUT,
                   "%s: %zu bytes for %lld samples; expected one byte each (the class) or float32 targets", path, size,
                   (long long)all);
  a.kind = 'f';
  a.bytes = 4;
  a.rank = 2;
  a.dim[1] = (int64_t)(size / 4 / (size_t)all);
  return th_array_answers(d, &a, store, all);
}

static th_status read_store(th_dataset *d, const char *path, const char *labels, const th_data_spec *spec, int which) {
  int64_t all;
  TH_TRY(read_samples(d, path, spec, &d->store[which], &all));
  return labels ? read_answers(d, labels, all, &d->store[which]) : TH_OK;
}

th_status th_source_read_raw(th_dataset *d, const char *path, const th_data_spec *spec) {
  if (!spec->shape.rank || !spec->dtype)
    return th_fail(TH_ERR_USAGE, "%s: raw numbers need shape= and dtype=, such as %s,shape=49x10x1,dtype=int8", path,
                   th_path_base(path));
  TH_TRY(read_store(d, path, spec->labels, spec, 0));
  return spec->test_file ? read_store(d, spec->test_file, spec->test_labels, spec, 1) : TH_OK;
}
