/* Pictures in files: PNG through libpng, JPEG through libjpeg, BMP by a reader of its own (there is no small library
 * for it, and it is a header and rows). All give 8 bits a channel, grey or red-green-blue, the top row first.
 *
 * Sizes are checked against a limit, and against what the bytes of the file can make, before pixels are allocated; data
 * that end early are an error, not a grey area. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_IMAGE_H
#define TH_FORMAT_IMAGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

#define TH_IMAGE_PIXELS ((int64_t)1 << 26)

typedef struct th_image {
  int y, x, c;     /* c: 1 or 3 */
  uint8_t *pixels; /* y * x * c, in the arena */
} th_image;

/* Recognizes the format by its first bytes. `channels`: 1, 3 or 0, as the file has them (alpha is dropped; palettes are
 * colours). Grey is (299 r + 587 g + 114 b) / 1000, rounded (ITU-R BT.601). */
th_status th_image_decode(th_arena *arena, const uint8_t *data, size_t size, const char *what, int channels,
                          th_image *image);

/* --- one function per format, used by th_image_decode; the image has the file's channels --- */
th_status th_image_png(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_image *image);
th_status th_image_jpeg(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_image *image);
th_status th_image_bmp(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_image *image);
/* Checks y * x * c and allocates. `most`: bytes of pixels that the file can hold. */
th_status th_image_make(th_arena *arena, const char *what, int64_t y, int64_t x, int c, uint64_t most, th_image *image);

#endif
