/* Discrete Fourier transforms of real frames, in double precision.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_SPECTRUM_H
#define TH_DATA_SPECTRUM_H

#include "base/arena.h"

typedef struct th_spectrum {
  int size, log2_size;
  double *cosine, *sine; /* of 2 pi k / size, k < size / 2 */
  double *re, *im;       /* work, size each */
} th_spectrum;

th_spectrum *th_spectrum_create(th_arena *arena, int size); /* size: a power of two; NULL: out of memory */
/* power[k] = |sum_n x[n] exp(-2 pi i n k / size)|^2, k = 0..size/2; x has n values, the rest is 0. */
void th_spectrum_power(th_spectrum *s, const double *x, int n, double *power);
/* 0.5 - 0.5 cos(2 pi i / n): the periodic Hann window */
void th_spectrum_hann(double *window, int n);

#endif
