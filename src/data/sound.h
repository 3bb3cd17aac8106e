/* Front ends: from the samples of a sound to what a network takes. Each is a function of int16 samples at a rate and of
 * a window and a step in samples, and gives frames of a fixed number of values.
 *
 *   raw     the samples
 *   mfcc    TensorFlow's MFCC as MLPerf Tiny's keyword spotting uses it (mlcommons/tiny, keyword_spotting/get_dataset)
 *   logmel  the log-mel spectrogram of MLPerf Tiny's anomaly detection (mlcommons/tiny, anomaly_detection/common; the
 *           definitions are librosa's), five frames to a sample, the middle of the recording
 *   micro   TensorFlow Lite Micro's fixed-point front end, as its micro_speech example uses it
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_SOUND_H
#define TH_DATA_SOUND_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum {
  TH_MFCC_BANDS = 40,
  TH_MFCC_VALUES = 10,
  TH_LOGMEL_BANDS = 128,
  TH_LOGMEL_FRAMES = 5,
  TH_MICRO_CHANNELS = 40,
  TH_MICRO_FFT = 512
};

/* 1 + (count - window) / step frames of TH_MFCC_VALUES floats. Samples are divided by the largest of the first `heard`
 * ones (those that were in the file; what follows is padding). */
th_status th_sound_mfcc(th_arena *arena, const int16_t *samples, int count, int heard, int rate, int window, int step,
                        float *out);

/* Samples of TH_LOGMEL_FRAMES * TH_LOGMEL_BANDS floats; window 1024, step 512. th_sound_logmel_samples: how many. */
int th_sound_logmel_samples(int count, int step);
th_status th_sound_logmel(th_arena *arena, const int16_t *samples, int count, int rate, int window, int step,
                          float *out);

/* 1 + (count - window) / step frames of TH_MICRO_CHANNELS values from 0 to about 670; 16 kHz, window of 480 samples (at
 * most TH_MICRO_FFT). micro_speech feeds ((v * 256 + 333) / 666) - 128, cut to int8. */
typedef struct th_micro th_micro;
th_micro *th_sound_micro_create(th_arena *arena, int rate, int window);
void th_sound_micro(const th_micro *tables, const int16_t *samples, int count, int window, int step, uint16_t *out);
int8_t th_sound_micro_int8(uint16_t v);

/* `out_count` samples at `out_rate`: convolution with a sinc under a Hann window of 32 zero crossings, cut off at the
 * lower of both Nyquist frequencies. */
th_status th_sound_resample(th_arena *arena, const int16_t *in, int count, int rate, int16_t *out, int out_count,
                            int out_rate);

#endif
