/* base: status, arena, bytes, rng, str, file, parallel.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/half.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/str.h"

static void first_error_wins(void **state) {
  th_error_clear();
  assert_int_equal(th_fail(TH_ERR_INPUT, "first %d", 1), TH_ERR_INPUT);
  assert_int_equal(th_fail(TH_ERR_RESOURCE, "second"), TH_ERR_INPUT);
  assert_string_equal(th_error_message(), "first 1");
  th_fail_in(TH_ERR_INPUT, "file.bin");
  assert_string_equal(th_error_message(), "file.bin: first 1");
  th_error_clear();
  assert_string_equal(th_error_message(), "");
  th_fail(TH_ERR_INPUT, "%s", "a\x89\x1b[0m\tz\xc3\xa4 \xe2\x82\xac\xf0\x9f\x98\x80 \xc2\x9b \xe2\x82");
  assert_string_equal(th_error_message(), "a??[0m\tz\xc3\xa4 \xe2\x82\xac\xf0\x9f\x98\x80 ?? ??");
  th_error_clear();
}

static void arena_releases_and_limits(void **state) {
  th_arena *a = th_arena_create();
  assert_non_null(th_arena_alloc(a, 100));
  size_t before = th_arena_bytes(a);
  th_arena_pos mark = th_arena_mark(a);
  for (int i = 0; i < 100; i++) {
    uint8_t *p = th_arena_alloc(a, 100000);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_int_equal(p[99999], 0);
    memset(p, 1, 100000);
  }
  th_arena_release(a, mark);
  assert_int_equal(th_arena_bytes(a), before);
  th_arena_limit(a, 1 << 20);
  assert_null(th_arena_alloc(a, 2 << 20));
  assert_int_equal(th_error_status(), TH_ERR_RESOURCE);
  th_error_clear();
  assert_null(th_arena_array(a, SIZE_MAX / 4, 8));
  th_error_clear();
  th_alloc_fail_after(0);
  assert_null(th_alloc(1));
  th_error_clear();
  void *p = th_alloc(1);
  assert_non_null(p);
  th_free(p);
  th_arena_destroy(a);
}

static void reader_never_passes_its_end(void **state) {
  const uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
  th_reader r = th_reader_init(bytes, sizeof bytes, "six");
  assert_int_equal(th_reader_u32(&r), 0x04030201);
  assert_int_equal(th_reader_u32(&r), 0);
  assert_true(r.failed);
  assert_non_null(strstr(th_error_message(), "six: at byte 4"));
  assert_int_equal(th_reader_u8(&r), 0);
  th_error_clear();
  r = th_reader_init(bytes, sizeof bytes, "six");
  assert_int_equal(th_reader_u32be(&r), 0x01020304);
  assert_false(th_reader_seek(&r, 7));
  th_error_clear();
}

static void buffer_holds_what_was_put(void **state) {
  th_buf b = {0};
  th_buf_u32(&b, 0x01020304);
  th_buf_u8(&b, 9);
  th_buf_align(&b, 8);
  th_buf_f32(&b, 1.5f);
  th_buf_printf(&b, "%s-%d", "x", 7);
  th_reader r = th_reader_init(b.data, b.size, "buffer");
  assert_int_equal(th_reader_u32(&r), 0x01020304);
  th_reader_seek(&r, 8);
  assert_true(th_reader_f32(&r) == 1.5f);
  assert_memory_equal(th_reader_take(&r, 3), "x-7", 3);
  assert_int_equal(th_reader_left(&r), 0);
  th_buf_free(&b);
}

/* Vigna's reference generator with state 1, 2, 3, 4 begins 11520, 0, 1509978240, 1215971899390074240. */
static void generator_is_xoshiro256ss(void **state) {
  th_rng g = {{1, 2, 3, 4}};
  assert_true(th_rng_u64(&g) == 11520u);
  assert_true(th_rng_u64(&g) == 0u);
  assert_true(th_rng_u64(&g) == 1509978240u);
  assert_true(th_rng_u64(&g) == 1215971899390074240u);
}

static void draws_have_their_moments(void **state) {
  th_rng g = th_rng_init(7, 1);
  double sum = 0, square = 0;
  int counts[10] = {0};
  for (int i = 0; i < 100000; i++) {
    double v = (double)th_rng_normal(&g);
    sum += v, square += v * v;
    counts[th_rng_below(&g, 10)]++;
  }
  assert_true(sum / 1e5 > -0.02 && sum / 1e5 < 0.02); /* standard error 0.003 */
  assert_true(square / 1e5 > 0.97 && square / 1e5 < 1.03);
  for (int i = 0; i < 10; i++) assert_in_range(counts[i], 9500, 10500); /* 5 sigma = 474 */
  th_rng a = th_rng_init(1, 2), b = th_rng_init(2, 1);
  assert_true(th_rng_u64(&a) != th_rng_u64(&b));
}

static void text_helpers(void **state) {
  long long v;
  double d;
  assert_true(th_str_int("-12", &v) && v == -12);
  assert_false(th_str_int("12x", &v) || th_str_int("", &v) || th_str_int(" 1", &v));
  assert_false(th_str_int("99999999999999999999", &v));
  assert_true(th_str_double("1e-3", &d) && d == 1e-3);
  assert_false(th_str_double("nan", &d) || th_str_double("inf", &d) || th_str_double("1,5", &d));
  assert_true(th_str_size("64K", &v) && v == 65536);
  assert_false(th_str_size("64Q", &v) || th_str_size("-1", &v));
  const char *words[] = {"prune", "cluster", "quantize"};
  assert_string_equal(th_str_closest("prnue", words, 3), "prune");
  assert_null(th_str_closest("compile", words, 3));
  assert_true(th_hash64("a", 1) == 0xaf63dc4c8601ec8cu); /* published FNV-1a test vector */
}

static void files_are_written_whole(void **state) {
  th_arena *a = th_arena_create();
  char dir[] = "/tmp/thimble-test-XXXXXX";
  assert_non_null(mkdtemp(dir));
  const char *sub = th_path_join(a, dir, "a/b"), *file = th_path_join(a, sub, "f.bin");
  assert_int_equal(th_dir_create(sub), TH_OK);
  assert_int_equal(th_file_write(file, "hello", 5), TH_OK);
  uint8_t *data;
  size_t size;
  assert_int_equal(th_file_read(a, file, 100, &data, &size), TH_OK);
  assert_int_equal(size, 5);
  assert_memory_equal(data, "hello", 6); /* and the NUL */
  assert_int_equal(th_file_read(a, file, 4, &data, &size), TH_ERR_INPUT);
  th_error_clear();
  assert_int_equal(th_file_read(a, sub, 4, &data, &size), TH_ERR_INPUT);
  th_error_clear();
  assert_int_equal(th_file_write("/dev/full", "x", 1), TH_ERR_RESOURCE);
  th_error_clear();
  char **names;
  int count;
  assert_int_equal(th_dir_list(a, sub, &names, &count), TH_OK);
  assert_int_equal(count, 1); /* no temporary file is left */
  assert_string_equal(th_path_extension("a.b/c"), "");
  assert_string_equal(th_path_extension("a.b/c.thim"), ".thim");
  th_arena_destroy(a);
}

static th_status square_chunk(void *arg, int chunk, int thread) {
  int *out = arg;
  out[chunk] = chunk * chunk;
  return chunk == 37 || chunk == 80 ? th_fail(TH_ERR_INPUT, "chunk %d", chunk) : TH_OK;
}

static void parallel_reports_the_lowest_failure(void **state) {
  for (int threads = 1; threads <= 4; threads++) {
    int out[100] = {0};
    th_parallel_set_threads(threads);
    assert_int_equal(th_parallel_for(100, square_chunk, out), TH_ERR_INPUT);
    assert_string_equal(th_error_message(), "chunk 37");
    assert_int_equal(out[36], 36 * 36);
    th_error_clear();
    assert_int_equal(th_parallel_for(37, square_chunk, out), TH_OK);
  }
  th_parallel_set_threads(0);
}

typedef struct counted {
  atomic_int runs[256];
  atomic_int bad_thread; /* a number that no thread of the job has */
  int threads, chunks;
} counted;

static th_status count_chunk(void *arg, int chunk, int thread) {
  counted *c = arg;
  const struct timespec longer_than_a_look = {.tv_nsec = 400000};
  if (c->chunks <= 8) nanosleep(&longer_than_a_look, NULL);            /* the caller must go to sleep, too */
  for (volatile int spin = chunk % 7 * 50; spin > 0; spin--) continue; /* so that some threads finish before others */
  atomic_fetch_add(&c->runs[chunk], 1);
  if (thread < 0 || thread >= c->threads) atomic_store(&c->bad_thread, 1);
  return TH_OK;
}

/* Jobs follow each other as fast as they can, so that workers come late and into the next one. */
static void parallel_runs_each_chunk_once(void **state) {
  static counted c;
  for (c.threads = 1; c.threads <= 4; c.threads++) {
    th_parallel_set_threads(c.threads);
    for (int job = 0; job < 200; job++) {
      c.chunks = 1 + job * 73 % 200;
      for (int i = 0; i < 256; i++) atomic_store(&c.runs[i], 0);
      assert_int_equal(th_parallel_for(c.chunks, count_chunk, &c), TH_OK);
      for (int i = 0; i < 256; i++) assert_int_equal(atomic_load(&c.runs[i]), i < c.chunks);
      assert_false(c.bad_thread);
    }
  }
  th_parallel_set_threads(0);
}

/* The nearest half by ldexp and rint, which rounds ties to even, against the one made of bits. */
static double nearest_half(double v) {
  int exponent;
  frexp(v, &exponent); /* |v| in [2^(e-1), 2^e): steps of 2^(e-11), of 2^-24 below 2^-14 */
  const int step = exponent - 11 < -24 ? -24 : exponent - 11;
  const double rounded = ldexp(rint(ldexp(v, -step)), step);
  return fabs(rounded) > 65504 ? copysign((double)INFINITY, v) : rounded;
}

static void test_half(void **state) {
  th_rng rng = th_rng_init(2, 0);
  for (uint32_t h = 0; h < 65536; h++) {
    const float v = th_half_to_float((uint16_t)h);
    if (isnan(v))
      assert_true((h & 0x7c00) == 0x7c00 && (h & 0x3ff) && isnan(th_half_to_float(th_half_from_float(v))));
    else
      assert_int_equal(th_half_from_float(v), h);
  }
  for (int i = 0; i < 200000; i++) {
    const float v = ldexpf(th_rng_uniform(&rng) * 2 - 1, (int)th_rng_below(&rng, 50) - 30);
    assert_true((double)th_half_to_float(th_half_from_float(v)) == nearest_half((double)v));
  }
  const float held[] = {1, -0.5f, 65504, 0}, not [] = {1, 0.1f}, far[] = {65536};
  assert_true(th_half_holds(held, 4) && !th_half_holds(not, 2) && !th_half_holds(far, 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_half),
      cmocka_unit_test(first_error_wins),
      cmocka_unit_test(arena_releases_and_limits),
      cmocka_unit_test(reader_never_passes_its_end),
      cmocka_unit_test(buffer_holds_what_was_put),
      cmocka_unit_test(generator_is_xoshiro256ss),
      cmocka_unit_test(draws_have_their_moments),
      cmocka_unit_test(text_helpers),
      cmocka_unit_test(files_are_written_whole),
      cmocka_unit_test(parallel_reports_the_lowest_failure),
      cmocka_unit_test(parallel_runs_each_chunk_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
