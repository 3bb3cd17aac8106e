/* TensorFlow Lite Micro's audio front end (its microfrontend library, with the settings of its micro_speech example),
 * in the same fixed point, bit for bit.
 *
 * A frame goes through: a Hann window of 12 bits; a shift that fills 16 bits, undone below; a real transform of 512
 * points in 16 bits; the power; 40 bands of 12-bit triangles in mel; the square root; spectral subtraction of a noise
 * estimate, smoothed over frames (the only state); a gain that falls with that estimate (PCAN, Wang et al. 2017,
 * "Trainable frontend for robust and far-field keyword spotting"); the natural logarithm, 6 fractional bits.
 *
 * The transform is a complex one of half the size, radix 4, decimation in time, that scales by 1/4 before every stage;
 * products and scalings are rounded to 15 fractional bits. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "data/sound.h"

#define PI 3.14159265358979323846

enum {
  HALF = TH_MICRO_FFT / 2, /* points of the complex transform */
  BINS = HALF + 1,
  BANDS = TH_MICRO_CHANNELS + 1,
  LOWEST_HZ = 125,
  HIGHEST_HZ = 7500,
  CORRECTION = 3,      /* log2(512) - 6: what the bands' square root lacks */
  SMOOTHING = 10,      /* fractional bits of the noise estimate, beyond those of the signal */
  KEPT = 819,          /* 0.05 in 14 bits: what subtraction leaves at least */
  GAIN_SHIFT = 6,      /* 21 bits of gain - CORRECTION - 12 */
  GAIN_INTERVALS = 33, /* by the most significant bit */
  LOG_SEGMENTS = 128,
  LN2 = 45426 /* in 16 bits */
};

typedef struct point {
  int16_t re, im;
} point;

struct th_micro {
  int16_t hann[TH_MICRO_FFT];
  point turn[HALF];          /* exp(-2 pi i k / HALF) */
  point half_turn[HALF / 2]; /* exp(-pi i ((k + 1) / HALF + 1/2)) */
  int band_begin[BANDS], band_end[BANDS];
  int16_t rising[BINS], falling[BINS]; /* of the triangle that bin k belongs to, and of the one below */
  int16_t gain_small[2];
  int16_t gain[GAIN_INTERVALS][3];
  int32_t log_excess[LOG_SEGMENTS + 1];
};

static int bit_length(uint64_t v) {
  return v ? 64 - __builtin_clzll(v) : 0;
}

/* --- tables --- */

static int16_t fixed15(double v) {
  return (int16_t)floor(0.5 + 32767 * v);
}

static void make_turns(th_micro *m) {
  for (int k = 0; k < HALF; k++)
    m->turn[k] = (point){fixed15(cos(-2 * PI * k / HALF)), fixed15(sin(-2 * PI * k / HALF))};
  for (int k = 0; k < HALF / 2; k++) {
    double phase = -PI * ((double)(k + 1) / HALF + 0.5);
    m->half_turn[k] = (point){fixed15(cos(phase)), fixed15(sin(phase))};
  }
}

/* In single precision, by the library's function when the program runs, as there: three weights of the bands depend on
 * its last bit, which a compiler that works out constants rounds differently. */
static float mel(float hz) {
  volatile float ratio = hz / 700.0f;
  return 1127.0f * log1pf(ratio);
}

/* Band b rises from centre b - 1 to centre b; the bins between are also the falling side of band b - 1. */
static void make_bands(th_micro *m, int rate) {
  float low = mel(LOWEST_HZ), spacing = (mel(HIGHEST_HZ) - low) / (float)BANDS;
  float hz_per_bin = (float)(0.5 * rate / HALF), before = low;
  int bin = (int)(1.5 + (double)((float)LOWEST_HZ / hz_per_bin));
  for (int b = 0; b < BANDS; b++) {
    float center = low + spacing * (float)(b + 1);
    m->band_begin[b] = bin;
    for (; bin < BINS && mel((float)bin * hz_per_bin) <= center; bin++) {
      float weight = (center - mel((float)bin * hz_per_bin)) / (center - before);
      m->falling[bin] = (int16_t)floor((double)weight * 4096 + 0.5);
      m->rising[bin] = (int16_t)floor((1.0 - (double)weight) * 4096 + 0.5);
    }
    m->band_end[b] = bin;
    before = center;
  }
}

/* 2^21 (x / 2^7 + 80)^-0.95 */
static int16_t gain_at(uint32_t x) {
  float real = (float)x / 128.0f, gain = 2097152.0f * powf(real + 80.0f, -0.95f);
  return gain > 32767.0f ? 32767 : (int16_t)(gain + 0.5f);
}

/* Between powers of two the gain is the parabola through both ends and the middle. */
static void make_gain(th_micro *m) {
  for (uint32_t x = 0; x < 2; x++) m->gain_small[x] = gain_at(x);
  for (int i = 2; i < GAIN_INTERVALS; i++) {
    uint32_t x0 = 1u << (i - 1);
    int y0 = gain_at(x0), middle = gain_at(x0 + x0 / 2) - y0, end = gain_at(i == 32 ? x0 + (x0 - 1) : 2 * x0) - y0;
    int linear = 4 * middle - end;
    m->gain[i][0] = (int16_t)y0;
    m->gain[i][1] = (int16_t)linear;
    m->gain[i][2] = (int16_t)(end - linear);
  }
}

th_micro *th_sound_micro_create(th_arena *arena, int rate, int window) {
  th_micro *m = TH_NEW(arena, th_micro);
  if (!m) return NULL;
  /* in single precision, as there: coefficient 17 of 480 is 53.4999 otherwise, and 53.5 so */
  float turn = (float)(2 * PI / window);
  for (int i = 0; i < window; i++)
    m->hann[i] = (int16_t)floorf((0.5f - 0.5f * cosf(turn * ((float)i + 0.5f))) * 4096.0f + 0.5f);
  make_turns(m);
  make_bands(m, rate);
  make_gain(m);
  for (int i = 0; i <= LOG_SEGMENTS; i++) { /* log2(1 + f) - f in 16 bits */
    double f = (double)i / LOG_SEGMENTS;
    m->log_excess[i] = (int32_t)floor((log2(1 + f) - f) * 65536 + 0.5);
  }
  return m;
}

/* --- transform --- */

static int16_t round15(int32_t v) {
  return (int16_t)((v + (1 << 14)) >> 15);
}

static point times(point a, point b) {
  return (point){round15(a.re * b.re - a.im * b.im), round15(a.re * b.im + a.im * b.re)};
}

static point scaled(point a, int factor) {
  return (point){round15(a.re * factor), round15(a.im * factor)};
}

static point sum(point a, point b) {
  return (point){(int16_t)(a.re + b.re), (int16_t)(a.im + b.im)};
}

static point difference(point a, point b) {
  return (point){(int16_t)(a.re - b.re), (int16_t)(a.im - b.im)};
}

/* Four transforms of n / 4 points, side by side in x, become one of n. */
static void join(const th_micro *m, point *x, int n) {
  int quarter = n / 4, stride = HALF / n;
  for (int k = 0; k < quarter; k++) {
    point a = scaled(x[k], 8191);
    point b = times(scaled(x[k + quarter], 8191), m->turn[k * stride]);
    point c = times(scaled(x[k + 2 * quarter], 8191), m->turn[2 * k * stride]);
    point d = times(scaled(x[k + 3 * quarter], 8191), m->turn[3 * k * stride]);
    point even = sum(a, c), odd = difference(a, c), both = sum(b, d), turned = difference(b, d);
    turned = (point){turned.im, (int16_t)-turned.re}; /* times -i */
    x[k] = sum(even, both);
    x[k + 2 * quarter] = difference(even, both);
    x[k + quarter] = sum(odd, turned);
    x[k + 3 * quarter] = difference(odd, turned);
  }
}

/* The digits of i in base 4, last first. */
static int reversed(int i) {
  int r = 0;
  for (int n = HALF; n > 1; n /= 4, i /= 4) r = 4 * r + i % 4;
  return r;
}

/* Even samples are real parts and odd ones imaginary parts of the half transform z; bin k of the whole follows from z_k
 * and the conjugate of z_(HALF - k). */
static void transform(const th_micro *m, const int16_t *samples, point *bins) {
  point z[HALF];
  for (int i = 0; i < HALF; i++) z[i] = (point){samples[2 * reversed(i)], samples[2 * reversed(i) + 1]};
  for (int n = 4; n <= HALF; n *= 4)
    for (int at = 0; at < HALF; at += n) join(m, z + at, n);
  point first = scaled(z[0], 16383);
  bins[0] = (point){(int16_t)(first.re + first.im), 0};
  bins[HALF] = (point){(int16_t)(first.re - first.im), 0};
  for (int k = 1; k <= HALF / 2; k++) {
    point a = scaled(z[k], 16383), b = scaled((point){z[HALF - k].re, (int16_t)-z[HALF - k].im}, 16383);
    point even = sum(a, b), odd = times(difference(a, b), m->half_turn[k - 1]);
    bins[k] = (point){(int16_t)((even.re + odd.re) >> 1), (int16_t)((even.im + odd.im) >> 1)};
    bins[HALF - k] = (point){(int16_t)((even.re - odd.re) >> 1), (int16_t)((odd.im - even.im) >> 1)};
  }
}

/* --- the steps of a frame --- */

/* Fills x with the windowed samples, shifted to use 16 bits; how far. */
static int fill_window(const th_micro *m, const int16_t *samples, int window, int16_t *x) {
  int16_t most = 0;
  memset(x, 0, TH_MICRO_FFT * sizeof *x);
  for (int i = 0; i < window; i++) {
    x[i] = (int16_t)(samples[i] * m->hann[i] >> 12);
    int16_t size = (int16_t)(x[i] < 0 ? -x[i] : x[i]);
    if (size > most) most = size;
  }
  int shift = 15 - bit_length((uint64_t)most);
  for (int i = 0; i < window; i++) x[i] = (int16_t)((uint16_t)x[i] << shift);
  return shift;
}

/* To the nearest, at most 16 bits for what has 32. */
static uint32_t square_root(uint64_t v) {
  uint64_t r = (uint64_t)sqrt((double)v);
  while (r * r > v) r--;
  while ((r + 1) * (r + 1) <= v) r++;
  uint64_t most = v >> 32 ? 0xffffffffu : 0xffffu;
  return (uint32_t)(v - r * r > r && r != most ? r + 1 : r);
}

static void sum_bands(const th_micro *m, const point *bins, int shift, uint32_t *signal) {
  uint64_t carried = 0;
  for (int b = 0; b < BANDS; b++) {
    uint64_t falling = carried;
    carried = 0;
    for (int k = m->band_begin[b]; k < m->band_end[b]; k++) {
      uint64_t energy = (uint64_t)((int64_t)bins[k].re * bins[k].re + (int64_t)bins[k].im * bins[k].im);
      falling += (uint64_t)m->falling[k] * energy;
      carried += (uint64_t)m->rising[k] * energy;
    }
    if (b > 0) signal[b - 1] = square_root(falling) >> shift;
  }
}

static void subtract_noise(uint32_t *signal, uint32_t *estimate) {
  static const uint32_t smoothing[2] = {409, 983}; /* 0.025 and 0.06 in 14 bits */
  for (int i = 0; i < TH_MICRO_CHANNELS; i++) {
    uint32_t s = smoothing[i & 1], up = signal[i] << SMOOTHING;
    estimate[i] = (uint32_t)(((uint64_t)up * s + (uint64_t)estimate[i] * (16384 - s)) >> 14);
    uint32_t noise = estimate[i] > up ? up : estimate[i];
    uint32_t least = (uint32_t)((uint64_t)signal[i] * KEPT >> 14), rest = (up - noise) >> SMOOTHING;
    signal[i] = rest > least ? rest : least;
  }
}

static int gain_of(const th_micro *m, uint32_t estimate) {
  if (estimate < 2) return m->gain_small[estimate];
  int i = bit_length(estimate);
  const int16_t *g = m->gain[i];
  if (estimate == 2) return g[0];
  int fraction = (int)((i < 11 ? estimate << (11 - i) : estimate >> (i - 11)) & 0x3ff);
  int32_t v = (g[2] * fraction >> 5) + (g[1] * 32);
  return (int16_t)(((v * fraction + (1 << 14)) >> 15) + g[0]);
}

/* x^2 / 4 below 2, x - 1 above; 12 fractional bits become 6. */
static uint32_t shrink(uint32_t x) {
  return x < 2 << 12 ? (x * x) >> 20 : (x >> 6) - 64;
}

static uint16_t logarithm(const th_micro *m, uint32_t v) {
  v <<= CORRECTION;
  if (v <= 1) return 0;
  int whole = bit_length(v) - 1;
  uint32_t rest = v - (1u << whole);
  int32_t fraction = (int32_t)(whole < 16 ? rest << (16 - whole) : rest >> (whole - 16));
  int segment = fraction >> 9;
  int32_t c0 = m->log_excess[segment], c1 = m->log_excess[segment + 1];
  int32_t excess = c0 + ((c1 - c0) * (fraction - (segment << 9)) >> 16);
  uint32_t log2_v = ((uint32_t)whole << 16) + (uint32_t)(fraction + excess);
  uint32_t ln = (uint32_t)(((uint64_t)LN2 * log2_v + 32768) >> 16), out = ((ln << 6) + 32768) >> 16;
  return (uint16_t)(out < 0xffff ? out : 0xffff);
}

void th_sound_micro(const th_micro *m, const int16_t *samples, int count, int window, int step, uint16_t *out) {
  uint32_t estimate[TH_MICRO_CHANNELS] = {0}, signal[TH_MICRO_CHANNELS];
  for (int at = 0; at + window <= count; at += step) {
    int16_t x[TH_MICRO_FFT];
    point bins[BINS];
    int shift = fill_window(m, samples + at, window, x);
    transform(m, x, bins);
    sum_bands(m, bins, shift, signal);
    subtract_noise(signal, estimate);
    for (int i = 0; i < TH_MICRO_CHANNELS; i++) {
      uint32_t snr = (uint32_t)((uint64_t)signal[i] * (uint64_t)(int64_t)gain_of(m, estimate[i]) >> GAIN_SHIFT);
      *out++ = logarithm(m, shrink(snr));
    }
  }
}

int8_t th_sound_micro_int8(uint16_t v) {
  int q = (v * 256 + 333) / 666 - 128;
  return (int8_t)(q > 127 ? 127 : q);
}
