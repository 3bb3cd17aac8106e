/* Weight coders: optimal lengths against exhaustive search, round trips over edge and random tensors in pieces of any
 * size, the choice by bytes, and decoders on damaged input. Exact-size heap blocks let AddressSanitizer see any read
 * outside. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../rt/core/parse.h"
#include "../../rt/decode/range.h"
#include "base/rng.h"
#include "encode/channels.h"
#include "encode/code.h"
#include "encode/encode.h"
#include "encode/program.h"

/* --- code lengths --- */

static uint64_t code_cost(const uint32_t *freq, const uint8_t *length, int n) {
  uint64_t sum = 0;
  for (int i = 0; i < n; i++) sum += (uint64_t)freq[i] * length[i];
  return sum;
}

/* The cheapest lengths in 1..limit with Kraft sum <= 1, by trying them all. */
static void search(const uint32_t *freq, int n, int limit, int at, uint8_t *length, unsigned kraft, uint64_t *best) {
  if (kraft > 1u << limit) return;
  if (at == n) {
    const uint64_t cost = code_cost(freq, length, n);
    if (cost < *best) *best = cost;
    return;
  }
  for (int l = 1; l <= limit; l++) {
    length[at] = (uint8_t)l;
    search(freq, n, limit, at + 1, length, kraft + (1u << (limit - l)), best);
  }
}

static void test_lengths_are_optimal(void **state) {
  th_rng rng = th_rng_init(1, 0);
  for (int round = 0; round < 200; round++) {
    const int n = 2 + (int)th_rng_below(&rng, 6), limit = 3 + (int)th_rng_below(&rng, 3);
    uint32_t freq[TH_CODE_SYMBOLS] = {0};
    uint8_t length[TH_CODE_SYMBOLS], trial[8];
    for (int i = 0; i < n; i++) freq[i] = 1u + (1u << th_rng_below(&rng, 12)) + th_rng_below(&rng, 5);
    uint64_t best = UINT64_MAX;
    search(freq, n, limit, 0, trial, 0, &best);
    th_huffman_lengths(freq, limit, length);
    unsigned kraft = 0;
    for (int i = 0; i < n; i++) {
      assert_in_range(length[i], 1, limit);
      kraft += 1u << (limit - length[i]);
    }
    assert_true(kraft <= 1u << limit);
    assert_int_equal(code_cost(freq, length, n), best);
  }
}

static void test_lengths_of_known_sets(void **state) {
  /* Frequencies 1 1 2 3 5 8 (Fibonacci): the unlimited code is a chain 5 5 4 3 2 1. */
  uint32_t freq[TH_CODE_SYMBOLS] = {1, 1, 2, 3, 5, 8};
  uint8_t length[TH_CODE_SYMBOLS];
  const uint8_t chain[] = {5, 5, 4, 3, 2, 1};
  th_huffman_lengths(freq, 15, length);
  assert_memory_equal(length, chain, sizeof chain);
  th_huffman_lengths(freq, 4, length); /* 4 4 4 4 2 1 by hand, and it has equals */
  assert_int_equal(code_cost(freq, length, 6), 46);
  uint32_t even[TH_CODE_SYMBOLS];
  for (int i = 0; i < TH_CODE_SYMBOLS; i++) even[i] = 7;
  th_huffman_lengths(even, 8, length);
  for (int i = 0; i < TH_CODE_SYMBOLS; i++) assert_int_equal(length[i], 8);
}

/* --- round trips --- */

static void decode_in_pieces(const th_coded *coded, uint32_t n, th_rng *rng, int8_t *out) {
  const thr_weights weights = th_coded_weights(coded);
  int8_t memory[256];
  thr_stream stream;
  thr_stream_begin(&stream, &weights, memory);
  for (uint32_t done = 0; done < n;) {
    uint32_t count = th_rng_below(rng, 40);
    if (count > n - done) count = n - done;
    weights.decode(&stream, out + done, count);
    done += count;
  }
}

/* Every coder that can express w gives it back, with data and table in blocks of exactly their size. */
static void round_trip(const int8_t *w, uint32_t n, const char *what) {
  th_arena *arena = th_arena_create();
  th_rng rng = th_rng_init(n, 7);
  int8_t *back = malloc(n);
  for (thr_coder c = THR_CODER_RAW + 1; c < THR_CODER_COUNT; c++) {
    bool possible = false;
    th_coded coded;
    assert_int_equal(th_encode_one(arena, c, w, n, NULL, &possible, &coded), TH_OK);
    if (!possible) continue;
    uint8_t *data = malloc(coded.data_bytes), *table = malloc(coded.table_bytes);
    memcpy(data, coded.data, coded.data_bytes);
    memcpy(table, coded.table, coded.table_bytes);
    coded.data = data;
    coded.table = table;
    memset(back, 85, n);
    decode_in_pieces(&coded, n, &rng, back);
    if (memcmp(back, w, n) != 0) fail_msg("%s: coder %s", what, th_coder_name(c));
    free(data);
    free(table);
  }
  free(back);
  th_arena_destroy(arena);
}

typedef struct recipe { /* how a random tensor is made */
  const char *what;
  uint32_t n;
  int zero_percent_x10, values, spacing;
} recipe;

static const recipe recipes[] = {
    {"one element", 1, 0, 200, 1},
    {"two elements", 2, 0, 256, 1},
    {"all zero", 300, 1000, 1, 1},
    {"one value", 300, 0, 1, 1},
    {"binary", 500, 0, 2, 200},
    {"ternary, half zero", 777, 500, 2, 90},
    {"256 values", 20000, 0, 256, 1},
    {"15 levels", 3000, 0, 15, 17},
    {"16 levels, 90 % zero", 9999, 900, 16, 5},
    {"98 % sparse", 40000, 980, 8, 11},
    {"99.9 % sparse", 100000, 999, 30, 3},
    {"dense with few zeros", 5000, 20, 100, 2},
};

static void fill(const recipe *r, th_rng *rng, int8_t *w) {
  for (uint32_t i = 0; i < r->n; i++) {
    /* the smaller of two draws: skewed, so that codes of several lengths appear */
    const uint32_t a = th_rng_below(rng, (uint32_t)r->values), b = th_rng_below(rng, (uint32_t)r->values);
    const int value = (int)(a < b ? a : b) * r->spacing - 7;
    w[i] = (int)th_rng_below(rng, 1000) < r->zero_percent_x10 ? 0 : (int8_t)(uint8_t)value;
  }
}

static void test_round_trips(void **state) {
  th_rng rng = th_rng_init(2, 0);
  for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
    for (int round = 0; round < 3; round++) {
      int8_t *w = malloc(recipes[i].n);
      fill(&recipes[i], &rng, w);
      round_trip(w, recipes[i].n, recipes[i].what);
      free(w);
    }
  }
}

static void test_round_trips_of_small_random_tensors(void **state) {
  th_rng rng = th_rng_init(3, 0);
  for (int round = 0; round < 1500; round++) {
    const recipe r = {"small", 1 + th_rng_below(&rng, 60), (int)th_rng_below(&rng, 1001),
                      1 + (int)th_rng_below(&rng, 40), 1 + (int)th_rng_below(&rng, 12)};
    int8_t w[60];
    fill(&r, &rng, w);
    round_trip(w, r.n, r.what);
  }
}

/* A word may be as long as 15 bits: Fibonacci frequencies ask for more. */
static void test_skewed_beyond_the_length_limit(void **state) {
  enum { SYMBOLS = 24 };
  uint32_t n = 0, a = 1, b = 1;
  int8_t *w = malloc(200000);
  for (int s = 0; s < SYMBOLS; s++) {
    for (uint32_t i = 0; i < a; i++) w[n++] = (int8_t)(s * 5 - 60);
    const uint32_t next = a + b;
    a = b;
    b = next;
  }
  round_trip(w, n, "fibonacci");
  free(w);
}

/* --- the choice --- */

static th_coded best_of(th_arena *arena, const recipe *r, uint32_t coders) {
  th_rng rng = th_rng_init(4, r->n);
  int8_t *w = th_arena_alloc(arena, r->n);
  th_coded coded;
  const th_encode_options options = {.coders = coders};
  fill(r, &rng, w);
  assert_int_equal(th_encode_best(arena, &options, w, r->n, NULL, &coded), TH_OK);
  for (thr_coder c = 0; c < THR_CODER_COUNT; c++) {
    bool possible;
    th_coded other;
    if (c != THR_CODER_RAW && !((coders ? coders : TH_CODERS_FAST) >> c & 1)) continue;
    assert_int_equal(th_encode_one(arena, c, w, r->n, NULL, &possible, &other), TH_OK);
    if (possible) assert_true(th_coded_bytes(&coded) <= th_coded_bytes(&other));
  }
  return coded;
}

static void test_choice(void **state) {
  th_arena *arena = th_arena_create();
  const recipe constant = {"", 4000, 1000, 1, 1}, noise = {"", 4000, 0, 256, 1}, sparse = {"", 40000, 985, 9, 7};
  assert_int_equal(best_of(arena, &constant, 0).coder, THR_CODER_BITPACK);
  assert_true(th_coded_bytes(&(th_coded){0}) == 1);
  const th_coded all_zero = best_of(arena, &constant, 0);
  assert_int_equal(all_zero.data_bytes, 0);
  assert_true(all_zero.table_bytes <= 2);
  const th_coded skewed = best_of(arena, &noise, 0);
  assert_true(skewed.coder == THR_CODER_HUFFMAN && th_coded_bytes(&skewed) < 4000);
  assert_int_equal(best_of(arena, &sparse, 0).coder, THR_CODER_GAP_HUFFMAN);
  assert_int_equal(best_of(arena, &sparse, 1u << THR_CODER_HUFFMAN).coder, THR_CODER_HUFFMAN);
  assert_int_equal(best_of(arena, &sparse, 1u << THR_CODER_RAW).coder, THR_CODER_RAW);
  th_arena_destroy(arena);
}

/* Measured size against the entropy of the source: independent zeros with probability 0.98 and 8 equally likely values
 * need 0.141 + 0.02 * 3 = 0.201 bits per weight. */
/* A weight is there with probability 0.6 below another one (28 places before it), else with 0.02: a share of 1/21 is
 * there. 1/21 H(0.6) + 20/21 H(0.02) = 0.1809 bits per weight, where each alone would take 0.2762; the sign of those
 * that have a neighbour is the neighbour's: 0.4 of them take a bit more, which is 0.4 / 21 = 0.019 bits per weight. */
static void test_context_coder_finds_neighbours(void **state) {
  th_arena *arena = th_arena_create();
  th_rng rng = th_rng_init(5, 1);
  const uint32_t row = 2800, n = 50 * row;
  const th_weight_form form = {.row = row};
  int8_t *w = th_arena_alloc(arena, n);
  th_coded coded;
  bool possible;
  for (uint32_t i = 0; i < n; i++) {
    const int above = i % row >= 28 ? w[i - 28] : 0;
    const bool there = th_rng_below(&rng, 100) < (above ? 60 : 2);
    w[i] = (int8_t)(!there ? 0 : above ? above : th_rng_below(&rng, 2) ? 1 : -1);
  }
  assert_int_equal(th_encode_one(arena, THR_CODER_CONTEXT, w, n, &form, &possible, &coded), TH_OK);
  assert_true(possible);
  assert_in_range(th_coded_bytes(&coded), (int)(0.195 * n / 8), (int)(0.208 * n / 8));
  th_arena_destroy(arena);
}

static void test_gap_coder_is_near_the_entropy(void **state) {
  th_arena *arena = th_arena_create();
  th_rng rng = th_rng_init(5, 0);
  const uint32_t n = 200000;
  int8_t *w = th_arena_alloc(arena, n);
  th_coded coded;
  bool possible;
  for (uint32_t i = 0; i < n; i++) w[i] = th_rng_below(&rng, 50) ? 0 : (int8_t)(10 * (1 + (int)th_rng_below(&rng, 8)));
  assert_int_equal(th_encode_one(arena, THR_CODER_GAP_HUFFMAN, w, n, NULL, &possible, &coded), TH_OK);
  assert_true(possible);
  assert_in_range(th_coded_bytes(&coded), (int)(0.195 * n / 8), (int)(0.207 * n / 8));
  th_arena_destroy(arena);
}

static void test_names(void **state) {
  for (thr_coder c = 0; c < THR_CODER_COUNT; c++) {
    assert_int_equal(th_coder_from_name(th_coder_name(c)), c);
    assert_int_equal(th_coder_of_decode(thr_coder_decode(c)), c);
  }
  assert_int_equal(th_coder_from_name("gzip"), THR_CODER_COUNT);
}

/* --- whole programs --- */

/* A convolution of `channels` input channels, 3 x 3, whose weights code well; all but one in `one_in` are zero. */
static void long_rows(th_arena *arena, int channels, uint32_t one_in, th_program *p) {
  static const int32_t mult[] = {1 << 30};
  static const int8_t shift[] = {-8};
  const uint32_t row = 9u * (uint32_t)channels, rows = 16;
  th_rng rng = th_rng_init(row, 9);
  int8_t *w = th_arena_alloc(arena, row * rows);
  for (uint32_t i = 0; i < row * rows; i++)
    w[i] = th_rng_below(&rng, one_in) ? 0 : (int8_t)(th_rng_below(&rng, 3) * th_rng_below(&rng, 30));
  th_program_step *s = p->steps = th_arena_alloc(arena, sizeof *p->steps);
  *s = (th_program_step){.name = "conv", .weights = w, .weight_count = row * rows, .row_elems = row};
  s->mult = mult, s->shift = shift, s->requant_count = 1;
  s->step.kernel = THR_KERNEL_CONV2D_S8;
  s->step.p.conv2d = (thr_conv2d_params){.kernel_y = 3, .kernel_x = 3, .in_c = channels, .out_c = 16, .groups = 1};
  p->arena = arena, p->n_steps = 1;
}

static thr_coder coder_of_rows(int channels, const uint32_t *decoders) {
  th_arena *arena = th_arena_create();
  const th_encode_options o = {.coders = TH_CODERS_ALL, .decoders = decoders};
  th_program p = {0};
  th_step_bytes bytes;
  long_rows(arena, channels, 1, &p);
  assert_int_equal(th_encode_program(&p, &o, &bytes), TH_OK);
  assert_in_range(p.steps[0].scratch_bytes, 0, THR_DECODE_MOST);
  assert_in_range(thr_step_decode_bytes(&p.steps[0].step), 0, THR_DECODE_MOST);
  th_arena_destroy(arena);
  return bytes.coder;
}

static void test_scratch_of_rows_is_bounded(void **state) {
  for (int channels = 4; channels <= 56; channels += 4)
    assert_int_not_equal(coder_of_rows(channels, NULL), THR_CODER_RAW);
  for (int channels = 57; channels <= 80; channels++) assert_int_equal(coder_of_rows(channels, NULL), THR_CODER_RAW);
}

/* Where few weights are left, coding halves long rows, and they get their scratch, up to a limit. */
static void test_long_rows_are_coded_where_it_counts(void **state) {
  for (int channels = 57; channels <= 250; channels += 7) {
    th_arena *arena = th_arena_create();
    const th_encode_options o = {.coders = TH_CODERS_ALL};
    th_program p = {0};
    th_step_bytes bytes;
    long_rows(arena, channels, 4, &p);
    assert_int_equal(th_encode_program(&p, &o, &bytes), TH_OK);
    const uint32_t row = p.steps[0].row_elems;
    assert_int_equal(bytes.coder == THR_CODER_RAW, row > 2048);
    assert_true(bytes.coder == THR_CODER_RAW || bytes.weights < p.steps[0].weight_count / 2);
    assert_true(bytes.coder == THR_CODER_RAW || p.steps[0].scratch_bytes >= row);
    th_arena_destroy(arena);
  }
}

/* A decoder that takes a kilobyte is worth it for 8,064 weights, not for 144. */
static void test_decoders_are_counted(void **state) {
  uint32_t decoders[TH_CODER_SETS];
  for (uint32_t set = 0; set < TH_CODER_SETS; set++) decoders[set] = 1024 * (uint32_t)__builtin_popcount(set >> 1);
  assert_int_not_equal(coder_of_rows(1, NULL), THR_CODER_RAW);
  assert_int_equal(coder_of_rows(1, decoders), THR_CODER_RAW);
  assert_int_not_equal(coder_of_rows(56, decoders), THR_CODER_RAW);
}

/* Weights of which each coder does better on one; both are taken where the second decoder costs less than it saves. */
static void test_a_second_decoder_must_pay(void **state) {
  const thr_coder coder[2] = {THR_CODER_HUFFMAN, THR_CODER_GAP_HUFFMAN};
  const uint32_t both = 1u << coder[0] | 1u << coder[1], raw = 1u << THR_CODER_RAW;
  th_arena *arena = th_arena_create();
  th_program p[2];
  uint32_t size[2][2];
  for (int i = 0; i < 2; i++) {
    long_rows(arena, 40, i ? 30 : 1, &p[i]);
    for (int c = 0; c < 2; c++) {
      const th_encode_options one = {.coders = 1u << coder[c]};
      th_coded coded;
      assert_int_equal(th_encode_best(arena, &one, p[i].steps->weights, p[i].steps->weight_count, NULL, &coded), TH_OK);
      size[i][c] = th_coded_bytes(&coded);
    }
  }
  assert_true(size[0][0] < size[0][1] && size[1][1] < size[1][0]);
  uint32_t alone = size[0][0] + size[1][0];
  if (size[0][1] + size[1][1] < alone) alone = size[0][1] + size[1][1];
  const uint32_t saved = alone - size[0][0] - size[1][1];
  th_program_step steps[2] = {p[0].steps[0], p[1].steps[0]};
  for (uint32_t more = saved - 1; more <= saved + 1; more += 2) {
    uint32_t decoders[TH_CODER_SETS] = {[0] = 0};
    for (uint32_t set = 0; set < TH_CODER_SETS; set++)
      decoders[set] = (set & both) == both ? 300 + more : set & both ? 300 : 0;
    const th_encode_options o = {.coders = both | raw, .decoders = decoders};
    th_program program = {.arena = arena, .steps = steps, .n_steps = 2};
    th_step_bytes bytes[2];
    assert_int_equal(th_encode_program(&program, &o, bytes), TH_OK);
    assert_int_equal(bytes[0].coder != bytes[1].coder, more < saved);
  }
  th_arena_destroy(arena);
}

/* --- damaged streams --- */

/* What weights.dot gives from the same place of the same stream as the weights w[0..n). */
static void check_dot(const thr_stream *before, const thr_stream *after, const int8_t *w, uint32_t n, th_rng *rng) {
  thr_stream stream = *before;
  int8_t *x = malloc(n);
  const int32_t zero = (int32_t)th_rng_below(rng, 256) - 128, bias = (int32_t)th_rng_u64(rng);
  uint32_t sum = (uint32_t)bias;
  for (uint32_t i = 0; i < n; i++) {
    x[i] = (int8_t)th_rng_below(rng, 256);
    sum += (uint32_t)((x[i] - zero) * w[i]);
  }
  assert_int_equal(stream.weights->dot(&stream, x, n, zero, bias), (int32_t)sum);
  assert_int_equal(stream.run, after->run);
  assert_int_equal(stream.value, after->value);
  assert_int_equal(stream.bit, after->bit);
  free(x);
}

/* The same weights with a look-up table and without, from the same pieces. */
static void check_without_memory(const thr_weights *weights, const int8_t *out, const uint32_t *pieces, int n) {
  thr_weights plain = *weights;
  thr_stream stream;
  int8_t other[64];
  plain.memory = 0;
  thr_stream_begin(&stream, &plain, NULL);
  for (int i = 0; i < n; i++, out += 64) {
    plain.decode(&stream, other, pieces[i]);
    assert_memory_equal(other, out, pieces[i]);
  }
}

static bool needs_memory(thr_coder c) {
  return c == THR_CODER_RANGE || c == THR_CODER_CONTEXT;
}

static void test_decoders_survive_anything(void **state) {
  th_rng rng = th_rng_init(6, 0);
  for (int round = 0; round < 20000; round++) {
    const uint32_t table_bytes = th_rng_below(&rng, 40), bytes = th_rng_below(&rng, 20);
    uint8_t *table = malloc(table_bytes), *data = malloc(bytes);
    int8_t out[8][64];
    uint32_t pieces[8];
    for (uint32_t i = 0; i < table_bytes; i++)
      table[i] = (uint8_t)(th_rng_below(&rng, 3) ? th_rng_below(&rng, 4) : th_rng_below(&rng, 256));
    for (uint32_t i = 0; i < bytes; i++) data[i] = (uint8_t)th_rng_below(&rng, 256);
    for (thr_coder c = THR_CODER_RAW + 1; c < THR_CODER_COUNT; c++) {
      const thr_weights weights = {data,
                                   table,
                                   bytes,
                                   (uint16_t)table_bytes,
                                   thr_coder_decode(c),
                                   thr_coder_memory(c, table, table_bytes),
                                   thr_coder_dot(c),
                                   0};
      int8_t *memory = malloc(weights.memory + 1u);
      thr_stream stream;
      if (needs_memory(c)) memset(memory, 0, weights.memory + 1u);
      thr_stream_begin(&stream, &weights, memory);
      for (int i = 0; i < 8; i++) {
        const thr_stream before = stream;
        pieces[i] = 1 + th_rng_below(&rng, 64);
        weights.decode(&stream, out[i], pieces[i]);
        if (weights.dot) check_dot(&before, &stream, out[i], pieces[i], &rng);
      }
      if (!needs_memory(c)) check_without_memory(&weights, out[0], pieces, 8);
      free(memory);
    }
    free(table);
    free(data);
  }
}

/* The worked example of docs/format.md, put together there by hand. */
static void test_example_of_the_document(void **state) {
  static const uint8_t table[] = {0x04, 0x83, 0x02, 0x11, 0x20, 0x81, 0x30, 0x81, 0x08, 0xfb, 0x0a, 0x20, 0x40};
  static const uint8_t data[] = {0xd4, 0xf0};
  static const int8_t expected[16] = {0, 0, 5, 0, 0, 0, 0, -5, 0, 0, 0, 5};
  const thr_weights weights = {data, table, sizeof data, sizeof table, thr_decode_gap_huffman, 0, NULL, 0};
  thr_stream stream;
  int8_t out[16];
  thr_stream_begin(&stream, &weights, NULL);
  weights.decode(&stream, out, 16);
  assert_memory_equal(out, expected, 16);
}

static void test_past_the_end_are_zeros(void **state) {
  th_arena *arena = th_arena_create();
  th_rng rng = th_rng_init(8, 0);
  int8_t w[100], out[300];
  for (int i = 0; i < 100; i++) w[i] = (int8_t)(1 + (int)th_rng_below(&rng, 20) * (int)th_rng_below(&rng, 6));
  for (thr_coder c = THR_CODER_RAW + 1; c < THR_CODER_COUNT; c++) {
    bool possible;
    th_coded coded;
    assert_int_equal(th_encode_one(arena, c, w, 100, NULL, &possible, &coded), TH_OK);
    assert_true(possible);
    const thr_weights weights = th_coded_weights(&coded);
    thr_stream stream;
    int8_t memory[256];
    thr_stream_begin(&stream, &weights, memory);
    weights.decode(&stream, out, 300);
    assert_memory_equal(out, w, 100);
    if (needs_memory(c)) continue;                               /* their code never ends */
    for (int i = 108; i < 300; i++) assert_int_equal(out[i], 0); /* fewer than 8 words fit in the padding bits */
  }
  th_arena_destroy(arena);
}

/* --- coded channels --- */

static thr_channel random_channel(th_rng *rng, int kind) {
  const int bits = 1 + (int)th_rng_below(rng, 30);
  int32_t mult = (int32_t)((1u << 30) | (th_rng_below(rng, 1u << bits) << (30 - bits)));
  thr_channel c = {(int32_t)th_rng_below(rng, 1u << (kind == 3 ? 31 : 14)) - (kind == 3 ? 1 << 30 : 1 << 13), mult,
                   (int8_t)(-(int)th_rng_below(rng, kind == 2 ? 30 : 4))};
  if (kind == 1) c.mult = 1 << 30 | 12345, c.shift = -7;
  if (kind == 2 && th_rng_below(rng, 10) == 0) c.mult = 0;
  return c;
}

static int by_falling_scale(const void *a, const void *b) {
  const thr_channel *x = a, *y = b;
  return x->shift != y->shift ? y->shift - x->shift : (y->mult > x->mult) - (y->mult < x->mult);
}

static void test_channels_come_back(void **state) {
  th_rng rng = th_rng_init(9, 0);
  size_t bytes[5] = {0};
  for (int round = 0; round < 500; round++) {
    thr_channel c[100];
    const int kind = round % 5;
    const uint32_t n = 1 + th_rng_below(&rng, 100);
    th_buf out = {0};
    for (uint32_t i = 0; i < n; i++) c[i] = random_channel(&rng, kind);
    if (kind == 4) qsort(c, n, sizeof *c, by_falling_scale);
    assert_true(th_encode_channels(c, n, &out));
    bytes[kind] += out.size;
    uint8_t *exact = malloc(out.size); /* so that reading beyond shows */
    memcpy(exact, out.data, out.size);
    const thr_requant r = {.coded = exact, .coded_bytes = (uint32_t)out.size};
    thr_channel_state s = {0};
    for (uint32_t i = 0; i < n; i++) {
      thr_channel back;
      thr_decode_channels(&r, &s, &back);
      assert_int_equal(back.bias, c[i].bias);
      assert_int_equal(back.mult, c[i].mult);
      if (c[i].mult) assert_int_equal(back.shift, c[i].shift);
    }
    free(exact);
    th_buf_free(&out);
  }
  assert_true(bytes[4] < bytes[0] * 95 / 100 && bytes[1] < bytes[0] / 2); /* order and sharing pay */
}

static void test_channels_of_any_bytes_are_in_range(void **state) {
  th_rng rng = th_rng_init(10, 0);
  for (int round = 0; round < 5000; round++) {
    const uint32_t bytes = th_rng_below(&rng, 40);
    uint8_t *data = malloc(bytes);
    for (uint32_t i = 0; i < bytes; i++) data[i] = (uint8_t)th_rng_below(&rng, 256);
    const thr_requant r = {.coded = data, .coded_bytes = bytes};
    thr_channel_state s = {0};
    for (int i = 0; i < 50; i++) {
      thr_channel c;
      thr_decode_channels(&r, &s, &c);
      assert_in_range(c.shift + 31, 0, 61);
    }
    free(data);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lengths_are_optimal),
      cmocka_unit_test(test_lengths_of_known_sets),
      cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_channels_come_back),
      cmocka_unit_test(test_channels_of_any_bytes_are_in_range),
      cmocka_unit_test(test_round_trips_of_small_random_tensors),
      cmocka_unit_test(test_skewed_beyond_the_length_limit),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_context_coder_finds_neighbours),
      cmocka_unit_test(test_gap_coder_is_near_the_entropy),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_scratch_of_rows_is_bounded),
      cmocka_unit_test(test_long_rows_are_coded_where_it_counts),
      cmocka_unit_test(test_decoders_are_counted),
      cmocka_unit_test(test_a_second_decoder_must_pay),
      cmocka_unit_test(test_decoders_survive_anything),
      cmocka_unit_test(test_past_the_end_are_zeros),
      cmocka_unit_test(test_example_of_the_document),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
