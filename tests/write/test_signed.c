/* Signed programs: Ed25519 by nettle, checked against RFC 8032 first; what is genuine runs, and every damage, cut,
 * foreign key, other scheme and older revision is refused before the program is looked at. The file ends against memory
 * that must not be touched. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <nettle/eddsa.h>

#include "fuzz/guard.h"
#include "write/thim_model.h"

enum { KEY = ED25519_KEY_SIZE, SIGNATURE = ED25519_SIGNATURE_SIZE, TRAILER = 12 };

static fixture f;
static uint8_t secret[KEY], public_key[KEY];

static int verify(void *user, const uint8_t *message, size_t message_bytes, const uint8_t *signature,
                  size_t signature_bytes) {
  return signature_bytes == SIGNATURE && ed25519_sha512_verify(user, message_bytes, message, signature);
}

static thr_signer signer(uint32_t revision) {
  return (thr_signer){verify, public_key, revision, THR_SCHEME_ED25519};
}

/* The signed file, in memory that ends where it ends. */
static guarded signed_file(uint32_t revision, uint8_t scheme, size_t *bytes) {
  const size_t message = f.blob.size + TRAILER;
  const uint8_t trailer[TRAILER] = {'T', 'H', 'S',    'G', (uint8_t)revision, (uint8_t)(revision >> 8),
                                    0,   0,   scheme, 0,   SIGNATURE,         0};
  th_buf all = {0};
  uint8_t signature[SIGNATURE];
  th_buf_append(&all, f.blob.data, f.blob.size);
  th_buf_append(&all, trailer, TRAILER);
  ed25519_sha512_sign(public_key, secret, message, all.data, signature);
  th_buf_append(&all, signature, SIGNATURE);
  assert_int_equal(th_buf_status(&all), TH_OK);
  guarded g = guard_end(all.size, 4);
  memcpy(g.data, all.data, all.size);
  *bytes = all.size;
  th_buf_free(&all);
  return g;
}

/* RFC 8032, section 7.1, test 2. */
static void nettle_follows_the_rfc(void **state) {
  static const uint8_t key[KEY] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
                                   0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
                                   0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
  static const uint8_t want[4] = {0x3d, 0x40, 0x17, 0xc3}, begin[4] = {0x92, 0xa0, 0x09, 0xa9};
  uint8_t pub[KEY], signature[SIGNATURE];
  ed25519_sha512_public_key(pub, key);
  assert_memory_equal(pub, want, 4);
  ed25519_sha512_sign(pub, key, 1, (const uint8_t *)"\x72", signature);
  assert_memory_equal(signature, begin, 4);
  assert_true(verify(pub, (const uint8_t *)"\x72", 1, signature, SIGNATURE));
  assert_false(verify(pub, (const uint8_t *)"\x73", 1, signature, SIGNATURE));
}

static void genuine_files_open_and_run(void **state) {
  size_t bytes;
  guarded g = signed_file(7, THR_SCHEME_ED25519, &bytes);
  const thr_signer s = signer(7);
  thr_model m;
  int8_t in[2][360];
  memset(in, 5, sizeof in);
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_OK);
  assert_int_equal(thr_signed_revision(&m), 7);
  assert_int_equal(m.blob_bytes, f.blob.size);
  uint32_t *arena = th_arena_alloc(f.arena, thr_arena_bytes(&m) + 4);
  thr_reset(&m, arena);
  for (uint16_t i = 0; i < m.inputs; i++) memcpy(thr_input(&m, arena, i), in[i], thr_input_info(&m, i).bytes);
  thr_run(&m, arena);
  void **value = run_plain(f.raw, f.arena, (const void *[]){in[0], in[1]});
  for (uint16_t i = 0; i < m.outputs; i++)
    assert_memory_equal(thr_output(&m, arena, i), value[f.raw->outputs[i]], thr_output_info(&m, i).bytes);
  assert_int_equal(thr_open(&m, g.data, bytes), THR_ERR_LENGTH); /* a signed file is no plain one */
  guard_free(&g);
}

static void every_damaged_byte_is_noticed(void **state) {
  size_t bytes;
  guarded g = signed_file(1, THR_SCHEME_ED25519, &bytes);
  const thr_signer s = signer(1);
  thr_model m;
  for (size_t at = 0; at < bytes; at += at < 64 || at + 200 > bytes ? 1 : 211) {
    g.data[at] ^= 0x20;
    assert_int_not_equal(thr_open_signed(&m, g.data, bytes, &s), THR_OK);
    assert_null(m.blob);
    g.data[at] ^= 0x20;
  }
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_OK);
  guard_free(&g);
}

/* Accepts everything: what is left is the opener's own care. */
static int accept(void *user, const uint8_t *message, size_t message_bytes, const uint8_t *signature,
                  size_t signature_bytes) {
  volatile uint8_t sum = 0; /* every byte that it is given must be there */
  for (size_t i = 0; i < message_bytes; i++) sum = (uint8_t)(sum + message[i]);
  for (size_t i = 0; i < signature_bytes; i++) sum = (uint8_t)(sum + signature[i]);
  return 1;
}

static void every_cut_is_refused(void **state) {
  size_t whole;
  guarded all = signed_file(1, THR_SCHEME_ED25519, &whole);
  const thr_signer careful = signer(1), careless = {accept, NULL, 1, THR_SCHEME_ED25519};
  thr_model m;
  for (size_t bytes = 0; bytes < whole; bytes += bytes < 100 || bytes + 200 > whole ? 1 : 173) {
    guarded g = guard_end(bytes, 4);
    memcpy(g.data, all.data, bytes);
    assert_int_not_equal(thr_open_signed(&m, g.data, bytes, &careful), THR_OK);
    assert_int_not_equal(thr_open_signed(&m, g.data, bytes, &careless), THR_OK);
    guard_free(&g);
  }
  guard_free(&all);
}

/* Lengths that lie must not lead outside, whatever the hook says. */
static void lying_lengths_stay_inside(void **state) {
  static const uint32_t lengths[] = {0, 1, 15, 16, 0x7fffffffu, 0x80000000u, 0xfffffff4u, 0xfffffff5u, 0xffffffffu};
  size_t bytes;
  guarded g = signed_file(1, THR_SCHEME_ED25519, &bytes);
  const thr_signer careless = {accept, NULL, 0, THR_SCHEME_ED25519};
  thr_model m;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    memcpy(g.data + 8, &lengths[i], 4);
    assert_int_not_equal(thr_open_signed(&m, g.data, bytes, &careless), THR_OK);
  }
  for (uint32_t length = 0; length <= bytes; length++) {
    memcpy(g.data + 8, &length, 4);
    const thr_status status = thr_open_signed(&m, g.data, bytes, &careless);
    assert_int_equal(status == THR_OK, length == f.blob.size);
  }
  guard_free(&g);
}

static void others_and_older_are_refused(void **state) {
  size_t bytes;
  guarded g = signed_file(300, THR_SCHEME_ED25519, &bytes);
  thr_signer s = signer(301);
  thr_model m;
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_ERR_REVISION);
  s = signer(300);
  s.scheme = 200;
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_ERR_SIGNATURE);
  uint8_t other[KEY] = {1}, stranger[KEY];
  ed25519_sha512_public_key(stranger, other);
  s = signer(300);
  s.user = stranger;
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_ERR_SIGNATURE);
  s = signer(300);
  assert_int_equal(thr_open_signed(&m, g.data, f.blob.size, &s), THR_ERR_SIGNATURE); /* a plain file */
  assert_int_equal(thr_open_signed(&m, "GIF89a, not a model", 19, &s), THR_ERR_MAGIC);
  guard_free(&g);
  g = signed_file(300, 9, &bytes); /* well signed, but says another scheme */
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_ERR_SIGNATURE);
  guard_free(&g);
}

/* A good signature does not make a bad program good. */
static void signed_nonsense_is_still_refused(void **state) {
  size_t bytes;
  const thr_signer s = signer(1);
  thr_model m;
  f.blob.data[40] ^= 0x7f;
  guarded g = signed_file(1, THR_SCHEME_ED25519, &bytes);
  f.blob.data[40] ^= 0x7f;
  assert_int_equal(thr_open_signed(&m, g.data, bytes, &s), THR_ERR_CHECKSUM);
  guard_free(&g);
}

static int open_model(void **state) {
  for (int i = 0; i < KEY; i++) secret[i] = (uint8_t)(i * 7 + 3);
  ed25519_sha512_public_key(public_key, secret);
  return fixture_open(&f) == TH_OK ? 0 : -1;
}

static int close_model(void **state) {
  fixture_close(&f);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nettle_follows_the_rfc),           cmocka_unit_test(genuine_files_open_and_run),
      cmocka_unit_test(every_damaged_byte_is_noticed),    cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(lying_lengths_stay_inside),        cmocka_unit_test(others_and_older_are_refused),
      cmocka_unit_test(signed_nonsense_is_still_refused),
  };
  return cmocka_run_group_tests(tests, open_model, close_model);
}
