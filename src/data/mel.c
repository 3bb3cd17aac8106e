/* The floating-point front ends, by the published definitions, in double precision.
 *
 * mfcc: frames of `window` samples under a periodic Hann window, the spectrum |X_k| of the next power of two; 40 bands
 * from 20 to 4000 Hz, triangles in mel m(f) = 1127 ln(1 + f / 700) without bin 0
 * (tf.signal.linear_to_mel_weight_matrix); ln(. + 1e-6); the first 10 of sqrt(2 / 40) sum_n x_n cos(pi k (2n + 1) / 80)
 * (tf.signal.mfccs_from_log_mel_spectrograms).
 *
 * logmel: frames centred on multiples of `step` (zeros outside), periodic Hann, |X_k|^2; 128 triangles, equally spaced
 * in the mel scale of Slaney's Auditory Toolbox from 0 Hz to half of the rate, each of area 2 / width; 10 log10(. +
 * eps). SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "data/sound.h"
#include "data/spectrum.h"

#define PI 3.14159265358979323846

static int power_of_two(int n) {
  int size = 1;
  while (size < n) size *= 2;
  return size;
}

typedef struct bank {
  int bands, bins;
  double *weight; /* bands * bins */
} bank;

/* Triangle of band b over values v_k with the corners edge[b], edge[b + 1], edge[b + 2]. */
static double triangle(const double *edge, double v) {
  double up = (v - edge[0]) / (edge[1] - edge[0]), down = (edge[2] - v) / (edge[2] - edge[1]);
  return fmax(0, fmin(up, down));
}

static double mel_htk(double hz) {
  return 1127.0 * log(1 + hz / 700.0);
}

/* Linear below 1000 Hz, 200 / 3 Hz a mel; logarithmic above, 27 mel for a factor of 6.4. */
static double hz_slaney(double mel) {
  return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

static double mel_slaney(double hz) {
  return hz < 1000 ? hz * 3 / 200 : 15 + log(hz / 1000) * 27 / log(6.4);
}

static bool make_bank(th_arena *arena, int bands, int bins, bank *b) {
  *b = (bank){bands, bins, TH_ARRAY(arena, double, bands *bins)};
  return b->weight != NULL;
}

static void fill_htk(bank *b, int rate, double lowest, double highest) {
  double edge[TH_MFCC_BANDS + 2], low = mel_htk(lowest), high = mel_htk(highest);
  for (int i = 0; i < b->bands + 2; i++) edge[i] = low + (high - low) * i / (b->bands + 1);
  for (int band = 0; band < b->bands; band++)
    for (int k = 1; k < b->bins; k++)
      b->weight[band * b->bins + k] = triangle(edge + band, mel_htk(rate / 2.0 * k / (b->bins - 1)));
}

static void fill_slaney(bank *b, int rate) {
  double edge[TH_LOGMEL_BANDS + 2], high = mel_slaney(rate / 2.0);
  for (int i = 0; i < b->bands + 2; i++) edge[i] = hz_slaney(high * i / (b->bands + 1));
  for (int band = 0; band < b->bands; band++)
    for (int k = 0; k < b->bins; k++)
      b->weight[band * b->bins + k] =
          triangle(edge + band, rate / 2.0 * k / (b->bins - 1)) * 2 / (edge[band + 2] - edge[band]);
}

static double band_sum(const bank *b, int band, const double *spectrum) {
  double sum = 0;
  for (int k = 0; k < b->bins; k++) sum += b->weight[band * b->bins + k] * spectrum[k];
  return sum;
}

/* --- mfcc --- */

static void cosine_transform(const double *x, float *out) {
  for (int k = 0; k < TH_MFCC_VALUES; k++) {
    double sum = 0;
    for (int n = 0; n < TH_MFCC_BANDS; n++) sum += x[n] * cos(PI * k * (2 * n + 1) / (2.0 * TH_MFCC_BANDS));
    out[k] = (float)(sum * sqrt(2.0 / TH_MFCC_BANDS));
  }
}

/* What samples are divided by: the largest. A file without a positive sample is left as it is. */
static double largest(const int16_t *samples, int count) {
  int most = 0;
  for (int i = 0; i < count; i++)
    if (samples[i] > most) most = samples[i];
  return most ? most : 1;
}

th_status th_sound_mfcc(th_arena *arena, const int16_t *samples, int count, int heard, int rate, int window, int step,
                        float *out) {
  int size = power_of_two(window), bins = size / 2 + 1;
  double *hann = TH_ARRAY(arena, double, window), *frame = TH_ARRAY(arena, double, window);
  double *power = TH_ARRAY(arena, double, bins), x[TH_MFCC_BANDS], norm = largest(samples, heard);
  th_spectrum *s = th_spectrum_create(arena, size);
  bank b;
  if (!hann || !frame || !power || !s || !make_bank(arena, TH_MFCC_BANDS, bins, &b)) return TH_ERR_RESOURCE;
  fill_htk(&b, rate, 20, 4000);
  th_spectrum_hann(hann, window);
  for (int at = 0; at + window <= count; at += step, out += TH_MFCC_VALUES) {
    for (int i = 0; i < window; i++) frame[i] = samples[at + i] / norm * hann[i];
    th_spectrum_power(s, frame, window, power);
    for (int k = 0; k < bins; k++) power[k] = sqrt(power[k]);
    for (int band = 0; band < TH_MFCC_BANDS; band++) x[band] = log(band_sum(&b, band, power) + 1e-6);
    cosine_transform(x, out);
  }
  return TH_OK;
}

/* --- logmel --- */

enum { CUT_FROM = 50, CUT_TO = 250 }; /* the middle of ten seconds at 16 kHz, as the benchmark cuts it */

static void frames_used(int count, int step, int *first, int *frames) {
  int all = 1 + count / step;
  *first = all >= CUT_TO ? CUT_FROM : 0;
  *frames = all >= CUT_TO ? CUT_TO - CUT_FROM : all;
}

int th_sound_logmel_samples(int count, int step) {
  int first, frames;
  frames_used(count, step, &first, &frames);
  return frames < TH_LOGMEL_FRAMES ? 0 : frames - TH_LOGMEL_FRAMES + 1;
}

th_status th_sound_logmel(th_arena *arena, const int16_t *samples, int count, int rate, int window, int step,
                          float *out) {
  int bins = window / 2 + 1, first, frames;
  frames_used(count, step, &first, &frames);
  double *hann = TH_ARRAY(arena, double, window), *frame = TH_ARRAY(arena, double, window);
  double *power = TH_ARRAY(arena, double, bins);
  float *mel = TH_ARRAY(arena, float, frames *TH_LOGMEL_BANDS);
  th_spectrum *s = th_spectrum_create(arena, window);
  bank b;
  if (!hann || !frame || !power || !mel || !s || !make_bank(arena, TH_LOGMEL_BANDS, bins, &b)) return TH_ERR_RESOURCE;
  fill_slaney(&b, rate);
  th_spectrum_hann(hann, window);
  for (int f = 0; f < frames; f++) {
    int64_t begin = (int64_t)(first + f) * step - window / 2;
    for (int i = 0; i < window; i++)
      frame[i] = begin + i < 0 || begin + i >= count ? 0 : samples[begin + i] / 32768.0 * hann[i];
    th_spectrum_power(s, frame, window, power);
    for (int band = 0; band < TH_LOGMEL_BANDS; band++)
      mel[f * TH_LOGMEL_BANDS + band] = (float)(10 * log10(band_sum(&b, band, power) + DBL_EPSILON));
  }
  size_t row = TH_LOGMEL_FRAMES * TH_LOGMEL_BANDS;
  for (int f = 0; f + TH_LOGMEL_FRAMES <= frames; f++, out += row)
    memcpy(out, mel + f * TH_LOGMEL_BANDS, row * sizeof *out);
  return TH_OK;
}
