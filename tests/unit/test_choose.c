/* The choice of what runs a layer: costs of the nearest target, the cheapest candidate for each goal, names of forms.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/form.h"
#include "lib/choose.h"
#include "lib/cost.h"
#include "lib/predict.h"

static const char network[] =
    "graph net\ninput %x s8 1x6x6x8 q(0.05,-3)\n"
    "const %w s8 4x1x1x8 q(0.01,0) = {1 -2 3 -4 5 -6 7 -8 9 10 11 12 13 14 15 16 -1 -2 -3 -4 -5 -6 -7 -8 90 80 70 60 "
    "50 40 30 "
    "20}\n"
    "node pw = conv2d(%x %w -) -> %y s8 1x6x6x4 q(0.1,-10)\n"
    "node soft = softmax(%y) -> %z s8 1x6x6x4 q(0.00390625,-128)\noutput %z\n";

typedef struct fixture {
  th_graph *g;
  th_deployed d;
} fixture;

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

static fixture deploy(const char *target, th_goal goal, const char *forms) {
  fixture f = {0};
  static const th_encode_options raw = {.coders = 1u << THR_CODER_RAW};
  must(th_graph_parse(network, sizeof network - 1, "net", NULL, NULL, &f.g));
  must(th_deploy(f.g, &raw, &f.d));
  must(th_choose(&f.d, th_target_find(target), goal, forms));
  return f;
}

static void drop(fixture *f) {
  th_deployed_free(&f->d);
  th_graph_destroy(f->g);
}

static void cheapest_runner_for_speed(void **state) {
  static const char *const targets[] = {"cortex-m0plus", "cortex-m4", "cortex-m55", "rv32imc"};
  for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
    fixture f = deploy(targets[t], TH_FOR_SPEED, "all");
    const th_target *target = th_target_find(targets[t]);
    const th_program_step *s = f.d.program->steps;
    const th_work w = th_work_of(f.d.program, &s[0]);
    const double chosen = th_cost_of_step(target, TH_FOR_SPEED, f.d.program, 0);
    const th_form *form;
    assert_true(w.outputs == 144 && w.macs == 144 * 8);
    assert_true(chosen > 0 && chosen <= th_cost_with(target, TH_FOR_SPEED, f.d.program, 0, THR_FORM_NONE, 0));
    for (int i = 0; (form = th_form_nth(i)); i++) {
      thr_need need;
      bool possible;
      if (form->kernel != s[0].step.kernel || !th_target_runs(target, form->folder)) continue;
      must(th_step_need(f.d.program, &s[0], form, &need, &possible));
      assert_true(!possible ||
                  chosen <= th_cost_with(target, TH_FOR_SPEED, f.d.program, 0, form->id, (uint32_t)need.packed_bytes));
    }
    assert_int_equal(s[1].form, THR_FORM_NONE); /* no form for a softmax */
    drop(&f);
  }
}

static int64_t flash_of(const fixture *f) {
  th_prediction p;
  must(th_predict_deployed(&f->d, th_target_find("cortex-m4"), f->d.program->arena, &p));
  return p.flash_bytes;
}

/* Weights of the form are twice as wide, but its code is so much smaller than the kernel's that 32 of them pay. */
static void fewest_bytes_for_size_code_included(void **state) {
  fixture form = deploy("cortex-m4", TH_FOR_SIZE, "conv2d_1x1_s8_dsp"),
          kernel = deploy("cortex-m4", TH_FOR_SIZE, "none");
  assert_int_equal(form.d.program->goal, TH_FOR_SIZE);
  assert_int_equal(form.d.program->steps[0].form, THR_FORM_CONV2D_1X1_S8_DSP);
  assert_int_equal(kernel.d.program->steps[0].form, THR_FORM_NONE);
  assert_true(form.d.bytes[0].weights > kernel.d.bytes[0].weights);
  assert_true(flash_of(&form) < flash_of(&kernel));
  drop(&form);
  drop(&kernel);
}

static void only_forms_of_the_target_and_the_list(void **state) {
  static const struct {
    const char *target, *forms;
    thr_form_id want;
  } cases[] = {{"cortex-m0plus", "all", THR_FORM_CONV2D_FIELDS_S8_SMALL},
               {"cortex-m4", "none", THR_FORM_NONE},
               {"cortex-m4", "conv2d_windows_s8_dsp", THR_FORM_NONE}, /* so small a layer is not worth its columns */
               {"rv32imc", ",fully_connected_fields_s8_small,conv2d_fields_s8_small", THR_FORM_CONV2D_FIELDS_S8_SMALL},
               {"rv32imc", "fully_connected_fields_s8_small", THR_FORM_NONE}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fixture f = deploy(cases[i].target, TH_FOR_SPEED, cases[i].forms);
    assert_int_equal(f.d.program->steps[0].form, cases[i].want);
    drop(&f);
  }
}

static void nearest_target_lends_its_costs(void **state) {
  const th_target *m4 = th_target_find("cortex-m4"), *m7 = th_target_find("cortex-m7");
  assert_ptr_equal(th_cost_target(m4), m4);
  assert_ptr_equal(th_cost_target(m7), m4);
  assert_null(th_cost_target(th_target_find("host")));
}

static void borrowed_costs_are_told(void **state) {
  static const struct {
    const char *target, *text, *costs_of;
    th_goal goal;
  } cases[] = {{"cortex-m4", "", "cortex-m4", TH_FOR_SPEED},
               {"cortex-m7", "note: chosen by the costs of cortex-m4, as nobody has measured those of cortex-m7\n",
                "cortex-m4", TH_FOR_SPEED},
               {"cortex-m7", "", NULL, TH_FOR_SIZE},
               {"host", "", NULL, TH_FOR_SPEED}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fixture f = deploy(cases[i].target, cases[i].goal, "all");
    th_json *json = th_json_object();
    th_buf text = {0};
    th_cost_note(f.d.program, th_target_find(cases[i].target), json, &text);
    assert_string_equal(th_buf_cstr(&text), cases[i].text);
    const char *costs_of = th_json_string(th_json_get(json, "costs_of"), NULL);
    assert_true(!costs_of == !cases[i].costs_of);
    if (costs_of) assert_string_equal(costs_of, cases[i].costs_of);
    th_json_free(json);
    th_buf_free(&text);
    drop(&f);
  }
}

static void unknown_form_is_named(void **state) {
  fixture f = deploy("cortex-m4", TH_FOR_SIZE, "none");
  assert_int_equal(th_choose(&f.d, th_target_find("cortex-m4"), TH_FOR_SPEED, "conv2d_1x1_s8_dsp,conv9"), TH_ERR_USAGE);
  assert_non_null(strstr(th_error_message(), "'conv9' is no form"));
  th_error_clear();
  drop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cheapest_runner_for_speed),
      cmocka_unit_test(fewest_bytes_for_size_code_included),
      cmocka_unit_test(only_forms_of_the_target_and_the_list),
      cmocka_unit_test(nearest_target_lends_its_costs),
      cmocka_unit_test(borrowed_costs_are_told),
      cmocka_unit_test(unknown_form_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
