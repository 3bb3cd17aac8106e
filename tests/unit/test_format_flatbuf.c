/* FlatBuffers: what the builder writes the reader finds; alignment and sharing; hand-made hostile files.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "format/flatbuf.h"

/* A file by hand, from the format's description: root table at 20; its layout at 8 has 10 bytes and says: 9 bytes of
 * table, field 0 at 4, field 1 absent, field 2 at 8. */
static void reads_by_hand(void **state) {
  (void)state;
  static const uint8_t whole[] = {20, 0, 0, 0, 'T', 'E', 'S', 'T', 10, 0,  9, 0, 4, 0, 0,
                                  0,  8, 0, 0, 0,   12,  0,   0,   0,  42, 0, 0, 0, 7};
  th_fb fb = th_fb_init(whole, sizeof whole, "hand");
  th_fb_table t = th_fb_root(&fb, "TEST");
  assert_int_equal(th_fb_s32(t, 0, -1), 42);
  assert_int_equal(th_fb_s32(t, 1, -1), -1);
  assert_int_equal(th_fb_u8(t, 2, 0), 7);
  assert_int_equal(th_fb_s32(t, 9, 5), 5);
  assert_false(th_fb_has(t, 1));
  assert_int_equal(th_fb_status(&fb), TH_OK);
}

typedef struct built {
  th_fb_builder b;
  size_t first, second;
} built;

static built build(void) {
  built f;
  th_fb_begin(&f.b, "TEST");
  th_fb_field root[] = {th_fb_ref(0), th_fb_ref(1), th_fb_field_s32(2, -5)};
  size_t table = th_fb_table_write(&f.b, root, 3);
  size_t refs = th_fb_refs(&f.b, 2);
  th_fb_link(&f.b, th_fb_slot(&f.b, table, 0), refs);
  th_fb_hold_string(&f.b, th_fb_slot(&f.b, table, 1), "hello");
  th_fb_field child[] = {th_fb_field_u8(0, 200), {1, 8, 0x1122334455667788u}, th_fb_ref(3), th_fb_field_f32(4, 1.5f)};
  static const float numbers[] = {1, 2, 3};
  for (int i = 0; i < 2; ++i) {
    size_t c = th_fb_table_write(&f.b, child, 4);
    th_fb_link(&f.b, refs + 4 + 4 * (size_t)i, c);
    th_fb_hold(&f.b, th_fb_slot(&f.b, c, 3), numbers, 3, 4, 16);
    *(i ? &f.second : &f.first) = c;
  }
  assert_int_equal(th_fb_end(&f.b, table), TH_OK);
  return f;
}

static void round_trip(void **state) {
  (void)state;
  built f = build();
  th_fb fb = th_fb_init(f.b.buf.data, f.b.buf.size, "built");
  th_fb_table root = th_fb_root(&fb, "TEST");
  assert_int_equal(th_fb_s32(root, 2, 0), -5);
  assert_string_equal(th_fb_string(root, 1), "hello");
  th_fb_vec v = th_fb_vector(root, 0, 4);
  assert_int_equal(v.count, 2);
  const uint8_t *shared = NULL;
  for (uint32_t i = 0; i < 2; ++i) {
    th_fb_table c = th_fb_vec_table(v, i);
    assert_int_equal(th_fb_u8(c, 0, 0), 200);
    assert_true(th_fb_u64(c, 1, 0) == 0x1122334455667788u);
    assert_true(th_fb_f32(c, 4, 0) == 1.5f);
    assert_int_equal((c.pos + 4) % 8, 0); /* the 8-byte field stands first, on a multiple of 8 */
    th_fb_vec numbers = th_fb_vector(c, 3, 4);
    assert_int_equal(numbers.pos % 16, 0);
    assert_true(numbers.count == 3 && th_fb_vec_f32(numbers, 2) == 3);
    if (shared) assert_ptr_equal(shared, th_fb_vec_data(numbers)); /* equal vectors are stored once */
    shared = th_fb_vec_data(numbers);
  }
  assert_int_equal(th_fb_vec_table(v, 2).pos, 0);
  assert_int_equal(th_fb_status(&fb), TH_OK);
  th_fb_builder_free(&f.b);
}

/* Walks everything that `build` wrote, whatever it has become. */
static void walk(const uint8_t *data, size_t size) {
  th_fb fb = th_fb_init(data, size, "hostile");
  th_fb_table root = th_fb_root(&fb, "TEST");
  size_t sum = strlen(th_fb_string(root, 1)) + (size_t)th_fb_s32(root, 2, 0);
  th_fb_vec v = th_fb_vector(root, 0, 4);
  for (uint32_t i = 0; i < v.count && i < 100; ++i) {
    th_fb_table c = th_fb_vec_table(v, i);
    th_fb_vec numbers = th_fb_vector(c, 3, 4);
    const uint8_t *p = th_fb_vec_data(numbers);
    for (size_t k = 0; p && k < 4 * (size_t)numbers.count; ++k) sum += p[k];
    sum += th_fb_u8(c, 0, 0) + th_fb_u64(c, 1, 0);
  }
  assert_true(sum != 0x5eed); /* the sum makes the reads happen */
  if (th_fb_status(&fb) != TH_OK) assert_non_null(strstr(th_error_message(), "hostile: byte "));
  th_error_clear();
}

static void hostile(void **state) {
  (void)state;
  built f = build();
  size_t size = f.b.buf.size;
  for (size_t cut = 0; cut < size; ++cut) {
    uint8_t *copy = test_malloc(cut + 1);
    memcpy(copy, f.b.buf.data, cut);
    walk(copy, cut);
    test_free(copy);
  }
  static const uint8_t values[] = {0, 1, 4, 0x7f, 0x80, 0xff};
  for (size_t at = 0; at < size; ++at)
    for (size_t k = 0; k < sizeof values; ++k) {
      uint8_t *copy = test_malloc(size);
      memcpy(copy, f.b.buf.data, size);
      copy[at] = values[k];
      walk(copy, size);
      test_free(copy);
    }
  th_fb_builder_free(&f.b);
}

static void wrong_identifier(void **state) {
  (void)state;
  built f = build();
  th_fb fb = th_fb_init(f.b.buf.data, f.b.buf.size, "built");
  assert_int_equal(th_fb_root(&fb, "OTHE").pos, 0);
  assert_int_equal(th_fb_status(&fb), TH_ERR_INPUT);
  assert_string_equal(th_error_message(), "built: byte 4: the identifier of this file type is missing");
  th_error_clear();
  th_fb_builder_free(&f.b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_by_hand),
      cmocka_unit_test(round_trip),
      cmocka_unit_test(hostile),
      cmocka_unit_test(wrong_identifier),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
