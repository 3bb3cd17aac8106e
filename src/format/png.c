/* PNG through libpng: 1 to 16 bits, grey, palette or colour, with or without alpha, interlaced or not.
 * SPDX-License-Identifier: Apache-2.0 */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "base/bytes.h"
#include "format/image.h"

enum { MOST_RATIO = 1100 }; /* deflate cannot expand by more than 1032 */

typedef struct source {
  th_reader reader;
  char message[200];
} source;

static void read_bytes(png_structp png, png_bytep out, size_t n) {
  source *s = png_get_io_ptr(png);
  if (n > th_reader_left(&s->reader)) png_error(png, "the file ends early");
  memcpy(out, th_reader_take(&s->reader, n), n);
}

static void on_error(png_structp png, png_const_charp message) {
  source *s = png_get_error_ptr(png);
  strncpy(s->message, message, sizeof s->message - 1);
  longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

/* Whatever the file has becomes 8 bits, 1 or 3 channels. */
static int set_transforms(png_structp png, png_infop info) {
  int type = png_get_color_type(png, info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (png_get_bit_depth(png, info) == 16) png_set_scale_16(png);
  png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return passes;
}

/* libpng leaves by longjmp, so nothing that it may change lives in this function's variables. */
static th_status decode(png_structp png, png_infop info, th_arena *arena, source *s, size_t size, th_image *image) {
  const char *what = s->reader.what;
  if (setjmp(png_jmpbuf(png))) return th_fail(TH_ERR_INPUT, "%s: corrupt PNG: %s", what, s->message);
  png_set_user_limits(png, (png_uint_32)TH_IMAGE_PIXELS, (png_uint_32)TH_IMAGE_PIXELS);
  png_set_chunk_malloc_max(png, 8u << 20);
  png_read_info(png, info);
  int passes = set_transforms(png, info), c = png_get_channels(png, info);
  uint64_t bits = (uint64_t)size * MOST_RATIO * 8; /* a pixel may be a single bit of the file */
  TH_TRY(th_image_make(arena, what, png_get_image_height(png, info), png_get_image_width(png, info), c,
                       bits * (uint64_t)c, image));
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < image->y; y++) png_read_row(png, image->pixels + (size_t)y * (size_t)(image->x * c), NULL);
  png_read_end(png, NULL);
  return TH_OK;
}

th_status th_image_png(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_image *image) {
  source s = {.reader = th_reader_init(data, size, what)};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  th_status status = info ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: out of memory in libpng", what);
  if (info) {
    png_set_read_fn(png, &s, read_bytes);
    status = decode(png, info, arena, &s, size, image);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return status;
}
