/* Reading IDX: header through the bounds-checked cursor, then one conversion from big-endian.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/idx.h"

#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "format/gzip.h"

typedef struct element {
  uint8_t code;
  uint8_t bytes;
  th_dtype dtype;
} element;

static const element *find_element(uint8_t code) {
  static const element elements[] = {{0x08, 1, TH_DTYPE_U8},  {0x09, 1, TH_DTYPE_S8},  {0x0b, 2, TH_DTYPE_S16},
                                     {0x0c, 4, TH_DTYPE_S32}, {0x0d, 4, TH_DTYPE_F32}, {0x0e, 8, TH_DTYPE_F32}};
  for (size_t i = 0; i < sizeof elements / sizeof elements[0]; ++i)
    if (elements[i].code == code) return &elements[i];
  return NULL;
}

static th_status read_header(th_reader *r, th_idx *idx, const element **type, uint64_t *count) {
  uint16_t zero = th_reader_u16be(r);
  uint8_t code = th_reader_u8(r), rank = th_reader_u8(r);
  TH_TRY(th_reader_status(r));
  *type = find_element(code);
  if (zero != 0 || !*type || rank < 1 || rank > 4)
    return th_fail(
        TH_ERR_INPUT,
        "%s: not an IDX file: it begins with %02x %02x %02x %02x, expected 00 00, an element type 08 09 0b 0c "
        "0d 0e, and 01 to 04 dimensions",
        r->what, zero >> 8, zero & 255, code, rank);
  idx->dtype = (*type)->dtype;
  idx->rank = rank;
  *count = 1;
  for (int i = 0; i < rank; ++i) {
    uint32_t dim = th_reader_u32be(r);
    if (r->failed) return th_reader_status(r);
    if (dim < 1 || dim > 0x7fffffff || *count * dim > TH_FILE_LIMIT)
      return th_fail(TH_ERR_INPUT, "%s: dimension %d is %u (byte %d): expected at least 1 and at most 2 GiB in all",
                     r->what, i, dim, 4 + 4 * i);
    idx->dim[i] = (int32_t)dim;
    *count *= dim;
  }
  return TH_OK;
}

static uint64_t load_be(const uint8_t *p, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; ++i) v = v << 8 | p[i];
  return v;
}

static void convert(const uint8_t *src, const element *type, uint64_t count, void *dst) {
  for (uint64_t i = 0; i < count; ++i, src += type->bytes) {
    uint64_t bits = load_be(src, type->bytes);
    if (type->bytes == 2) {
      ((uint16_t *)dst)[i] = (uint16_t)bits;
    } else if (type->bytes == 4) {
      ((uint32_t *)dst)[i] = (uint32_t)bits;
    } else {
      double wide;
      memcpy(&wide, &bits, sizeof wide);
      ((float *)dst)[i] = (float)wide;
    }
  }
}

static th_status parse(th_arena *arena, const uint8_t *bytes, size_t size, const char *path, th_idx *idx) {
  th_reader r = th_reader_init(bytes, size, path);
  const element *type = NULL;
  uint64_t count = 0;
  TH_TRY(read_header(&r, idx, &type, &count));
  uint64_t expected = count * type->bytes, left = th_reader_left(&r);
  if (left != expected)
    return th_fail(TH_ERR_INPUT, "%s: %s: header (first %zu bytes) announces %llu bytes of data, the file has %llu",
                   path, left < expected ? "truncated" : "too long", r.pos, (unsigned long long)expected,
                   (unsigned long long)left);
  const uint8_t *src = th_reader_take(&r, (size_t)expected);
  idx->data = src;
  if (type->bytes == 1) return TH_OK;
  void *dst = th_arena_array(arena, (size_t)count, th_dtype_bytes(type->dtype));
  if (!dst) return TH_ERR_RESOURCE;
  convert(src, type, count, dst);
  idx->data = dst;
  return TH_OK;
}

th_status th_idx_read(th_arena *arena, const char *path, th_idx *idx) {
  uint8_t *bytes;
  size_t size;
  memset(idx, 0, sizeof *idx);
  TH_TRY(th_file_read(arena, path, TH_FILE_LIMIT, &bytes, &size));
  if (th_gzip_probe(bytes, size)) TH_TRY(th_gzip_inflate(arena, bytes, size, TH_FILE_LIMIT, path, &bytes, &size));
  return parse(arena, bytes, size, path, idx);
}
