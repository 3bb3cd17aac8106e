/* Fuzzes the readers of pictures: the first byte says how many channels are wanted, the rest is the file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/resize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int channels[] = {0, 1, 3};
  th_image im;
  uint8_t out[5 * 7 * 3];
  if (size < 1) return 0;
  uint8_t *own = malloc(size); /* of exactly this size, so that a read behind it is seen */
  th_arena *arena = th_arena_create();
  if (!own || !arena) abort();
  for (size_t i = 1; i < size; i++) own[i - 1] = data[i];
  int wanted = channels[data[0] % 3];
  if (th_image_decode(arena, own, size - 1, "fuzz", wanted, &im) == TH_OK) {
    if ((im.c != 1 && im.c != 3) || (wanted && im.c != wanted)) abort();
    if ((int64_t)im.y * im.x < 1 << 16 && th_resize(arena, &im, 5, 7, out) != TH_OK) abort();
  }
  th_arena_destroy(arena);
  free(own);
  th_error_clear();
  return 0;
}
