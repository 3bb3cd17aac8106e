/* Recognizing pictures, and their channels. See image.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/image.h"

#include <string.h>

th_status th_image_make(th_arena *arena, const char *what, int64_t y, int64_t x, int c, uint64_t most,
                        th_image *image) {
  if (y < 1 || x < 1 || y > TH_IMAGE_PIXELS || x > TH_IMAGE_PIXELS || y * x > TH_IMAGE_PIXELS)
    return th_fail(TH_ERR_INPUT, "%s: a picture of %lld x %lld; supported are 1 to 2^26 pixels", what, (long long)x,
                   (long long)y);
  if ((uint64_t)(y * x * c) > most)
    return th_fail(TH_ERR_INPUT, "%s: truncated: a picture of %lld x %lld x %d cannot come from so few bytes", what,
                   (long long)x, (long long)y, c);
  *image = (th_image){.y = (int)y, .x = (int)x, .c = c, .pixels = TH_ARRAY(arena, uint8_t, y * x * c)};
  return image->pixels ? TH_OK : TH_ERR_RESOURCE;
}

static th_status to_grey(th_image *im) {
  size_t n = (size_t)im->y * (size_t)im->x;
  uint8_t *p = im->pixels;
  for (size_t i = 0; i < n; i++)
    p[i] = (uint8_t)((299u * p[3 * i] + 587u * p[3 * i + 1] + 114u * p[3 * i + 2] + 500u) / 1000u);
  im->c = 1;
  return TH_OK;
}

static th_status to_rgb(th_arena *arena, th_image *im) {
  size_t n = (size_t)im->y * (size_t)im->x;
  uint8_t *p = TH_ARRAY(arena, uint8_t, 3 * n);
  if (!p) return TH_ERR_RESOURCE;
  for (size_t i = 0; i < n; i++) p[3 * i] = p[3 * i + 1] = p[3 * i + 2] = im->pixels[i];
  im->pixels = p;
  im->c = 3;
  return TH_OK;
}

th_status th_image_decode(th_arena *arena, const uint8_t *data, size_t size, const char *what, int channels,
                          th_image *image) {
  if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
    TH_TRY(th_image_png(arena, data, size, what, image));
  else if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
    TH_TRY(th_image_jpeg(arena, data, size, what, image));
  else if (size >= 2 && memcmp(data, "BM", 2) == 0)
    TH_TRY(th_image_bmp(arena, data, size, what, image));
  else
    return th_fail(TH_ERR_INPUT, "%s: neither PNG nor JPEG nor BMP", what);
  if (channels == 1 && image->c == 3) return to_grey(image);
  return channels == 3 && image->c == 1 ? to_rgb(arena, image) : TH_OK;
}
