/* Data sets: IDX files written here by hand, splits, normalization, augmentation, faults; Fashion-MNIST if installed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/file.h"
#include "data/dataset.h"

static char folder[256];

static void put_be32(th_buf *b, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) th_buf_u8(b, (uint8_t)(v >> shift));
}

/* The header of an IDX file. */
static th_buf idx(uint8_t type, int rank, const uint32_t *dim) {
  th_buf b = {0};
  th_buf_u8(&b, 0);
  th_buf_u8(&b, 0);
  th_buf_u8(&b, type);
  th_buf_u8(&b, (uint8_t)rank);
  for (int i = 0; i < rank; ++i) put_be32(&b, dim[i]);
  return b;
}

static void save(const char *name, th_buf *b, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(th_file_write(path, b->data, size), TH_OK);
  th_buf_free(b);
}

static void save_labels(const char *name, uint32_t n, uint32_t classes) {
  th_buf b = idx(0x08, 1, &n);
  for (uint32_t i = 0; i < n; ++i) th_buf_u8(&b, (uint8_t)(i % classes));
  save(name, &b, b.size);
}

/* Pixel p of sample i is (7 i + p) mod 256. */
static void save_images(const char *name, uint32_t n, uint32_t y, uint32_t x) {
  th_buf b = idx(0x08, 3, (uint32_t[]){n, y, x});
  for (uint32_t i = 0; i < n; ++i)
    for (uint32_t p = 0; p < y * x; ++p) th_buf_u8(&b, (uint8_t)(7 * i + p));
  save(name, &b, b.size);
}

static int setup(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "%s/test_data_XXXXXX", THIMBLE_BINARY_DIR);
  return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  char command[300];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  return system(command);
}

static int small_set(void **state) {
  (void)state;
  save_images("train-images-idx3-ubyte", 103, 5, 6);
  save_labels("train-labels-idx1-ubyte", 103, 4);
  save_images("t10k-images-idx3-ubyte", 20, 5, 6);
  save_labels("t10k-labels-idx1-ubyte", 20, 4);
  return 0;
}

static th_dataset *open_ok(const char *keys) {
  char spec[400];
  th_dataset *d;
  snprintf(spec, sizeof spec, "%s%s", folder, keys);
  if (th_dataset_open(spec, 1, &d) != TH_OK) fail_msg("%s: %s", spec, th_error_message());
  return d;
}

static void open_bad(const char *keys, th_status status, const char *message) {
  char spec[400];
  th_dataset *d;
  snprintf(spec, sizeof spec, "%s%s", folder, keys);
  assert_int_equal(th_dataset_open(spec, 1, &d), status);
  assert_null(d);
  if (!strstr(th_error_message(), message)) fail_msg("%s: '%s' does not say '%s'", spec, th_error_message(), message);
  th_error_clear();
}

static void shapes_and_values(void **state) {
  (void)state;
  th_dataset *d = open_ok(",val=0");
  assert_int_equal(d->shape.rank, 3);
  assert_int_equal(d->shape.dim[2], 1);
  assert_int_equal(d->classes, 4);
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count, 103);
  assert_int_equal(d->split[TH_SPLIT_VAL].count, 0);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 20);
  float x[2 * 30];
  int32_t y[2];
  th_dataset_fetch(d, TH_SPLIT_TRAIN, (int32_t[]){50, 3}, 2, NULL, 0, 0, x, y);
  assert_int_equal(y[0], 50 % 4);
  assert_int_equal(y[1], 3);
  for (int p = 0; p < 30; ++p) {
    assert_true(fabsf(x[p] - (float)((350 + p) & 255) / 255.0f) < 1e-6f);
    assert_true(fabsf(x[30 + p] - (float)(21 + p) / 255.0f) < 1e-6f);
  }
  th_dataset_close(d);
  d = open_ok(",scale=1,mean=100,std=50,limit=7,val=0");
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count, 7);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 7);
  th_dataset_fetch(d, TH_SPLIT_TEST, (int32_t[]){2}, 1, NULL, 0, 0, x, NULL);
  assert_true(fabsf(x[5] - (19.0f - 100.0f) / 50.0f) < 1e-6f);
  th_dataset_close(d);
}

static void splits_are_stratified(void **state) {
  (void)state;
  th_dataset *d = open_ok(",val=0.2,seed=5"), *again = open_ok(",val=0.2,seed=5"), *other = open_ok(",val=0.2,seed=6");
  const th_split *val = &d->split[TH_SPLIT_VAL], *train = &d->split[TH_SPLIT_TRAIN];
  assert_int_equal(val->count + train->count, 103);
  int per_class[4] = {0}, seen[103] = {0};
  for (int i = 0; i < val->count; ++i) {
    per_class[d->store[0].labels[val->index[i]]]++;
    seen[val->index[i]]++;
    if (i) assert_true(val->index[i] > val->index[i - 1]);
  }
  for (int i = 0; i < train->count; ++i) seen[train->index[i]]++;
  for (int i = 0; i < 103; ++i) assert_int_equal(seen[i], 1);
  for (int c = 0; c < 4; ++c) assert_int_equal(per_class[c], 5); /* 26 or 25 of each, a fifth, rounded */
  assert_memory_equal(val->index, again->split[TH_SPLIT_VAL].index, 20 * sizeof(int32_t));
  assert_memory_not_equal(val->index, other->split[TH_SPLIT_VAL].index, 20 * sizeof(int32_t));
  th_dataset_close(d);
  th_dataset_close(again);
  th_dataset_close(other);
  d = open_ok(",test=0.2");
  assert_int_equal(d->split[TH_SPLIT_TEST].store, 0);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 20);
  assert_int_equal(d->split[TH_SPLIT_TEST].count + d->split[TH_SPLIT_TRAIN].count + d->split[TH_SPLIT_VAL].count, 103);
  th_dataset_close(d);
}

static void fetch_one(const th_dataset *d, const th_augment *a, uint32_t epoch, float *x) {
  th_dataset_fetch(d, TH_SPLIT_TRAIN, (int32_t[]){4}, 1, a, 9, epoch, x, NULL);
}

/* Every whole-pixel shift must be the original moved, zeros outside; all 25 of shift2 must turn up. */
static void shifts_are_exact(void **state) {
  (void)state;
  th_dataset *d = open_ok(",scale=1,val=0,augment=shift2");
  assert_true(d->augment && d->augment->shift == 2.0f);
  float plain[30], x[30];
  fetch_one(d, NULL, 0, plain);
  int seen[25] = {0}, kinds = 0;
  for (uint32_t epoch = 0; epoch < 400; ++epoch) {
    fetch_one(d, d->augment, epoch, x);
    int matches = 0;
    for (int s = 0; s < 25; ++s) {
      int sy = s / 5 - 2, sx = s % 5 - 2;
      bool same = true;
      for (int y = 0; y < 5; ++y)
        for (int c = 0; c < 6; ++c) {
          bool inside = y - sy >= 0 && y - sy < 5 && c - sx >= 0 && c - sx < 6;
          same = same && x[y * 6 + c] == (inside ? plain[(y - sy) * 6 + c - sx] : 0.0f);
        }
      matches += same;
      kinds += same && !seen[s]++;
    }
    assert_int_equal(matches, 1);
  }
  assert_int_equal(kinds, 25);
  th_dataset_close(d);
}

static void flip_erase_rotate(void **state) {
  (void)state;
  th_dataset *d = open_ok(",scale=1,val=0");
  float plain[30], x[30], again[30];
  fetch_one(d, NULL, 0, plain);
  th_augment flip = {.flip = true}, erase = {.erase = 3}, turn = {.rotate = 180}, still = {.rotate = 1e-6f};
  int flipped = 0;
  for (uint32_t epoch = 0; epoch < 200; ++epoch) {
    fetch_one(d, &flip, epoch, x);
    bool mirrored = x[0] == plain[5];
    for (int p = 0; p < 30; ++p) assert_true(x[p] == plain[mirrored ? p / 6 * 6 + 5 - p % 6 : p]);
    flipped += mirrored;
    fetch_one(d, &erase, epoch, x);
    int zeros = 0;
    for (int p = 0; p < 30; ++p) {
      assert_true(x[p] == plain[p] || x[p] == 0.0f);
      zeros += x[p] != plain[p];
    }
    assert_true(zeros >= 4 && zeros <= 9); /* clipped at a corner: 2 x 2 */
  }
  assert_true(flipped > 70 && flipped < 130);
  fetch_one(d, &still, 0, x);
  for (int p = 0; p < 30; ++p) assert_true(fabsf(x[p] - plain[p]) < 0.01f);
  fetch_one(d, &turn, 3, x);
  fetch_one(d, &turn, 3, again);
  assert_memory_equal(x, again, sizeof x);
  fetch_one(d, &turn, 4, again);
  assert_memory_not_equal(x, again, sizeof x);
  th_dataset_close(d);
}

static void other_types(void **state) {
  (void)state;
  th_buf b = idx(0x0b, 2, (uint32_t[]){3, 2}); /* s16, a list of numbers per sample */
  for (int i = 0; i < 6; ++i) {
    int v = i * 300 - 700;
    th_buf_u8(&b, (uint8_t)((unsigned)v >> 8));
    th_buf_u8(&b, (uint8_t)v);
  }
  save("train-images-idx2-short", &b, b.size);
  b = idx(0x0d, 2, (uint32_t[]){1, 2});
  put_be32(&b, 0x3f800000); /* 1.0f */
  put_be32(&b, 0xc0200000); /* -2.5f */
  save("t10k-images-idx2-float", &b, b.size);
  open_bad("", TH_ERR_INPUT, "are s16, for test f32");
  th_dataset *d = open_ok(",test=0.3,val=0");
  float x[2];
  assert_int_equal(d->shape.rank, 1);
  assert_int_equal(d->classes, 0);
  int32_t first = d->split[TH_SPLIT_TRAIN].index[0];
  th_dataset_fetch(d, TH_SPLIT_TRAIN, (int32_t[]){0}, 1, NULL, 0, 0, x, NULL);
  assert_true(x[0] == (float)(first * 600 - 700) && x[1] == x[0] + 300);
  th_dataset_close(d);
  open_bad(",test=0.3,augment=flip", TH_ERR_USAGE, "augment= needs pictures");
}

static void bad_files(void **state) {
  (void)state;
  th_buf b = idx(0x08, 3, (uint32_t[]){103, 5, 6});
  th_buf_zeros(&b, 103 * 30);
  save("train-images-idx3-ubyte", &b, b.size - 1);
  open_bad(
      "", TH_ERR_INPUT,
      "train-images-idx3-ubyte: truncated: header (first 16 bytes) announces 3090 bytes of data, the file has 3089");
  b = idx(0x08, 3, (uint32_t[]){103, 5, 6});
  th_buf_zeros(&b, 103 * 30);
  save("train-images-idx3-ubyte", &b, b.size);
  save_labels("train-labels-idx1-ubyte", 102, 4);
  open_bad("", TH_ERR_INPUT, "has 102 labels");
  save_labels("train-labels-idx1-ubyte", 103, 4);
  b = idx(0x07, 3, (uint32_t[]){1, 5, 6});
  save("t10k-images-idx3-ubyte", &b, b.size);
  open_bad("", TH_ERR_INPUT, "not an IDX file: it begins with 00 00 07 03");
  b = idx(0x08, 3, (uint32_t[]){0x40000000, 0x40000000, 4});
  save("t10k-images-idx3-ubyte", &b, b.size);
  open_bad("", TH_ERR_INPUT, "dimension 1 is 1073741824");
  save_images("t10k-images-idx3-ubyte", 4, 6, 5);
  open_bad("", TH_ERR_INPUT, "samples are 6x5x1, those for training are 5x6x1");
  b = idx(0x08, 3, (uint32_t[]){1, 5, 6});
  save("t10k-images-idx3-ubyte", &b, 7);
  open_bad("", TH_ERR_INPUT, "t10k-images-idx3-ubyte");
}

static void bad_words(void **state) {
  (void)state;
  open_bad(",vla=0.1", TH_ERR_USAGE, "unknown key 'vla': did you mean 'val'?");
  open_bad(",val=2", TH_ERR_USAGE, "val=2: expected a number from 0 to 0.9");
  open_bad(",augment=shift2,flap", TH_ERR_USAGE, "augment=flap is unknown");
  open_bad(",augment=crop1.5", TH_ERR_USAGE, "whole pixels");
  open_bad(",limit=0", TH_ERR_USAGE, "limit=0");
  open_bad(",mean=1,2,3", TH_ERR_USAGE, "mean= has 3 values");
  open_bad(",rubbish", TH_ERR_USAGE, "'rubbish' is not key=value");
  open_bad("/nowhere", TH_ERR_INPUT, "/nowhere");
  th_dataset *d;
  assert_int_equal(th_dataset_open("fashon-mnist", 1, &d), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "did you mean 'fashion-mnist'?"));
  th_error_clear();
}

static void fashion_mnist(void **state) {
  (void)state;
  if (!th_dir_exists("/usr/share/datasets/fashion-mnist")) {
    print_message("skipped: Debian package dataset-fashion-mnist is not installed\n");
    skip();
  }
  assert_int_equal(th_dataset_verify("fashion-mnist", "/usr/share/datasets/fashion-mnist"), TH_OK);
  th_dataset *d;
  assert_int_equal(th_dataset_open("fashion-mnist", 1, &d), TH_OK);
  assert_int_equal(d->classes, 10);
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count, 54000);
  assert_int_equal(d->split[TH_SPLIT_VAL].count, 6000);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 10000);
  float x[784];
  int32_t y[10];
  double sum = 0;
  for (int32_t i = 0; i < 10000; ++i) {
    th_dataset_fetch(d, TH_SPLIT_TEST, &i, 1, NULL, 0, 0, x, i < 10 ? &y[i] : NULL);
    for (int p = 0; p < 784; ++p) sum += (double)x[p];
  }
  /* the first labels as the authors print them; the mean of the test pixels is widely quoted as 0.2868 */
  assert_memory_equal(y, ((int32_t[]){9, 2, 1, 1, 6, 1, 4, 6, 5, 7}), sizeof y);
  assert_true(fabs(sum / 7840000 - 0.2868) < 0.0001);
  th_dataset_close(d);
}

static void verify_finds_changes(void **state) {
  (void)state;
  save_images("train-images-idx3-ubyte", 3, 5, 6);
  assert_int_equal(th_dataset_verify("mnist", folder), TH_ERR_INPUT);
  assert_non_null(
      strstr(th_error_message(), "expected ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"));
  th_error_clear();
  assert_int_equal(th_dataset_verify("nist", folder), TH_ERR_USAGE);
  th_error_clear();
}

#define CASE(f, first) cmocka_unit_test_setup_teardown(f, first, teardown)
static int setup_small(void **state) {
  return setup(state) || small_set(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(shapes_and_values, setup_small),
      CASE(splits_are_stratified, setup_small),
      CASE(shifts_are_exact, setup_small),
      CASE(flip_erase_rotate, setup_small),
      CASE(other_types, setup),
      CASE(bad_files, setup_small),
      CASE(bad_words, setup_small),
      cmocka_unit_test(fashion_mnist),
      CASE(verify_finds_changes, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
