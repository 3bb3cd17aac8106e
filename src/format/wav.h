/* WAV files: 16-bit PCM, one or two channels (RIFF, Microsoft Multimedia Data Standards 3.0).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_WAV_H
#define TH_FORMAT_WAV_H

#include "base/arena.h"
#include "base/status.h"

typedef struct th_wav {
  int rate;
  int count;              /* samples of one channel */
  const int16_t *samples; /* the mean of both channels of a stereo file, rounded down; in the arena */
} th_wav;

th_status th_wav_decode(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_wav *wav);

#endif
