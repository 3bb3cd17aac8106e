/* Reader and writer of .npy; see npy.h. The header of such a file is a Python dict in text, and only three keys of it
 * matter. SPDX-License-Identifier: Apache-2.0 */
#include "cli/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6
#define HEADER_LIMIT 4096

static const struct {
  const char *numpy, *dtype;
  size_t bytes;
} types[] = {{"<f4", "f32", 4}, {"|i1", "s8", 1},  {"|u1", "u8", 1},
             {"<i2", "s16", 2}, {"<i4", "s32", 4}, {"<f8", "f64", 8}};
#define N_TYPES ((int)(sizeof types / sizeof types[0]))

/* Text behind "'key':" of the header, or NULL. */
static const char *value_of(const char *header, const char *key) {
  const char *p = strstr(header, key);
  if (!p) return NULL;
  p = strchr(p + strlen(key), ':');
  return p ? p + 1 + strspn(p + 1, " ") : NULL;
}

/* A shape such as "(3, 28, 28)" and its elements; false when they overflow, or it is no shape. */
static bool read_shape(const char *shape, npy_view *view, size_t *elems) {
  *elems = 1;
  view->rank = 0;
  if (*shape != '(') return false;
  for (const char *p = shape + 1; *p != ')';) {
    char *end;
    if (*p < '0' || *p > '9' || view->rank == NPY_RANK) return false;
    unsigned long v = strtoul(p, &end, 10);
    if (v > INT64_MAX || __builtin_mul_overflow(*elems, (size_t)v, elems)) return false;
    view->dim[view->rank++] = (int64_t)v;
    p = end + strspn(end, ", ");
  }
  return true;
}

/* "'<f4', ..." without its quotes; structured types are lists. */
static const char *read_type(const char *descr, char type[16]) {
  size_t n = *descr == '\'' ? strcspn(descr + 1, "'") : 0;
  const char *text = n ? descr + 1 : "of a structure";
  if (!n) n = strlen(text);
  if (n > 15) n = 15;
  memcpy(type, text, n);
  type[n] = 0;
  for (char *p = type; *p; p++)
    if (*p < ' ' || *p > '~') *p = '?';
  return type;
}

static th_status read_header(th_reader *r, char header[HEADER_LIMIT + 1]) {
  const uint8_t *magic = th_reader_take(r, MAGIC_BYTES);
  if (!magic || memcmp(magic, MAGIC, MAGIC_BYTES) != 0) return th_fail(TH_ERR_INPUT, "%s: not a .npy file", r->what);
  uint8_t version = th_reader_u8(r);
  th_reader_u8(r);
  size_t length = version == 1 ? th_reader_u16(r) : th_reader_u32(r);
  if (version < 1 || version > 3 || length > HEADER_LIMIT)
    return th_fail(TH_ERR_INPUT, "%s: .npy version %d with a header of %zu bytes is not supported", r->what, version,
                   length);
  const uint8_t *text = th_reader_take(r, length);
  TH_TRY(th_reader_status(r));
  memcpy(header, text, length);
  header[length] = 0;
  return TH_OK;
}

th_status npy_read(const uint8_t *file, size_t size, const char *what, npy_view *view) {
  char header[HEADER_LIMIT + 1];
  th_reader r = th_reader_init(file, size, what);
  TH_TRY(read_header(&r, header));
  const char *descr = value_of(header, "'descr'"), *order = value_of(header, "'fortran_order'");
  const char *shape = value_of(header, "'shape'");
  size_t elems;
  char type[16];
  if (!descr || !order || !shape || !read_shape(shape, view, &elems))
    return th_fail(TH_ERR_INPUT, "%s: the .npy header cannot be understood: %.80s", what, header);
  if (th_str_starts(order, "True"))
    return th_fail(TH_ERR_INPUT, "%s: Fortran order is not supported; numpy.ascontiguousarray() changes it", what);
  read_type(descr, type);
  for (int i = 0; i < N_TYPES; i++) {
    if (!th_str_eq(type, types[i].numpy)) continue;
    view->bytes = th_reader_left(&r);
    if (elems != view->bytes / types[i].bytes || view->bytes % types[i].bytes)
      return th_fail(TH_ERR_INPUT, "%s: holds %zu bytes of data, its shape says %zu elements of %zu bytes", what,
                     view->bytes, elems, types[i].bytes);
    view->data = th_reader_take(&r, view->bytes);
    strcpy(view->dtype, types[i].dtype);
    return TH_OK;
  }
  return th_fail(TH_ERR_INPUT, "%s: element type %s is not supported (float32, float64, int8, uint8, int16, int32 are)",
                 what, type);
}

static const char *numpy_type(const char *dtype) {
  for (int i = 0; i < N_TYPES; i++)
    if (th_str_eq(types[i].dtype, dtype)) return types[i].numpy;
  return NULL;
}

th_status npy_write(const void *data, size_t bytes, const char *dtype, int samples, const char *shape, th_buf *out) {
  const char *type = numpy_type(dtype);
  if (!type) return th_fail(TH_ERR_INPUT, "%s values cannot be written as .npy; write .bin", dtype);
  th_buf header = {0};
  const char *rest = strchr(shape, 'x');
  th_buf_printf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (%d,", type, samples);
  for (const char *p = rest; p; p = strchr(p + 1, 'x')) th_buf_printf(&header, " %ld,", strtol(p + 1, NULL, 10));
  th_buf_printf(&header, "), }");
  while ((MAGIC_BYTES + 4 + header.size + 1) % 64) th_buf_u8(&header, ' '); /* data begin at a multiple of 64 */
  th_buf_u8(&header, '\n');
  th_buf_append(out, MAGIC "\x01\x00", MAGIC_BYTES + 2);
  th_buf_u16(out, (uint16_t)header.size);
  th_buf_append(out, header.data, header.size);
  th_buf_append(out, data, bytes);
  th_status status = th_buf_status(&header);
  th_buf_free(&header);
  TH_TRY(status);
  return th_buf_status(out);
}
