/* Cooley-Tukey, radix 2, in place after bit reversal. See spectrum.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/spectrum.h"

#include <math.h>

#define PI 3.14159265358979323846

th_spectrum *th_spectrum_create(th_arena *arena, int size) {
  th_spectrum *s = TH_NEW(arena, th_spectrum);
  if (!s) return NULL;
  s->size = size;
  while (1 << s->log2_size < size) s->log2_size++;
  s->cosine = TH_ARRAY(arena, double, size / 2);
  s->sine = TH_ARRAY(arena, double, size / 2);
  s->re = TH_ARRAY(arena, double, size);
  s->im = TH_ARRAY(arena, double, size);
  if (!s->cosine || !s->sine || !s->re || !s->im) return NULL;
  for (int k = 0; k < size / 2; k++) s->cosine[k] = cos(2 * PI * k / size), s->sine[k] = sin(2 * PI * k / size);
  return s;
}

static int reverse_bits(int i, int bits) {
  int r = 0;
  for (int b = 0; b < bits; b++) r |= (i >> b & 1) << (bits - 1 - b);
  return r;
}

static void butterflies(th_spectrum *s) {
  for (int half = 1; half < s->size; half *= 2)
    for (int begin = 0; begin < s->size; begin += 2 * half)
      for (int k = 0; k < half; k++) {
        int a = begin + k, b = a + half, t = k * (s->size / 2 / half);
        double re = s->re[b] * s->cosine[t] + s->im[b] * s->sine[t];
        double im = s->im[b] * s->cosine[t] - s->re[b] * s->sine[t];
        s->re[b] = s->re[a] - re, s->im[b] = s->im[a] - im;
        s->re[a] += re, s->im[a] += im;
      }
}

void th_spectrum_power(th_spectrum *s, const double *x, int n, double *power) {
  for (int i = 0; i < s->size; i++) {
    int from = reverse_bits(i, s->log2_size);
    s->re[i] = from < n ? x[from] : 0;
    s->im[i] = 0;
  }
  butterflies(s);
  for (int k = 0; k <= s->size / 2; k++) power[k] = s->re[k] * s->re[k] + s->im[k] * s->im[k];
}

void th_spectrum_hann(double *window, int n) {
  for (int i = 0; i < n; i++) window[i] = 0.5 - 0.5 * cos(2 * PI * i / n);
}
