/* Fuzzes wav files and what is made of them: the first byte chooses a front end, the rest is the file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/sound.h"
#include "format/wav.h"

enum { COUNT = 8000, WINDOW = 480, STEP = 320, FRAMES = 1 + (COUNT - WINDOW) / STEP };

static void check(const float *v, int n) {
  for (int i = 0; i < n; i++)
    if (!isfinite(v[i])) abort();
}

static void run(th_arena *arena, int kind, const int16_t *x, int heard) {
  static float out[64 * 640];
  static uint16_t wide[FRAMES * TH_MICRO_CHANNELS];
  if (kind == 0) {
    if (th_sound_mfcc(arena, x, COUNT, heard, 16000, WINDOW, STEP, out) != TH_OK) abort();
    check(out, FRAMES * TH_MFCC_VALUES);
  } else if (kind == 1) {
    int samples = th_sound_logmel_samples(COUNT, 512);
    if (samples > 64 || th_sound_logmel(arena, x, COUNT, 16000, 1024, 512, out) != TH_OK) abort();
    check(out, samples * TH_LOGMEL_FRAMES * TH_LOGMEL_BANDS);
  } else {
    th_micro *m = th_sound_micro_create(arena, 16000, WINDOW);
    if (!m) abort();
    th_sound_micro(m, x, COUNT, WINDOW, STEP, wide);
    for (int i = 0; i < FRAMES * TH_MICRO_CHANNELS; i++) (void)th_sound_micro_int8(wide[i]);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  th_wav wav;
  if (size < 1) return 0;
  uint8_t *own = malloc(size);
  th_arena *arena = th_arena_create();
  if (!own || !arena) abort();
  memcpy(own, data + 1, size - 1);
  if (th_wav_decode(arena, own, size - 1, "fuzz", &wav) == TH_OK) {
    int16_t *x = TH_ARRAY(arena, int16_t, COUNT);
    int64_t have = (int64_t)wav.count * 16000 / wav.rate;
    int heard = have < COUNT ? (int)have : COUNT;
    if (!x) abort();
    if (data[0] % 4 == 3 && th_sound_resample(arena, wav.samples, wav.count, wav.rate, x, heard, 16000) != TH_OK)
      abort();
    if (data[0] % 4 != 3) memcpy(x, wav.samples, (size_t)(wav.count < COUNT ? wav.count : COUNT) * sizeof *x);
    run(arena, data[0] / 4 % 3, x, heard);
  }
  th_arena_destroy(arena);
  free(own);
  th_error_clear();
  return 0;
}
