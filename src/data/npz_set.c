/* .npz files: x_train, y_train, x_test, y_test, or x and y alone, as numpy.savez writes them. See data/source.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "data/array.h"
#include "data/source.h"
#include "format/zip.h"

bool th_source_probe_npz(const th_source_place *place) {
  return !place->names && th_zip_probe(place->head, sizeof place->head);
}

typedef struct names {
  const char *x[2], *y[2]; /* of store 0 and 1, without ".npy" */
} names;

static const names layouts[] = {{{"x_train", "x_test"}, {"y_train", "y_test"}}, {{"x", NULL}, {"y", NULL}}};

static int find(const th_zip *zip, const char *name) {
  char file[64];
  if (!name) return -1;
  strcpy(file, name);
  return th_zip_find(zip, strcat(file, ".npy"));
}

static th_status read_array(th_dataset *d, th_zip *zip, int entry, const char *path, const char *name, th_array *a) {
  uint8_t *data;
  size_t size;
  const char *what = th_arena_printf(d->arena, "%s: %s", path, name);
  if (!what) return TH_ERR_RESOURCE;
  TH_TRY(th_zip_read(zip, entry, d->arena, TH_DATA_LIMIT, &data, &size));
  return th_array_from_npy(data, size, what, a);
}

static th_status read_store(th_dataset *d, th_zip *zip, const char *path, const names *n, int which, int limit) {
  th_store *store = &d->store[which];
  th_shape shape;
  th_array x, y;
  int at = find(zip, n->y[which]);
  TH_TRY(read_array(d, zip, find(zip, n->x[which]), path, n->x[which], &x));
  TH_TRY(th_array_samples(d->arena, &x, limit, store, &shape));
  if (which == 1 && !th_shape_eq(&shape, &d->shape)) {
    char found[TH_SHAPE_TEXT], expected[TH_SHAPE_TEXT];
    return th_fail(TH_ERR_INPUT, "%s: samples are %s, those for training are %s", x.what, th_shape_text(&shape, found),
                   th_shape_text(&d->shape, expected));
  }
  d->shape = shape;
  d->own = x.kind == 'i' && x.bytes <= 2;
  if (at < 0) return TH_OK;
  TH_TRY(read_array(d, zip, at, path, n->y[which], &y));
  return th_array_answers(d, &y, store, x.dim[0]);
}

static th_status read_zip(th_dataset *d, th_zip *zip, const char *path, const th_data_spec *spec) {
  for (int i = 0; i < 2; i++) {
    const names *n = &layouts[i];
    if (find(zip, n->x[0]) < 0) continue;
    TH_TRY(read_store(d, zip, path, n, 0, spec->limit));
    if (spec->test > 0 || find(zip, n->x[1]) < 0) return TH_OK;
    return read_store(d, zip, path, n, 1, spec->limit);
  }
  return th_fail(TH_ERR_INPUT, "%s: holds neither x_train nor x; expected x_train, y_train, x_test, y_test, or x and y",
                 path);
}

th_status th_source_read_npz(th_dataset *d, const char *path, const th_data_spec *spec) {
  uint8_t *data;
  size_t size;
  th_zip *zip;
  TH_TRY(th_file_read(d->arena, path, TH_DATA_LIMIT, &data, &size));
  TH_TRY(th_zip_open(data, size, path, &zip));
  th_status status = read_zip(d, zip, path, spec);
  th_zip_close(zip);
  return status;
}
