/* Sounds: wav files written here, front ends against the definitions written as plain sums, the fixed-point one against
 * values of TensorFlow Lite Micro's own library (from Python, PyPI pymicro-features 2.0.2), recordings of other lengths
 * and rates, faults. SPDX-License-Identifier: Apache-2.0 */
#include "data_fixture.h"

#include <float.h>
#include <math.h>

#include "base/str.h"
#include "data/sound.h"
#include "format/wav.h"

#define PI 3.14159265358979323846

/* A WAV file with an odd chunk before the samples, as recorders write them. */
static void save_wav(const char *name, int rate, int channels, const int16_t *samples, int count) {
  th_buf b = {0};
  uint32_t bytes = (uint32_t)(2 * count);
  th_buf_append(&b, "RIFF", 4);
  th_buf_u32(&b, 4 + 24 + 12 + 8 + bytes);
  th_buf_append(&b, "WAVEfmt ", 8);
  th_buf_u32(&b, 16);
  th_buf_u16(&b, 1);
  th_buf_u16(&b, (uint16_t)channels);
  th_buf_u32(&b, (uint32_t)rate);
  th_buf_u32(&b, (uint32_t)(rate * channels * 2));
  th_buf_u16(&b, (uint16_t)(channels * 2));
  th_buf_u16(&b, 16);
  th_buf_append(&b, "LIST\3\0\0\0abc", 12);
  b.data[b.size - 1] = 0; /* three bytes and one of padding */
  th_buf_append(&b, "data", 4);
  th_buf_u32(&b, bytes);
  th_buf_append(&b, samples, bytes);
  fx_save(name, b.data, b.size);
  th_buf_free(&b);
}

static uint32_t random_bits(uint32_t *state) {
  return *state = *state * 1103515245u + 12345u;
}

/* A swept triangle under a ramp, with noise that grows. */
static void make_sound(int16_t *x, int count) {
  uint32_t s = 12345;
  for (int i = 0; i < count; i++) {
    int t = i * (40 + i / 100) % 1024, triangle = t < 512 ? t * 64 - 32768 : 32704 - (t - 512) * 64;
    int noise = (int)(random_bits(&s) >> 16 & 0x7fff) - 16384;
    x[i] = (int16_t)((((triangle * (i % 2048)) >> 11) + (noise >> 4) * (i >> 11)) >> 2);
  }
}

static void wav_kinds(void **state) {
  (void)state;
  float x[4];
  static const int16_t mono[] = {1, -2, 32767, -32768}, stereo[] = {1, 2, -1, -2, 32767, 32767, 5, -6};
  save_wav("mono/a/1.wav", 8000, 1, mono, 4);
  th_dataset *d = fx_open("mono,features=raw");
  assert_true(d->store[0].dtype == TH_DTYPE_S16 && d->shape.dim[0] == 4);
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[0] == 1 / 32768.0f && x[3] == -1);
  th_dataset_close(d);
  save_wav("stereo/a/1.wav", 8000, 2, stereo, 8);
  d = fx_open("stereo,features=raw,scale=1");
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[0] == 1 && x[1] == -2 && x[2] == 32767 && x[3] == -1);
  th_dataset_close(d);
}

/* --- the definitions, without any fast transform --- */

static double magnitude(const int16_t *x, double norm, int window, int size, int k) {
  double re = 0, im = 0;
  for (int i = 0; i < window; i++) {
    double v = x[i] / norm * (0.5 - 0.5 * cos(2 * PI * i / window));
    re += v * cos(2 * PI * i * k / size);
    im += v * sin(2 * PI * i * k / size);
  }
  return sqrt(re * re + im * im);
}

static double rise_and_fall(double a, double b, double c, double v) {
  return v <= a || v >= c ? 0 : v < b ? (v - a) / (b - a) : (c - v) / (c - b);
}

static void mfcc_by_definition(const int16_t *x, double norm, double out[10]) {
  double step = (1127 * log(1 + 4000 / 700.0) - 1127 * log(1 + 20 / 700.0)) / 41, low = 1127 * log(1 + 20 / 700.0);
  double log_mel[40], spectrum[257];
  for (int k = 0; k < 257; k++) spectrum[k] = magnitude(x, norm, 480, 512, k);
  for (int b = 0; b < 40; b++) {
    double sum = 0;
    for (int k = 1; k < 257; k++) {
      double mel = 1127 * log(1 + k * 31.25 / 700);
      sum += spectrum[k] * rise_and_fall(low + step * b, low + step * (b + 1), low + step * (b + 2), mel);
    }
    log_mel[b] = log(sum + 1e-6);
  }
  for (int k = 0; k < 10; k++) {
    out[k] = 0;
    for (int n = 0; n < 40; n++) out[k] += 2 * log_mel[n] * cos(PI * k * (2 * n + 1) / 80) / sqrt(80);
  }
}

static void mfcc(void **state) {
  (void)state;
  int16_t x[12000];
  float out[490];
  double want[10];
  make_sound(x, 12000);
  save_wav("m/a/1.wav", 16000, 1, x, 12000);
  th_dataset *d = fx_open("m,features=mfcc");
  assert_true(d->shape.dim[0] == 49 && d->shape.dim[1] == 10 && d->shape.dim[2] == 1);
  fx_fetch(d, TH_SPLIT_TEST, 0, out);
  int most = 0;
  for (int i = 0; i < 12000; i++) most = x[i] > most ? x[i] : most;
  for (int frame = 0; frame < 36; frame += 7) {
    mfcc_by_definition(x + 320 * frame, most, want);
    for (int k = 0; k < 10; k++) assert_float_equal(out[frame * 10 + k], want[k], 1e-4);
  }
  assert_float_equal(out[480], 40 * log(1e-6) * 2 / sqrt(80), 1e-3); /* behind the end: silence */
  assert_float_equal(out[481], 0, 1e-3);
  th_dataset_close(d);
}

static double slaney_hz(double mel) {
  return mel < 15 ? mel * 200 / 3 : 1000 * pow(6.4, (mel - 15) / 27);
}

static void logmel(void **state) {
  (void)state;
  int16_t *x = malloc(16000 * sizeof *x);
  float out[640];
  double spectrum[513], most = 15 + 27 * log(8) / log(6.4);
  assert_non_null(x);
  make_sound(x, 16000);
  save_wav("l/a/1.wav", 16000, 1, x, 16000);
  th_dataset *d = fx_open("l,features=logmel");
  assert_true(d->store[0].count == 28 && d->shape.dim[0] == 640 && d->store[0].groups[27] == 0); /* 32 frames */
  fx_fetch(d, TH_SPLIT_TEST, 6, out);
  for (int k = 0; k < 513; k++) spectrum[k] = magnitude(x + 8 * 512 - 512, 32768, 1024, 1024, k); /* frame 6 + 2 */
  for (int b = 0; b < 128; b++) {
    double a = slaney_hz(most * b / 129), m = slaney_hz(most * (b + 1) / 129), c = slaney_hz(most * (b + 2) / 129);
    double sum = 0;
    for (int k = 0; k < 513; k++) sum += spectrum[k] * spectrum[k] * rise_and_fall(a, m, c, k * 15.625) * 2 / (c - a);
    assert_float_equal(out[2 * 128 + b], 10 * log10(sum + DBL_EPSILON), 1e-3);
  }
  th_dataset_close(d);
  d = fx_open("l,features=logmel,length=10000"); /* 313 frames, the middle 200 of them */
  assert_int_equal(d->store[0].count, 196);
  th_dataset_close(d);
  free(x);
}

static void micro(void **state) {
  (void)state;
  static const uint16_t first[] = {608, 580, 613, 579, 632, 585, 647, 593, 653, 598, 642, 590, 637, 583,
                                   628, 580, 623, 576, 621, 588, 646, 587, 619, 578, 614, 576, 625, 589,
                                   635, 577, 617, 576, 634, 583, 617, 577, 635, 580, 608, 581};
  static const uint16_t thirty_first[] = {0,   0,   297, 0,   0,   0, 177, 0, 0,   0,   0,   0,  0, 0,
                                          0,   404, 554, 222, 318, 0, 336, 0, 133, 0,   0,   0,  0, 0,
                                          302, 0,   427, 454, 355, 0, 297, 0, 274, 177, 349, 400};
  int16_t x[8000];
  uint16_t out[48 * 40];
  th_arena *arena = th_arena_create();
  th_micro *m = th_sound_micro_create(arena, 16000, 480);
  assert_non_null(m);
  make_sound(x, 8000);
  th_sound_micro(m, x, 8000, 480, 160, out);
  assert_memory_equal(out, first, sizeof first);
  assert_memory_equal(out + 30 * 40, thirty_first, sizeof thirty_first);
  assert_true(th_hash64(out, sizeof out) == 0xcf3ef7b300fa5e98u);
  assert_int_equal(th_sound_micro_int8(0), -128);
  assert_int_equal(th_sound_micro_int8(331), -1); /* (331 * 256 + 333) / 666 = 127 */
  assert_int_equal(th_sound_micro_int8(700), 127);
  th_arena_destroy(arena);
  save_wav("t/a/1.wav", 16000, 1, x, 8000);
  th_dataset *d = fx_open("t,features=micro,length=500,step=10");
  float v[48 * 40];
  assert_true(d->store[0].dtype == TH_DTYPE_S8 && d->shape.dim[0] == 48);
  fx_fetch(d, TH_SPLIT_TEST, 0, v);
  assert_float_equal(v[0], ((first[0] * 256 + 333) / 666) * 26.0 / 255, 1e-4);
  th_dataset_close(d);
}

/* A sine at another rate is the same sine. */
static void resampling(void **state) {
  (void)state;
  int16_t in[4000], out[8000];
  static const int rates[][2] = {{8000, 16000}, {16000, 8000}, {44100, 16000}, {11025, 16000}};
  for (int r = 0; r < 4; r++) {
    th_arena *arena = th_arena_create();
    int count = 4000, to = (int)(4000LL * rates[r][1] / rates[r][0]);
    for (int i = 0; i < count; i++) in[i] = (int16_t)lround(10000 * sin(2 * PI * 1000 * i / rates[r][0]));
    assert_int_equal(th_sound_resample(arena, in, count, rates[r][0], out, to, rates[r][1]), TH_OK);
    for (int i = to / 4; i < 3 * to / 4; i++)
      assert_true(fabs(out[i] - 10000 * sin(2 * PI * 1000 * i / rates[r][1])) < 20);
    th_arena_destroy(arena);
  }
}

static void faults(void **state) {
  (void)state;
  int16_t x[1600] = {0};
  save_wav("f/a/1.wav", 16000, 1, x, 1600);
  fx_refused("f", TH_ERR_USAGE, "sounds need features=");
  fx_refused("f,features=mel", TH_ERR_USAGE, "features=mel: expected mfcc");
  fx_refused("f,features=mfcc,size=3", TH_ERR_USAGE, "size= has no meaning");
  fx_refused("f,features=mfcc,length=20", TH_ERR_INPUT, "too short");
  fx_refused("f,features=raw,window=3", TH_ERR_USAGE, "window= and step= have no meaning");
  save_wav("f/b/1.wav", 8000, 1, x, 1600);
  fx_refused("f,features=mfcc", TH_ERR_INPUT, "f/b/1.wav: has a sampling rate of 8000 Hz, the first file 16000");
  th_dataset *d = fx_open("f,features=micro,rate=16000");
  assert_int_equal(d->store[0].count, 2);
  th_dataset_close(d);
  save_wav("g/a/1.wav", 8000, 1, x, 1600);
  fx_refused("g,features=micro", TH_ERR_INPUT, "is for 16 kHz");
  fx_save_text("f/b/1.wav", "RIFF....WAVEfmt ");
  fx_refused("f,features=raw", TH_ERR_INPUT, "f/b/1.wav");
  fx_save("f/b/1.wav", "RIFF\0\0\0\0WAVEdata\377\377\377\177..", 22);
  fx_refused("f,features=raw", TH_ERR_INPUT, "WAV chunk 'data' of 2147483647 bytes");
  fx_save("f/b/1.wav", "RIFF\0\0\0\0WAVEfmt \20\0\0\0\3\0\1\0\200\76\0\0\0\372\0\0\4\0\40\0data\2\0\0\0..", 46);
  fx_refused("f,features=raw", TH_ERR_INPUT, "f/b/1.wav: WAV of format 3, 32 bits");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(wav_kinds),  cmocka_unit_test(mfcc),
                                     cmocka_unit_test(logmel),     cmocka_unit_test(micro),
                                     cmocka_unit_test(resampling), cmocka_unit_test(faults)};
  return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
