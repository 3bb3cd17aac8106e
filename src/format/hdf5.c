/* A child process walks the file with libhdf5 and writes what it finds as records; the caller turns records into
 * arrays.
 *
 *   record   'T' path name count value...     a text attribute
 *            'D' path rank dim... float...    a dataset of numbers
 *   (path, name, value: u32 length and bytes; count, rank: u32; dim: u64; all little-endian)
 *
 * Source of the interface: HDF5 1.10 Reference Manual. SPDX-License-Identifier: Apache-2.0 */
#include "format/hdf5.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "base/isolate.h"

enum {
  MAX_DEPTH = 24,
  MAX_OBJECTS = 1 << 16,
  MAX_PATH_BYTES = 2048,
  MAX_NAME = 512,
  MAX_TEXTS = 1 << 14, /* in one attribute */
  MAX_TEXT_BYTES = 1 << 24,
  MAX_CHUNK = 1 << 26
};
#define MAX_ELEMS ((hsize_t)1 << 26)
#define DEFLATE_RATIO 1032 /* deflate cannot expand by more */

bool th_h5_probe(const uint8_t *data, size_t size) {
  return size >= 16 && memcmp(data, "\x89HDF\r\n\x1a\n", 8) == 0;
}

/* --- in the child: libhdf5 to records. What cannot be read is left out; handles are not all closed, the process ends.
 */

typedef struct walk {
  th_buf *out;
  const uint8_t *data;
  size_t size;
  const char *const *skip;
  char path[MAX_PATH_BYTES];
  int depth, objects;
  size_t text_bytes;
  hsize_t elems;
} walk;

static void put_text(th_buf *out, const char *text, size_t length) {
  th_buf_u32(out, (uint32_t)length);
  th_buf_append(out, text, length);
}

/* Appends the strings of an attribute whose values were read into `values`. */
static void put_values(walk *w, const char *name, const void *values, size_t count, bool variable, size_t width) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    const char *s = variable ? ((char *const *)values)[i] : (const char *)values + i * width;
    bytes += !s ? 0 : variable ? strlen(s) : strnlen(s, width);
  }
  w->text_bytes += bytes;
  if (w->text_bytes > MAX_TEXT_BYTES) return;
  th_buf_u8(w->out, 'T');
  put_text(w->out, w->path, strlen(w->path));
  put_text(w->out, name, strlen(name));
  th_buf_u32(w->out, (uint32_t)count);
  for (size_t i = 0; i < count; i++) {
    const char *s = variable ? ((char *const *)values)[i] : (const char *)values + i * width;
    put_text(w->out, s ? s : "", !s ? 0 : variable ? strlen(s) : strnlen(s, width));
  }
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
  walk *w = user;
  hid_t a = H5Aopen(object, name, H5P_DEFAULT);
  if (a < 0) return 0;
  hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
  if (type >= 0 && H5Tget_class(type) == H5T_STRING && count >= 1 && count <= MAX_TEXTS && strlen(name) < MAX_NAME) {
    bool variable = H5Tis_variable_str(type) > 0;
    size_t width = variable ? sizeof(char *) : H5Tget_size(type);
    if (width >= 1 && (size_t)count * width <= MAX_TEXT_BYTES) {
      void *values = calloc((size_t)count, width);
      if (values && H5Aread(a, type, values) >= 0) put_values(w, name, values, (size_t)count, variable, width);
      free(values);
    }
  }
  H5Aclose(a);
  return 0;
}

static void visit_attributes(walk *w, hid_t object) {
  hsize_t at = 0;
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &at, visit_attribute, w);
}

static bool is_bfloat16(hid_t dataset) {
  char text[16] = "", *pointer = NULL;
  hid_t a = H5Aexists(dataset, "dtype") > 0 ? H5Aopen(dataset, "dtype", H5P_DEFAULT) : -1;
  hid_t type = a < 0 ? -1 : H5Aget_type(a), space = a < 0 ? -1 : H5Aget_space(a);
  if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) return false;
  if (H5Tis_variable_str(type) > 0)
    return H5Aread(a, type, &pointer) >= 0 && pointer && strcmp(pointer, "bfloat16") == 0;
  return H5Tget_size(type) < sizeof text && H5Aread(a, type, text) >= 0 && strcmp(text, "bfloat16") == 0;
}

/* Storage in the file itself, with filters that are built in, and enough of it for `bytes`. */
static bool is_plain(hid_t dataset, hsize_t bytes, size_t elem_bytes) {
  hid_t list = H5Dget_create_plist(dataset);
  hsize_t stored = H5Dget_storage_size(dataset), chunk[TH_H5_MAX_RANK];
  H5D_layout_t layout = list < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(list);
  if (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS) return H5Pget_external_count(list) == 0 && stored >= bytes;
  if (layout != H5D_CHUNKED) return false;
  int rank = H5Pget_chunk(list, TH_H5_MAX_RANK, chunk), filters = H5Pget_nfilters(list);
  hsize_t chunk_bytes = elem_bytes;
  for (int i = 0; i < rank && i < TH_H5_MAX_RANK; i++) {
    if (chunk[i] < 1 || chunk_bytes > MAX_CHUNK / chunk[i]) return false;
    chunk_bytes *= chunk[i];
  }
  for (int i = 0; i < filters; i++) {
    unsigned flags, config;
    size_t n = 0;
    H5Z_filter_t id = H5Pget_filter2(list, (unsigned)i, &flags, &n, NULL, 0, NULL, &config);
    if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32) return false;
  }
  return rank >= 1 && filters >= 0 && bytes / DEFLATE_RATIO <= stored;
}

static void widen_bfloat16(const uint16_t *from, float *to, hsize_t n) {
  for (hsize_t i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)from[i] << 16;
    memcpy(to + i, &bits, sizeof bits);
  }
}

static bool read_values(hid_t dataset, hid_t type, H5T_class_t class, hsize_t elems, float *to) {
  if (class != H5T_OPAQUE) return H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0;
  uint16_t *half = calloc((size_t)elems, sizeof *half);
  bool ok = half && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, half) >= 0;
  if (ok) widen_bfloat16(half, to, elems);
  free(half);
  return ok;
}

static void put_dataset(walk *w, const hsize_t *dim, int rank, const float *values, hsize_t elems) {
  th_buf_u8(w->out, 'D');
  put_text(w->out, w->path, strlen(w->path));
  th_buf_u32(w->out, (uint32_t)rank);
  for (int i = 0; i < rank; i++) th_buf_u64(w->out, (uint64_t)dim[i]);
  th_buf_append(w->out, values, (size_t)elems * sizeof *values); /* little-endian, as every host this is built for */
}

static th_status visit_dataset(walk *w, hid_t dataset) {
  hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
  if (type < 0 || space < 0) return TH_OK;
  hsize_t dim[TH_H5_MAX_RANK], elems = 1;
  H5T_class_t class = H5Tget_class(type);
  int rank = H5Sget_simple_extent_ndims(space);
  size_t bytes = H5Tget_size(type);
  bool number = (class == H5T_FLOAT || class == H5T_INTEGER) && bytes >= 1 && bytes <= 8;
  if (!number && !(class == H5T_OPAQUE && bytes == 2 && is_bfloat16(dataset))) return TH_OK;
  if (rank < 0 || rank > TH_H5_MAX_RANK || H5Sget_simple_extent_dims(space, dim, NULL) < 0) return TH_OK;
  for (int i = 0; i < rank; i++) {
    if (dim[i] < 1 || elems > MAX_ELEMS / dim[i]) return TH_OK;
    elems *= dim[i];
  }
  if (!is_plain(dataset, elems * bytes, bytes)) return TH_OK;
  w->elems += elems;
  if (w->elems > MAX_ELEMS) return th_fail(TH_ERR_INPUT, "more than %llu weights", (unsigned long long)MAX_ELEMS);
  float *values = calloc((size_t)elems, sizeof *values);
  if (!values) return th_fail(TH_ERR_RESOURCE, "out of memory");
  if (read_values(dataset, type, class, elems, values)) put_dataset(w, dim, rank, values, elems);
  free(values);
  return TH_OK;
}

static th_status visit_group(walk *w, hid_t group);

static th_status visit_object(walk *w, hid_t object) {
  H5I_type_t kind = H5Iget_type(object);
  for (const char *const *s = w->skip; s && *s; s++)
    if (strcmp(w->path, *s) == 0) return TH_OK;
  if (++w->objects > MAX_OBJECTS) return th_fail(TH_ERR_INPUT, "more than %d groups and datasets", MAX_OBJECTS);
  if (kind == H5I_GROUP || kind == H5I_DATASET) visit_attributes(w, object);
  if (kind == H5I_DATASET) return visit_dataset(w, object);
  return kind == H5I_GROUP ? visit_group(w, object) : TH_OK;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
  walk *w = user;
  size_t length = strlen(w->path), more = strlen(name);
  if (info->type != H5L_TYPE_HARD || length + more + 2 > MAX_PATH_BYTES) return 0;
  hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0) return 0;
  if (length) w->path[length++] = '/';
  memcpy(w->path + length, name, more + 1);
  th_status status = visit_object(w, object);
  w->path[length ? length - 1 : 0] = 0;
  H5Oclose(object);
  return status == TH_OK ? 0 : -1;
}

static th_status visit_group(walk *w, hid_t group) {
  hsize_t at = 0;
  if (w->depth >= MAX_DEPTH) return th_fail(TH_ERR_INPUT, "groups are nested deeper than %d", MAX_DEPTH);
  w->depth++;
  H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &at, visit_link, w);
  w->depth--;
  return th_error_status();
}

static th_status walk_file(void *user, th_buf *out) {
  walk *w = user;
  w->out = out;
  H5open();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0); /* no filters from elsewhere */
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access < 0 || H5Pset_fapl_core(access, 1 << 16, 0) < 0 ||
      H5Pset_file_image(access, (void *)(uintptr_t)w->data, w->size) < 0)
    return th_fail(TH_ERR_RESOURCE, "out of memory");
  hid_t file = H5Fopen("image", H5F_ACC_RDONLY, access);
  if (file < 0) return th_fail(TH_ERR_INPUT, "not a readable HDF5 file: it is damaged or truncated");
  hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
  if (root < 0) return th_fail(TH_ERR_INPUT, "not a readable HDF5 file: it has no root group");
  visit_attributes(w, root);
  return visit_group(w, root);
}

/* --- in the caller: records to arrays --- */

static const char *take_text(th_arena *arena, th_reader *r) {
  uint32_t length = th_reader_u32(r);
  const uint8_t *bytes = th_reader_take(r, length);
  char *text = bytes ? th_arena_alloc(arena, (size_t)length + 1) : NULL;
  if (text) memcpy(text, bytes, length);
  return text;
}

static th_status take_attribute(th_arena *arena, th_reader *r, th_h5_text *t) {
  t->path = take_text(arena, r);
  t->name = take_text(arena, r);
  uint32_t count = th_reader_u32(r);
  if (count > MAX_TEXTS || r->failed) return th_fail(TH_ERR_INPUT, "%s: damaged attribute", r->what);
  const char **value = TH_ARRAY(arena, const char *, count);
  if (!value) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < count; i++) {
    value[i] = take_text(arena, r);
    if (!value[i]) return r->failed ? TH_ERR_INPUT : TH_ERR_RESOURCE;
  }
  t->count = (int)count;
  t->value = value;
  return t->path && t->name ? TH_OK : TH_ERR_RESOURCE;
}

static th_status take_dataset(th_arena *arena, th_reader *r, th_h5_dataset *d) {
  d->path = take_text(arena, r);
  uint32_t rank = th_reader_u32(r);
  uint64_t elems = 1;
  if (rank > TH_H5_MAX_RANK) return th_fail(TH_ERR_INPUT, "%s: damaged dataset", r->what);
  d->rank = (int)rank;
  for (uint32_t i = 0; i < rank; i++) {
    uint64_t dim = th_reader_u64(r);
    if (dim < 1 || elems > MAX_ELEMS / dim) return th_fail(TH_ERR_INPUT, "%s: damaged dataset", r->what);
    d->dim[i] = (int64_t)dim;
    elems *= dim;
  }
  d->elems = (int64_t)elems;
  const uint8_t *bytes = th_reader_take(r, (size_t)elems * sizeof(float));
  if (!bytes) return TH_ERR_INPUT;
  d->data = th_arena_copy(arena, bytes, (size_t)elems * sizeof(float)); /* aligned */
  return d->data && d->path ? TH_OK : TH_ERR_RESOURCE;
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const th_h5_dataset *)a)->path, ((const th_h5_dataset *)b)->path);
}

static int compare_text(const th_h5_text *a, const char *path, const char *name) {
  int order = strcmp(a->path, path);
  return order ? order : strcmp(a->name, name);
}

static int by_path_and_name(const void *a, const void *b) {
  const th_h5_text *t = b;
  return compare_text(a, t->path, t->name);
}

void th_h5_sort(th_h5 *h5) {
  if (h5->n_datasets) qsort(h5->datasets, (size_t)h5->n_datasets, sizeof *h5->datasets, by_path);
  if (h5->n_texts) qsort(h5->texts, (size_t)h5->n_texts, sizeof *h5->texts, by_path_and_name);
}

/* Room for one more in an array of `count`, doubled when full. */
static void *grow(th_arena *arena, void *array, int count, size_t elem_bytes) {
  if (count & (count - 1)) return array; /* not a power of two: there is room */
  void *bigger = th_arena_array(arena, count ? (size_t)count * 2 : 1, elem_bytes);
  if (bigger && count) memcpy(bigger, array, (size_t)count * elem_bytes);
  return bigger;
}

static th_status take_records(th_arena *arena, th_reader *r, th_h5 *h5) {
  while (th_reader_left(r)) {
    uint8_t kind = th_reader_u8(r);
    if (kind == 'D') {
      h5->datasets = grow(arena, h5->datasets, h5->n_datasets, sizeof *h5->datasets);
      if (!h5->datasets) return TH_ERR_RESOURCE;
      TH_TRY(take_dataset(arena, r, &h5->datasets[h5->n_datasets++]));
    } else if (kind == 'T') {
      h5->texts = grow(arena, h5->texts, h5->n_texts, sizeof *h5->texts);
      if (!h5->texts) return TH_ERR_RESOURCE;
      TH_TRY(take_attribute(arena, r, &h5->texts[h5->n_texts++]));
    } else {
      return th_fail(TH_ERR_INPUT, "%s: damaged records", r->what);
    }
  }
  th_h5_sort(h5);
  return TH_OK;
}

th_status th_h5_load(th_arena *arena, const uint8_t *data, size_t size, const char *const *skip, const char *what,
                     th_h5 *h5) {
  static const size_t all = (size_t)MAX_ELEMS * sizeof(float) + MAX_TEXT_BYTES * 2;
  th_buf records = {0};
  *h5 = (th_h5){0};
  walk *w = TH_NEW(arena, walk);
  if (!w) return TH_ERR_RESOURCE;
  w->data = data;
  w->size = size;
  w->skip = skip;
  th_isolate_limits limits = {
      .cpu_seconds = 1 + (int)(size >> 26), .memory_bytes = size + 2 * all, .result_bytes = all};
  bool clean = th_error_status() == TH_OK;
  th_status status = th_isolate(walk_file, w, &limits, what, &records);
  if (status != TH_OK && clean && !strstr(th_error_message(), what)) th_fail_in(status, "%s", what);
  th_reader r = th_reader_init(records.data, records.size, what);
  if (status == TH_OK) status = take_records(arena, &r, h5);
  th_buf_free(&records);
  return status;
}

const th_h5_dataset *th_h5_find(const th_h5 *h5, const char *path) {
  int lo = 0, hi = h5->n_datasets;
  while (lo < hi) {
    int mid = lo + (hi - lo) / 2, order = strcmp(h5->datasets[mid].path, path);
    if (order == 0) return &h5->datasets[mid];
    if (order < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}

const th_h5_text *th_h5_find_text(const th_h5 *h5, const char *path, const char *name) {
  int lo = 0, hi = h5->n_texts;
  while (lo < hi) {
    int mid = lo + (hi - lo) / 2, order = compare_text(&h5->texts[mid], path, name);
    if (order == 0) return &h5->texts[mid];
    if (order < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}
