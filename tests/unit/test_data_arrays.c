/* Raw files and .npz archives, written here by hand (archives by libzip): element types, layouts, answers, faults.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_fixture.h"

#include <zip.h>

/* --- raw --- */

static void raw_types(void **state) {
  (void)state;
  static const int16_t s16[] = {-300, 0, 7, 32767};
  static const double f64[] = {-1.5, 0.25, 1e10, 3};
  static const uint16_t f16[] = {0x3c00, 0xc000, 0x3555, 0x0001}; /* 1, -2, 0.333251953125, 2^-24 */
  static const uint32_t u32[] = {0, 1, 70000, 4000000000u};
  float x[4];
  fx_save("a.bin", s16, sizeof s16);
  th_dataset *d = fx_open("a.bin,shape=2x2,dtype=int16");
  assert_true(d->own && d->store[0].dtype == TH_DTYPE_S16 && d->shape.rank == 3 && d->shape.dim[2] == 1);
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[0] == -300 && x[3] == 32767);
  th_dataset_adopt(d, 0.5f, -10);
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[0] == -145 && x[1] == 5);
  th_dataset_close(d);
  fx_save("b.bin", f64, sizeof f64);
  d = fx_open("b.bin,shape=4,dtype=float64");
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(!d->own && x[0] == -1.5f && x[1] == 0.25f && x[2] == 1e10f);
  th_dataset_close(d);
  fx_save("c.bin", f16, sizeof f16);
  d = fx_open("c.bin,shape=4,dtype=float16");
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[0] == 1 && x[1] == -2 && x[2] == 0.333251953125f && x[3] == 1.0f / (1 << 24));
  th_dataset_close(d);
  fx_save("d.bin", u32, sizeof u32);
  d = fx_open("d.bin,shape=1x4,dtype=uint32,scale=0.5,zero=2,mean=1,std=2");
  fx_fetch(d, TH_SPLIT_TEST, 0, x);
  assert_true(x[0] == -1 && x[2] == ((70000.0f - 2) * 0.5f - 1) / 2);
  th_dataset_close(d);
}

static void raw_labels_and_parts(void **state) {
  (void)state;
  int8_t values[60];
  uint8_t labels[20];
  float targets[40], t[2], x[3];
  for (int i = 0; i < 60; i++) values[i] = (int8_t)(i - 30);
  for (int i = 0; i < 20; i++) labels[i] = (uint8_t)(i % 4), targets[2 * i] = (float)i, targets[2 * i + 1] = -(float)i;
  fx_save("x.bin", values, sizeof values);
  fx_save("y.bin", labels, sizeof labels);
  fx_save("t.bin", targets, sizeof targets);
  char spec[700];
  snprintf(spec, sizeof spec, "x.bin,shape=3,dtype=int8,labels=%s", fx_path("y.bin"));
  th_dataset *d = fx_open(spec);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 20);
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count, 0);
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 7, x), 3);
  assert_true(d->classes == 4 && x[0] == -9);
  th_dataset_close(d);
  snprintf(spec, sizeof spec, "x.bin,shape=3,dtype=int8,labels=%s,test=0.25,val=0.2,scale=1", fx_path("y.bin"));
  d = fx_open(spec);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 4);
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count + d->split[TH_SPLIT_VAL].count, 16);
  th_dataset_close(d);
  snprintf(spec, sizeof spec, "x.bin,shape=3,dtype=int8,labels=%s,scale=1", fx_path("t.bin"));
  d = fx_open(spec);
  th_dataset_fetch_targets(d, TH_SPLIT_TEST, (int32_t[]){19}, 1, t);
  assert_true(d->classes == 0 && d->target_elems == 2 && t[0] == 19 && t[1] == -19);
  th_dataset_close(d);
  snprintf(spec, sizeof spec, "x.bin,shape=3,dtype=int8,labels=%s,limit=5", fx_path("y.bin"));
  d = fx_open(spec);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 5);
  th_dataset_close(d);
}

static void raw_faults(void **state) {
  (void)state;
  fx_save("x.bin", "12345", 5);
  fx_refused("x.bin", TH_ERR_USAGE, "shape=");
  fx_refused("x.bin,shape=2,dtype=int8", TH_ERR_INPUT, "5 bytes are no whole number of samples of 2 int8");
  fx_refused("x.bin,shape=5,dtype=int9", TH_ERR_USAGE, "dtype=int9");
  fx_refused("x.bin,shape=0x5,dtype=int8", TH_ERR_USAGE, "shape=0x5");
  fx_refused("x.bin,shape=5,dtype=int8,size=8", TH_ERR_USAGE, "size= has no meaning for a file of raw numbers");
  fx_refused("x.bin,shape=1,dtype=int8,labels=/no/such/file", TH_ERR_INPUT, "/no/such/file");
  fx_refused("x.bin,shape=16777216x16777216x16777216,dtype=int8", TH_ERR_USAGE, "at most 2^24");
  fx_save("empty.bin", "", 0);
  fx_refused("empty.bin,shape=1,dtype=int8", TH_ERR_INPUT, "empty");
}

/* --- npz --- */

static th_buf npy(const char *type, bool fortran, const char *shape, const void *data, size_t bytes) {
  th_buf b = {0};
  char header[128];
  int n = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }", type,
                   fortran ? "True" : "False", shape);
  th_buf_append(&b, "\x93NUMPY\1\0", 8);
  th_buf_u16(&b, (uint16_t)n);
  th_buf_append(&b, header, (size_t)n);
  th_buf_append(&b, data, bytes);
  return b;
}

typedef struct member {
  const char *name;
  th_buf b;
} member;

static void save_npz(const char *name, member *members, int n, bool deflate) {
  remove(fx_path(name));
  zip_t *z = zip_open(fx_path(name), ZIP_CREATE | ZIP_TRUNCATE, NULL);
  assert_non_null(z);
  for (int i = 0; i < n; i++) {
    zip_source_t *s = zip_source_buffer(z, members[i].b.data, members[i].b.size, 0);
    zip_int64_t at = zip_file_add(z, members[i].name, s, 0);
    assert_true(at >= 0);
    zip_set_file_compression(z, (zip_uint64_t)at, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  assert_int_equal(zip_close(z), 0);
  for (int i = 0; i < n; i++) th_buf_free(&members[i].b);
}

/* 3 samples of 2 x 2; element (s, y, x) = 100 s + 10 y + x, in both layouts and byte orders. */
static void npz_layouts(void **state) {
  (void)state;
  int16_t c[12], f[12];
  for (int s = 0; s < 3; s++)
    for (int y = 0; y < 2; y++)
      for (int x = 0; x < 2; x++) {
        c[s * 4 + y * 2 + x] = (int16_t)(100 * s + 10 * y + x);
        f[s + 3 * y + 6 * x] = (int16_t)(100 * s + 10 * y + x);
      }
  int64_t labels[] = {2, 0, 1};
  float out[4];
  for (int kind = 0; kind < 3; kind++) {
    int16_t swapped[12];
    for (int i = 0; i < 12; i++) swapped[i] = (int16_t)((uint16_t)c[i] << 8 | (uint16_t)c[i] >> 8);
    member m[] = {{"x.npy", kind == 0   ? npy("<i2", false, "3, 2, 2", c, sizeof c)
                            : kind == 1 ? npy("<i2", true, "3, 2, 2", f, sizeof f)
                                        : npy(">i2", false, "3, 2, 2", swapped, sizeof swapped)},
                  {"y.npy", npy("<i8", false, "3,", labels, sizeof labels)}};
    save_npz("a.npz", m, 2, kind == 1);
    th_dataset *d = fx_open("a.npz");
    assert_int_equal(d->classes, 3);
    for (int s = 0; s < 3; s++) {
      assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, s, out), labels[s]);
      for (int i = 0; i < 4; i++) assert_true(out[i] == (float)(100 * s + 10 * (i / 2) + i % 2));
    }
    th_dataset_close(d);
  }
}

static void npz_parts_and_answers(void **state) {
  (void)state;
  uint8_t x[40], y1[10];
  float one_hot[30] = {0}, real[10], v[4], t;
  for (int i = 0; i < 40; i++) x[i] = (uint8_t)(i * 6);
  for (int i = 0; i < 10; i++) one_hot[3 * i + i % 3] = 1, y1[i] = (uint8_t)(i % 3), real[i] = (float)i * 0.5f;
  member m[] = {{"x_train.npy", npy("|u1", false, "10, 4", x, 40)},
                {"y_train.npy", npy("<f4", false, "10, 3", one_hot, sizeof one_hot)},
                {"x_test.npy", npy("|u1", false, "5, 4", x, 20)},
                {"y_test.npy", npy("|u1", false, "5, 1", y1, 5)}};
  save_npz("b.npz", m, 4, true);
  th_dataset *d = fx_open("b.npz,val=0.3");
  assert_int_equal(d->classes, 3);
  assert_int_equal(d->split[TH_SPLIT_TEST].count, 5);
  assert_int_equal(d->split[TH_SPLIT_TRAIN].count + d->split[TH_SPLIT_VAL].count, 10);
  assert_int_equal(fx_fetch(d, TH_SPLIT_TEST, 4, v), 1);
  assert_float_equal(v[1], 17 * 6 / 255.0, 1e-6);
  th_dataset_close(d);
  d = fx_open("b.npz,labels=none");
  assert_int_equal(d->classes, 0);
  th_dataset_close(d);
  member r[] = {{"x.npy", npy("<f4", false, "10, 4", (float[40]){1, 2, 3}, 160)},
                {"y.npy", npy("<f4", false, "10", real, sizeof real)}};
  save_npz("c.npz", r, 2, false);
  d = fx_open("c.npz,test=0.2,val=0");
  int32_t which = d->split[TH_SPLIT_TEST].index[0], first = 0;
  th_dataset_fetch_targets(d, TH_SPLIT_TEST, &first, 1, &t);
  assert_true(d->target_elems == 1 && t == (float)which * 0.5f);
  th_dataset_close(d);
}

static void npz_faults(void **state) {
  (void)state;
  float nan_value[2] = {1, __builtin_nanf("")};
  member wrong_name[] = {{"z.npy", npy("|u1", false, "1", "a", 1)}};
  save_npz("a.npz", wrong_name, 1, false);
  fx_refused("a.npz", TH_ERR_INPUT, "neither x_train nor x");
  member truncated[] = {{"x.npy", npy("|u1", false, "10, 4", "abc", 3)}};
  save_npz("a.npz", truncated, 1, false);
  fx_refused("a.npz", TH_ERR_INPUT, "x: truncated");
  member huge[] = {{"x.npy", npy("|u1", false, "4611686018427387904, 16", "abc", 3)}};
  save_npz("a.npz", huge, 1, false);
  fx_refused("a.npz", TH_ERR_INPUT, "a.npz: x");
  member object[] = {{"x.npy", npy("|O", false, "3", "abc", 3)}};
  save_npz("a.npz", object, 1, false);
  fx_refused("a.npz", TH_ERR_INPUT, "element type '|O'");
  member nan_member[] = {{"x.npy", npy("<f4", false, "1, 2", nan_value, 8)}};
  save_npz("a.npz", nan_member, 1, false);
  fx_refused("a.npz", TH_ERR_INPUT, "value 1 is not a finite");
  member count[] = {{"x.npy", npy("|u1", false, "3, 1", "abc", 3)}, {"y.npy", npy("|u1", false, "2", "ab", 2)}};
  save_npz("a.npz", count, 2, false);
  fx_refused("a.npz", TH_ERR_INPUT, "y: has 2 labels, there are 3 samples");
  fx_save("b.npz", "PK\3\4 no archive at all", 22);
  fx_refused("b.npz", TH_ERR_INPUT, "b.npz: not a readable zip archive");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(raw_types),   cmocka_unit_test(raw_labels_and_parts),  cmocka_unit_test(raw_faults),
      cmocka_unit_test(npz_layouts), cmocka_unit_test(npz_parts_and_answers), cmocka_unit_test(npz_faults)};
  return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
