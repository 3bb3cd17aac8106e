/* BMP: Windows bitmaps without compression, 1, 4 or 8 bits with a palette, 24 and 32 bits.
 *
 *   0   "BM", file size, 4 unused bytes, u32 offset of the pixels
 *   14  u32 size of the header (40 or more), s32 width, s32 height (negative: top row first), u16 planes, u16 bits a
 *       pixel, u32 compression, u32 size, 8 unused bytes, u32 colours in the palette (0: 2^bits), 4 unused bytes
 *   then the palette, blue green red 0 each; rows are padded to 4 bytes, the bottom row comes first
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/bytes.h"
#include "format/image.h"

typedef struct header {
  uint32_t pixels_at, size, bits, compression, colours;
  int64_t x, y;
  bool top_first;
  const uint8_t *palette; /* 4 bytes each, NULL: none */
} header;

static th_status read_header(th_reader *r, header *h) {
  th_reader_seek(r, 10);
  h->pixels_at = th_reader_u32(r);
  h->size = th_reader_u32(r);
  h->x = (int32_t)th_reader_u32(r);
  h->y = (int32_t)th_reader_u32(r);
  th_reader_u16(r);
  h->bits = th_reader_u16(r);
  h->compression = th_reader_u32(r);
  th_reader_take(r, 12);
  h->colours = th_reader_u32(r);
  TH_TRY(th_reader_status(r));
  h->top_first = h->y < 0;
  if (h->y < 0) h->y = -h->y;
  bool known = h->bits == 1 || h->bits == 4 || h->bits == 8 || h->bits == 24 || h->bits == 32;
  if (h->size < 40 || !known || h->compression != 0)
    return th_fail(TH_ERR_INPUT,
                   "%s: BMP with a header of %u bytes, %u bits, compression %u; supported are headers from 40 bytes, "
                   "1, 4, 8, 24 or 32 bits, without compression",
                   r->what, h->size, h->bits, h->compression);
  return TH_OK;
}

static th_status read_palette(th_reader *r, header *h) {
  if (h->bits > 8) return TH_OK;
  if (h->colours == 0) h->colours = 1u << h->bits;
  if (h->colours > 256) return th_fail(TH_ERR_INPUT, "%s: BMP palette of %u colours", r->what, h->colours);
  th_reader_seek(r, 14 + (size_t)h->size);
  h->palette = th_reader_take(r, 4 * (size_t)h->colours);
  return th_reader_status(r);
}

static bool is_grey(const header *h) {
  for (uint32_t i = 0; h->palette && i < h->colours; i++) {
    const uint8_t *p = h->palette + 4 * i;
    if (p[0] != p[1] || p[1] != p[2]) return false;
  }
  return h->palette != NULL;
}

/* Blue, green, red of pixel x of a row; NULL: outside of the palette. */
static const uint8_t *pixel_at(const header *h, const uint8_t *row, size_t x) {
  if (h->bits > 8) return row + x * (h->bits / 8);
  size_t per_byte = 8 / h->bits;
  uint32_t shift = (uint32_t)(8 - h->bits * (x % per_byte + 1));
  uint32_t index = row[x / per_byte] >> shift & ((1u << h->bits) - 1);
  return index < h->colours ? h->palette + 4 * index : NULL;
}

static th_status read_rows(th_reader *r, const header *h, th_image *image) {
  size_t row_bytes = ((size_t)image->x * h->bits + 31) / 32 * 4;
  for (int i = 0; i < image->y; i++) {
    const uint8_t *row = th_reader_take(r, row_bytes);
    if (!row) return th_reader_status(r);
    uint8_t *out = image->pixels + (size_t)(h->top_first ? i : image->y - 1 - i) * (size_t)(image->x * image->c);
    for (int x = 0; x < image->x; x++) {
      const uint8_t *p = pixel_at(h, row, (size_t)x);
      if (!p) return th_fail(TH_ERR_INPUT, "%s: BMP row %d: a colour outside of the palette", r->what, i);
      for (int c = 0; c < image->c; c++) *out++ = p[2 - c];
    }
  }
  return TH_OK;
}

th_status th_image_bmp(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_image *image) {
  th_reader r = th_reader_init(data, size, what);
  header h = {0};
  TH_TRY(read_header(&r, &h));
  TH_TRY(read_palette(&r, &h));
  TH_TRY(th_image_make(arena, what, h.y, h.x, is_grey(&h) ? 1 : 3, (uint64_t)size * 8 * 3, image));
  if (!th_reader_seek(&r, h.pixels_at)) return th_reader_status(&r);
  return read_rows(&r, &h, image);
}
