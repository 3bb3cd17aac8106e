/* Predictions against what is built and run: flash of the linked file within 1 %, arena exact, stack not above,
 * instructions of an inference within 10 %, on each target whose tools are there, for speed, size and RAM, with raw and
 * with coded weights. And without tools: what nobody has measured is said to be unknown.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "lib/model.h"
#include "thimble/thimble.h"
#include "write/firmware.h"

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

/* Half of them zero, the others spread like trained ones: sums of four draws. */
static void put_weights(th_buf *text, th_rng *rng, const char *name, const char *shape, int n) {
  th_buf_printf(text, "const %%%s s8 %s q(0.01,0) = {", name, shape);
  for (int i = 0; i < n; i++) {
    int w = 0;
    for (int k = 0; k < 4; k++) w += (int)th_rng_below(rng, 41) - 20;
    th_buf_printf(text, "%s%d", i ? " " : "", th_rng_below(rng, 2) ? w : 0);
  }
  th_buf_printf(text, "}\n");
}

/* Frees the text. */
static th_model *model_of(th_buf *text) {
  th_graph *g;
  th_model *m;
  must(th_graph_parse((const char *)text->data, text->size, "g", NULL, NULL, &g));
  th_buf_free(text);
  must(th_model_from_graph(g, "thim", &m));
  return m;
}

/* Convolutions of three kinds, a pool, a layer that sees all, as in networks of this size. */
static th_model *make_model(void) {
  th_rng rng = th_rng_init(3, 0);
  th_buf text = {0};
  th_buf_printf(&text, "graph g\ninput %%x s8 1x12x12x3 q(0.05,-3)\n");
  put_weights(&text, &rng, "w1", "16x3x3x3", 16 * 27);
  put_weights(&text, &rng, "w2", "1x3x3x16", 16 * 9);
  put_weights(&text, &rng, "w3", "24x1x1x16", 24 * 16);
  put_weights(&text, &rng, "w4", "10x216", 2160);
  th_buf_printf(
      &text,
      "node c1 = conv2d(%%x %%w1 -) -> %%a s8 1x12x12x16 q(0.1,-10) {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1}\n"
      "node c2 = depthwise_conv2d(%%a %%w2 -) -> %%b s8 1x12x12x16 q(0.1,-10) {pad_top=1 pad_bottom=1 pad_left=1 "
      "pad_right=1}\n"
      "node c3 = conv2d(%%b %%w3 -) -> %%c s8 1x12x12x24 q(0.1,-10)\n"
      "node pool = avg_pool2d(%%c) -> %%d s8 1x3x3x24 q(0.1,-10) {kernel_y=4 kernel_x=4 stride_y=4 stride_x=4}\n"
      "node flat = reshape(%%d) -> %%e s8 1x216 q(0.1,-10)\n"
      "node fc = fully_connected(%%e %%w4 -) -> %%f s8 1x10 q(0.2,0)\n"
      "node soft = softmax(%%f) -> %%y s8 1x10 q(0.00390625,-128)\noutput %%y\n");
  return model_of(&text);
}

static th_settings *settings_for(const char *target, const char *optimize, const char *coder) {
  th_settings *s;
  must(th_settings_create("compile", &s));
  must(th_settings_set(s, "target", target));
  must(th_settings_set(s, "optimize", optimize));
  must(th_settings_set(s, "coder", coder));
  return s;
}

static void check_close(const char *what, const char *optimize, double predicted, double measured, double most) {
  if (!(fabs(predicted - measured) <= most * measured))
    fail_msg("%s for %s: predicted %.0f, measured %.0f", what, optimize, predicted, measured);
}

/* A folder of the target's own, without what an older build has left there. */
static void make_folder(char path[200], const char *target) {
  char command[256];
  snprintf(path, 200, THIMBLE_BINARY_DIR "/test_predict/%s", target);
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  assert_int_equal(system(command), 0);
}

static void check(th_model *m, const char *target, const char *optimize, const char *coder) {
  char folder[200];
  const th_bench_options options = {.samples = 1, .totals = true};
  th_settings *s = settings_for(target, optimize, coder);
  th_prediction *p;
  th_result *r;
  must(th_predict(m, s, &p));
  make_folder(folder, target);
  must(th_bench(m, NULL, s, &options, folder, NULL, &r));
  const char *build = coder[0] == 'a' ? optimize : coder;
  check_close("flash", build, (double)p->flash_bytes, th_result_number(r, "flash_bytes", 0), 0.01);
  check_close("arena", build, (double)p->arena_bytes, th_result_number(r, "arena_bytes", 0), 0);
  if (strcmp(target, "avr") != 0) /* whose cycles nobody has measured */
    check_close(p->unit, build, (double)p->instructions, th_result_number(r, p->unit, 0), 0.1);
  if ((double)p->stack_bytes < th_result_number(r, "stack_bytes", 0))
    fail_msg("stack for %s: at most %d, measured %.0f", build, (int)p->stack_bytes,
             th_result_number(r, "stack_bytes", 0));
  assert_int_equal(p->ram_bytes, p->arena_bytes + p->stack_bytes);
  th_prediction_free(p);
  th_result_free(r);
  th_settings_free(s);
}

/* `builds`: what each is optimized for and its coder, NULL behind the last. */
static void check_target(const char *target, th_model *m, const char *const *builds) {
  const char *why;
  if (!th_firmware_available(target, true, &why)) {
    th_error_clear();
    th_model_close(m);
    print_message("skipped: %s\n", why);
    skip();
  }
  for (; *builds; builds += 2) check(m, target, builds[0], builds[1]);
  th_model_close(m);
}

static const char *const every[] = {"speed", "auto",    "size", "auto", "size", "gap",
                                    "size",  "context", "ram",  "auto", NULL};
/* Targets that run another one's code, with its costs. */
static const char *const few[] = {"speed", "auto", "size", "huffman", NULL};

static void holds_on_cortex_m4(void **state) {
  check_target("cortex-m4", make_model(), every);
}

static void holds_on_cortex_m7(void **state) {
  check_target("cortex-m7", make_model(), few);
}

static void holds_on_cortex_m33(void **state) {
  check_target("cortex-m33", make_model(), few);
}

static void holds_on_cortex_m0plus(void **state) {
  check_target("cortex-m0plus", make_model(), every);
}

static void holds_on_cortex_m55(void **state) {
  check_target("cortex-m55", make_model(), every);
}

static void holds_on_rv32imc(void **state) {
  check_target("rv32imc", make_model(), every);
}

/* Two kilobytes of RAM hold less. */
static th_model *make_small_model(void) {
  th_rng rng = th_rng_init(3, 0);
  th_buf text = {0};
  th_buf_printf(&text, "graph g\ninput %%x s8 1x8x8x1 q(0.05,-3)\n");
  put_weights(&text, &rng, "w1", "8x3x3x1", 72);
  put_weights(&text, &rng, "w2", "10x288", 2880);
  th_buf_printf(&text,
                "node c1 = conv2d(%%x %%w1 -) -> %%a s8 1x6x6x8 q(0.1,-10)\n"
                "node flat = reshape(%%a) -> %%b s8 1x288 q(0.1,-10)\n"
                "node fc = fully_connected(%%b %%w2 -) -> %%y s8 1x10 q(0.2,0)\noutput %%y\n");
  return model_of(&text);
}

static void holds_on_avr(void **state) {
  static const char *const builds[] = {"speed", "auto", "ram", "auto", NULL};
  check_target("avr", make_small_model(), builds);
}

static void this_machine_has_no_flash(void **state) {
  th_model *m = make_model();
  th_settings *s = settings_for("host", "speed", "auto");
  th_prediction *p;
  must(th_predict(m, s, &p));
  assert_int_equal(p->flash_bytes, -1);
  assert_int_equal(p->stack_bytes, -1);
  assert_int_equal(p->ram_bytes, -1);
  assert_int_equal(p->instructions, -1);
  assert_true(p->arena_bytes > 0);
  th_prediction_free(p);
  th_settings_free(s);
  th_model_close(m);
}

/* Layers, constants and code add up to the whole. */
static void bytes_of_layers_are_in_the_whole(void **state) {
  th_model *m = make_model();
  th_settings *s = settings_for("cortex-m4", "size", "auto");
  th_prediction *p;
  int64_t layers = 0, instructions = 0;
  must(th_predict(m, s, &p));
  for (int i = 0; i < p->layers; i++) {
    layers += p->layer[i].bytes;
    instructions += p->layer[i].instructions;
  }
  assert_true(layers > 0 && p->code_bytes + layers <= p->flash_bytes);
  assert_int_equal(instructions, p->instructions);
  assert_int_equal(p->layers, 6); /* a reshape is no step */
  th_prediction_free(p);
  th_settings_free(s);
  th_model_close(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(holds_on_cortex_m4),
                                     cmocka_unit_test(holds_on_cortex_m7),
                                     cmocka_unit_test(holds_on_cortex_m33),
                                     cmocka_unit_test(holds_on_cortex_m0plus),
                                     cmocka_unit_test(holds_on_cortex_m55),
                                     cmocka_unit_test(holds_on_rv32imc),
                                     cmocka_unit_test(holds_on_avr),
                                     cmocka_unit_test(this_machine_has_no_flash),
                                     cmocka_unit_test(bytes_of_layers_are_in_the_whole)};
  return cmocka_run_group_tests_name("predict", tests, NULL, NULL);
}
