/* The three methods of TFLM_DECODE against a decoder written from the description of the format (TensorFlow Lite Micro,
 * "compression"): random weights of many kinds come back, streams are never read past their end (but for the one word
 * that the real reader takes ahead), and what a method cannot hold is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "encode/tflm_decode.h"

enum { MOST = 3000, HEADER = 16 };

typedef struct reader {
  const uint8_t *data;
  size_t bits, at;
} reader;

static unsigned take(reader *r, int n) {
  unsigned v = 0;
  for (; n > 0; n--, r->at++) {
    assert_true(r->at < r->bits);
    v = v << 1 | (r->data[r->at / 8] >> (7 - r->at % 8) & 1u);
  }
  return v;
}

static int8_t lut_value(reader *r, const uint8_t *a, const th_tflm_weights *w, size_t i) {
  const size_t per_channel = w->count / (size_t)w->channels;
  const size_t channel = w->channel_last ? i % (size_t)w->channels : i / per_channel;
  const unsigned index = take(r, a[5] & 7);
  assert_true(index < a[6]);
  return (int8_t)a[HEADER + channel * a[6] + index];
}

static int8_t huffman_value(reader *r, const uint8_t *a, size_t entries) {
  unsigned width = (a[5] >> 4) + 1u, at = take(r, (int)width), entry;
  for (;;) {
    assert_true(at < entries);
    entry = a[HEADER + 2 * at] | (unsigned)a[HEADER + 2 * at + 1] << 8;
    if (entry & 0x8000u) break;
    width = (entry >> 11 & 15u) + 1;
    at += (entry & 0x7ffu) + take(r, (int)width);
  }
  const unsigned used = entry >> 11 & 15u;
  assert_true(used >= 1 && used <= width);
  r->at -= width - used;
  return (int8_t)(entry & 0xffu);
}

static void check_decoded(const th_tflm_weights *w, th_tflm_method method, const th_buf *stream, const th_buf *a) {
  const uint8_t *values = a->data + HEADER, *const end = a->data + a->size;
  reader r = {stream->data, stream->size * 8, 0};
  assert_int_equal(a->data[0], method);
  assert_int_equal(a->data[1], 1);
  assert_int_equal(a->data[4], 1);
  for (size_t i = 0; i < w->count; i++) {
    int8_t v = 0;
    if (method == TH_TFLM_LUT)
      v = lut_value(&r, a->data, w, i);
    else if (method == TH_TFLM_HUFFMAN)
      v = huffman_value(&r, a->data, (a->size - HEADER) / 2);
    else if (take(&r, 1)) {
      assert_true(values < end);
      v = (int8_t)*values++;
    }
    if (v != w->values[i]) fail_msg("method %d: value %zu is %d, not %d", (int)method, i, v, w->values[i]);
  }
  if (method == TH_TFLM_PRUNE) assert_ptr_equal(values, end);
  if (method == TH_TFLM_LUT) assert_int_equal(a->size, HEADER + (size_t)w->channels * a->data[6]);
  if (method == TH_TFLM_HUFFMAN) {
    assert_int_equal(stream->size % 4, 0);
    assert_true(stream->size * 8 - r.at >= 32); /* the word that is read ahead */
  }
}

static int8_t random_value(th_rng *rng, int kind) {
  const int wide = (int)th_rng_below(rng, 256) - 128;
  switch (kind) {
    case 0:
      return (int8_t)wide;
    case 1:
      return (int8_t)(th_rng_below(rng, 10) ? 0 : wide);
    case 2:
      return (int8_t)((int)th_rng_below(rng, 16) * 9 - 70);
    case 3:
      return (int8_t)(th_rng_below(rng, 2) ? 5 : -5);
    case 4: { /* words of very different lengths */
      int v = 0;
      while (v < 120 && th_rng_below(rng, 2)) v++;
      return (int8_t)v;
    }
    default:
      return 7;
  }
}

static void random_weights_come_back(void **state) {
  static int8_t values[MOST];
  int coded[TH_TFLM_METHODS] = {0};
  for (uint64_t seed = 0; seed < 600; seed++) {
    th_rng rng = th_rng_init(seed, 3);
    th_tflm_weights w = {values, 0, 1 + (int)th_rng_below(&rng, 12), th_rng_below(&rng, 2), true};
    w.count = (size_t)w.channels * (1 + th_rng_below(&rng, MOST / 12));
    for (size_t i = 0; i < w.count; i++) values[i] = random_value(&rng, (int)(seed % 6));
    for (int m = 0; m < TH_TFLM_METHODS; m++) {
      th_buf stream = {0}, ancillary = {0};
      if (th_tflm_encode(&w, (th_tflm_method)m, &stream, &ancillary)) {
        check_decoded(&w, (th_tflm_method)m, &stream, &ancillary);
        coded[m]++;
      }
      th_buf_free(&stream);
      th_buf_free(&ancillary);
    }
  }
  assert_int_equal(coded[TH_TFLM_PRUNE], 600);
  assert_true(coded[TH_TFLM_LUT] > 400 && coded[TH_TFLM_HUFFMAN] > 450);
}

static void what_does_not_fit_is_refused(void **state) {
  int8_t values[512];
  th_buf s = {0}, a = {0};
  th_tflm_weights w = {values, 512, 1, false, true};
  for (int i = 0; i < 512; i++) values[i] = (int8_t)(i % 129); /* one value more than a table has */
  assert_false(th_tflm_encode(&w, TH_TFLM_LUT, &s, &a));
  memset(values, 3, sizeof values);
  assert_false(th_tflm_encode(&w, TH_TFLM_HUFFMAN, &s, &a));
  w.zero_is_zero = false;
  assert_false(th_tflm_encode(&w, TH_TFLM_PRUNE, &s, &a));
  w.channels = 5;
  for (int m = 0; m < TH_TFLM_METHODS; m++) assert_false(th_tflm_encode(&w, (th_tflm_method)m, &s, &a));
  assert_int_equal(s.size + a.size, 0);
}

/* The smallest is chosen, and none when it gains less than it costs. */
static void smallest_is_chosen(void **state) {
  static int8_t values[2048];
  const th_tflm_weights w = {values, sizeof values, 1, false, true};
  th_rng rng = th_rng_init(5, 5);
  for (int kind = 0; kind < 6; kind++) {
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < sizeof values; i++) values[i] = random_value(&rng, kind);
    for (int m = 0; m < TH_TFLM_METHODS; m++) {
      th_buf s = {0}, a = {0};
      if (th_tflm_encode(&w, (th_tflm_method)m, &s, &a) && s.size + a.size < least) least = s.size + a.size;
      th_buf_free(&s);
      th_buf_free(&a);
    }
    th_buf s = {0}, a = {0};
    const bool gains = least + 100 < sizeof values;
    assert_int_equal(th_tflm_encode_smallest(&w, 100, &s, &a), gains);
    if (gains) assert_int_equal(s.size + a.size, least);
    assert_int_equal(gains, kind != 0);
    th_buf_free(&s);
    th_buf_free(&a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_weights_come_back),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(smallest_is_chosen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
