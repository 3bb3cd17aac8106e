/* gzip, JSON and YAML wrappers: round trips, and every kind of bad input refused with its place.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "format/gzip.h"
#include "format/json.h"
#include "format/yaml.h"

static size_t deflate_to(uint8_t *out, size_t capacity, const uint8_t *data, size_t size) {
  z_stream z = {
      .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)capacity};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  size_t n = capacity - z.avail_out;
  deflateEnd(&z);
  return n;
}

static void gzip_members_and_faults(void **state) {
  (void)state;
  static uint8_t plain[50000], packed[120000], *out;
  for (size_t i = 0; i < sizeof plain; ++i) plain[i] = (uint8_t)(i * i >> 7);
  size_t n = deflate_to(packed, sizeof packed, plain, sizeof plain), size;
  th_arena *arena = th_arena_create();
  assert_int_equal(th_gzip_inflate(arena, packed, n, 1 << 20, "a.gz", &out, &size), TH_OK);
  assert_int_equal(size, sizeof plain);
  assert_memory_equal(out, plain, size);
  size_t two = n + deflate_to(packed + n, sizeof packed - n, plain, 100); /* two members, a small one last */
  assert_int_equal(th_gzip_inflate(arena, packed, two, 1 << 20, "a.gz", &out, &size), TH_OK);
  assert_int_equal(size, sizeof plain + 100);
  assert_memory_equal(out + sizeof plain, plain, 100);

  assert_int_equal(th_gzip_inflate(arena, packed, n, 49999, "a.gz", &out, &size), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "limit of 49999"));
  th_error_clear();
  for (size_t cut = 18; cut < n; cut += n / 7) {
    assert_int_equal(th_gzip_inflate(arena, packed, cut, 1 << 20, "a.gz", &out, &size), TH_ERR_INPUT);
    assert_non_null(strstr(th_error_message(), "a.gz"));
    th_error_clear();
  }
  packed[n / 2] ^= 0x55;
  assert_int_equal(th_gzip_inflate(arena, packed, n, 1 << 20, "a.gz", &out, &size), TH_ERR_INPUT);
  th_error_clear();
  th_arena_destroy(arena);
}

static void json_prints_and_parses(void **state) {
  (void)state;
  th_json *root = th_json_object();
  th_json_add_int(root, "big", 9007199254740993); /* 2^53 + 1, which a double cannot hold */
  th_json_add_number(root, "ratio", 0.25);
  th_json_add_number(root, "nan", 0.0 / 0.0);
  th_json *list = th_json_add_array(root, "list");
  th_json_add_string(list, NULL, "a\"b");
  th_json_add_bool(th_json_add_object(list, NULL), "ok", true);
  th_buf text = {0};
  assert_int_equal(th_json_print(root, false, &text), TH_OK);
  assert_true(th_json_number(th_json_get(root, "big"), -1) == 9007199254740992.0);
  assert_string_equal(th_buf_cstr(&text),
                      "{\"big\":9007199254740993,\"ratio\":0.25,\"nan\":null,\"list\":[\"a\\\"b\",{\"ok\":true}]}\n");
  th_json_free(root);
  assert_int_equal(th_json_parse((char *)text.data, text.size, "r.json", &root), TH_OK);
  assert_string_equal(th_json_string(th_json_at(th_json_get(root, "list"), 0), ""), "a\"b");
  assert_true(th_json_number(th_json_get(root, "ratio"), 0) == 0.25);
  th_json_free(root);
  th_buf_free(&text);
  assert_int_equal(th_json_parse("{\n\"a\": }", 8, "r.json", &root), TH_ERR_INPUT);
  assert_string_equal(th_error_message(), "r.json:2: not valid JSON");
  th_error_clear();
}

static void yaml_tree(void **state) {
  (void)state;
  const char *text = "seed: 7\nstages:\n  - prune: {sparsity: 0.9}\n  - quantize\nname: \"12\"\n";
  th_arena *arena = th_arena_create();
  th_yaml *root;
  assert_int_equal(th_yaml_parse(arena, text, strlen(text), "r.yaml", &root), TH_OK);
  long long seed;
  double sparsity;
  assert_int_equal(th_yaml_int(th_yaml_get(root, "seed"), 0, 100, &seed), TH_OK);
  assert_int_equal(seed, 7);
  const th_yaml *stages = th_yaml_get(root, "stages");
  assert_int_equal(stages->count, 2);
  const th_yaml *value = th_yaml_get(th_yaml_get(stages->child, "prune"), "sparsity");
  assert_int_equal(value->line, 3);
  assert_int_equal(th_yaml_double(value, 0, 1, &sparsity), TH_OK);
  assert_true(sparsity == 0.9);
  assert_string_equal(stages->child->next->text, "quantize");
  assert_int_equal(th_yaml_int(th_yaml_get(root, "name"), 0, 100, &seed), TH_ERR_INPUT); /* quoted: text */
  assert_string_equal(th_error_message(), "r.yaml:5: name is '12', expected a whole number");
  th_error_clear();
  static const char *const keys[] = {"seed", "stage", "name"};
  assert_int_equal(th_yaml_check_keys(root, keys, 3), TH_ERR_INPUT);
  assert_string_equal(th_error_message(), "r.yaml:2: unknown key 'stages': did you mean 'stage'?");
  th_error_clear();
  th_arena_destroy(arena);
}

static void yaml_faults(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"a: 1\nb: [1, 2", "r.yaml:"},
      {"a: 1\nb: 2\na: 3\n", "r.yaml:3: key 'a' appears twice, first in line 1"},
      {"a: &x 1\nb: *x\n", "r.yaml:2: aliases"},
      {"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "nested more than 16 levels"},
      {"? [a]\n: b\n", "a key must be a single word"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    th_arena *arena = th_arena_create();
    th_yaml *root;
    assert_int_equal(th_yaml_parse(arena, cases[i].text, strlen(cases[i].text), "r.yaml", &root), TH_ERR_INPUT);
    if (!strstr(th_error_message(), cases[i].message)) fail_msg("case %zu: %s", i, th_error_message());
    th_error_clear();
    th_arena_destroy(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gzip_members_and_faults),
      cmocka_unit_test(json_prints_and_parses),
      cmocka_unit_test(yaml_tree),
      cmocka_unit_test(yaml_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
