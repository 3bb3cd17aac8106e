/* lib: settings by name, recipes read and printed; report: tables and results.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "lib/model.h"
#include "lib/recipe.h"
#include "read/arch.h"
#include "report/result.h"
#include "report/table.h"

static void expect_error(th_status status, const char *part) {
  assert_int_equal(status, TH_ERR_INPUT);
  if (!strstr(th_error_message(), part)) fail_msg("\"%s\" does not say \"%s\"", th_error_message(), part);
  th_error_clear();
}

static void settings_check_names_types_and_ranges(void **state) {
  th_settings *s;
  expect_error(th_settings_create("prnue", &s), "did you mean \"prune\"");
  assert_int_equal(th_settings_create("prune", &s), TH_OK);
  expect_error(th_settings_set(s, "sparsty", "0.5"), "did you mean \"sparsity\"");
  expect_error(th_settings_set(s, "clusters", "16"), "prune has no parameter \"clusters\"");
  expect_error(th_settings_set(s, "sparsity", "1.5"), "outside");
  expect_error(th_settings_set(s, "sparsity", "half"), "a number expected");
  expect_error(th_settings_set(s, "epochs", "1.5"), "an integer expected");
  expect_error(th_settings_set(s, "scope", "all"), "one of layer|global|deviation expected");
  expect_error(th_settings_set(s, "regrow", "maybe"), "true or false");
  assert_true(th_settings_is_default(s, "sparsity"));
  assert_int_equal(th_settings_set(s, "sparsity", "0.95"), TH_OK);
  assert_false(th_settings_is_default(s, "sparsity"));
  assert_true(th_settings_number(s, "sparsity") == 0.95);
  assert_int_equal(th_settings_set(s, "granularity", "channel"), TH_OK);
  assert_int_equal(th_settings_choice(s, "granularity"), 3);
  th_settings_free(s);
}

static void every_default_is_valid(void **state) {
  for (int i = 0; th_stage_name(i); i++) {
    th_settings *s;
    th_param p;
    int n = 0;
    assert_int_equal(th_settings_create(th_stage_name(i), &s), TH_OK);
    for (; th_stage_param(th_stage_name(i), n, &p); n++) {
      if (th_settings_set(s, p.name, p.def) != TH_OK) fail_msg("%s: %s", th_stage_name(i), th_error_message());
      assert_true(th_settings_is_default(s, p.name));
      assert_true(strlen(p.help) > 5);
    }
    assert_true(n > 2);
    th_settings_free(s);
  }
}

static th_status read_text(const char *text, th_recipe *r) {
  char path[] = "/tmp/thimble-recipe-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
  th_status status = th_recipe_read(path, r);
  unlink(path);
  return status;
}

static const char good[] =
    "seed: 7\n"
    "stages:\n"
    "  - prune:\n"
    "      sparsity: 0.93\n"
    "      teacher: self\n"
    "  - cluster:\n"
    "      clusters: 8\n"
    "      init: kmeans++\n"
    "      augment: \"shift2,flip\"\n"
    "  - quantize:\n"
    "  - compile:\n"
    "      name: net\n";

static void recipes_read_back_what_they_print(void **state) {
  th_recipe r, again;
  assert_int_equal(read_text(good, &r), TH_OK);
  assert_int_equal(r.n, 4);
  assert_int_equal(r.seed, 7);
  assert_string_equal(th_settings_text(r.stage[1], "init"), "kmeans++");
  th_buf a = {0}, b = {0};
  th_recipe_print(&r, false, &a);
  assert_int_equal(read_text(th_buf_cstr(&a), &again), TH_OK);
  th_recipe_print(&again, false, &b);
  assert_string_equal(th_buf_cstr(&a), th_buf_cstr(&b));
  assert_string_equal(th_settings_text(again.stage[1], "augment"), "shift2,flip");
  th_buf_free(&a);
  th_buf_free(&b);
  th_recipe_free(&r);
  th_recipe_free(&again);
}

static void expect_seeds(const th_recipe *r, const char *const *seeds) {
  for (int i = 0; i < r->n; i++) assert_string_equal(th_settings_text(r->stage[i], "seed"), seeds[i]);
}

/* The recipe's seed is said once, and a stage that says the same has none of its own. */
static void seeds_are_of_the_recipe_or_of_a_stage(void **state) {
  static const char text[] =
      "seed: 7\nstages:\n  - prune:\n  - prune:\n      seed: 1\n  - cluster:\n      seed: 7\n  - quantize:\n      "
      "seed: 3\n";
  static const char printed[] =
      "seed: 7\nstages:\n  - prune:\n  - prune:\n      seed: 1\n  - cluster:\n  - quantize:\n      seed: 3\n";
  static const char *const as_read[] = {"7", "1", "7", "3"}, *const as_told[] = {"9", "1", "9", "3"};
  th_recipe r;
  th_buf b = {0};
  assert_int_equal(read_text(text, &r), TH_OK);
  th_recipe_print(&r, false, &b);
  assert_string_equal(th_buf_cstr(&b), printed);
  assert_int_equal(th_recipe_seed(&r, 7), TH_OK);
  expect_seeds(&r, as_read);
  th_buf_free(&b);
  th_recipe_print(&r, false, &b);
  assert_string_equal(th_buf_cstr(&b), printed);
  assert_int_equal(th_recipe_seed(&r, 9), TH_OK);
  expect_seeds(&r, as_told);
  assert_int_equal(r.seed, 9);
  th_buf_free(&b);
  th_recipe_free(&r);
}

static void bad_recipes_name_their_line(void **state) {
  th_recipe r;
  expect_error(read_text("stages:\n  - prune: {sparsty: 0.9}\n", &r), ":2: prune has no parameter \"sparsty\"");
  expect_error(read_text("stages:\n  - prune:\n      sparsity: 0.9\n      colour: red\n", &r), ":4: prune has no");
  expect_error(read_text("stages:\n  - squash\n", &r), ":2: unknown stage \"squash\"");
  expect_error(read_text("stagse:\n  - prune\n", &r), "stages");
  expect_error(read_text("seed: 3\n", &r), "no \"stages\"");
  expect_error(read_text("stages: prune\n", &r), "list");
  expect_error(read_text("stages: [prune\n", &r), "");
  expect_error(th_recipe_read("/nonexistent/recipe.yaml", &r), "/nonexistent/recipe.yaml");
}

/* Stages that cannot follow each other are refused before any work. */
static void order_is_checked(void **state) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"stages: []\n", "empty"},
      {"stages: [quantize, prune]\n", "stage 2 (prune): needs a float model"},
      {"stages: [compile, quantize]\n", "stage 1 (compile): needs an integer model"},
      {"stages: [quantize, compile, compile]\n", "stage 2 (compile): must be the last"},
      {"stages:\n  - prune: {teacher: \"self,before,/nonexistent.thim\"}\n",
       "teacher /nonexistent.thim does not exist"},
  };
  static const char net[] = "input 4\nfully_connected 2 name=fc\nsoftmax\n";
  th_graph *g;
  th_model *m;
  assert_int_equal(th_read_arch_bytes((const uint8_t *)net, sizeof net - 1, "net", &g), TH_OK);
  assert_int_equal(th_model_from_graph(g, "thim", &m), TH_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    th_recipe r;
    assert_int_equal(read_text(cases[i].text, &r), TH_OK);
    expect_error(th_recipe_check(&r, m), cases[i].message);
    th_recipe_free(&r);
  }
  th_recipe r;
  assert_int_equal(read_text("stages: [prune, cluster, quantize, compile]\n", &r), TH_OK);
  assert_int_equal(th_recipe_check(&r, m), TH_OK);
  m->untrained = true;
  expect_error(th_recipe_check(&r, m), "stage 1 (prune): needs a trained model");
  th_recipe_free(&r);
  assert_int_equal(read_text("stages:\n  - train: {teacher: before}\n", &r), TH_OK);
  expect_error(th_recipe_check(&r, m), "stage 1 (train): its own teacher is not trained yet");
  th_recipe_free(&r);
  assert_int_equal(th_recipe_default(m, &r), TH_OK); /* trains first */
  assert_int_equal(th_recipe_check(&r, m), TH_OK);
  assert_int_equal(th_settings_stage(r.stage[0]), TH_STAGE_TRAIN);
  th_recipe_free(&r);
  th_model_close(m);
}

static void tables_align(void **state) {
  th_arena *a = th_arena_create();
  th_buf b = {0};
  char n[32];
  th_table *t = th_table_create(a, "<name|bytes");
  th_table_cell(t, "%s", "x");
  th_table_cell(t, "%s", th_thousands(n, 1234567));
  th_table_cell(t, "%s", "longer");
  th_table_print(t, &b);
  assert_string_equal(th_buf_cstr(&b), "name        bytes\nx       1,234,567\nlonger           \n");
  assert_string_equal(th_thousands(n, -1000), "-1,000");
  assert_string_equal(th_thousands(n, 999), "999");
  th_buf_free(&b);
  th_arena_destroy(a);
}

static void results_answer_by_path(void **state) {
  th_result *r;
  assert_int_equal(th_result_create(&r), TH_OK);
  th_json *list = th_json_add_array(r->json, "stages");
  th_json_add_number(th_json_add_object(list, NULL), "bytes", 10);
  th_json_add_number(th_json_add_object(list, NULL), "bytes", 20);
  assert_int_equal(th_result_finish(r), TH_OK);
  assert_true(th_result_number(r, "stages.1.bytes", -1) == 20);
  assert_true(th_result_number(r, "stages.2.bytes", -1) == -1);
  assert_true(th_result_number(r, "nothing", -1) == -1);
  assert_non_null(strstr(th_result_json(r), "\"stages\""));
  th_result_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(settings_check_names_types_and_ranges),
      cmocka_unit_test(every_default_is_valid),
      cmocka_unit_test(recipes_read_back_what_they_print),
      cmocka_unit_test(seeds_are_of_the_recipe_or_of_a_stage),
      cmocka_unit_test(bad_recipes_name_their_line),
      cmocka_unit_test(order_is_checked),
      cmocka_unit_test(tables_align),
      cmocka_unit_test(results_answer_by_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
