/* Firmware for an ATmega328P in simavr gives the bytes of th_eval. The network fits into 2 KB of RAM; a sample comes
 * through the EEPROM, outputs and report come by the serial port, whose formats are tested here, too.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/eval.h"
#include "eval/lower.h"
#include "pass/plan.h"
#include "write/csource.h"
#include "write/firmware.h"
#include "write/serial.h"

enum { SAMPLES = 3, IN = 40, OUT = 5 };

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

static th_graph *make_network(th_rng *rng) {
  th_graph *g;
  th_buf text = {0};
  th_buf_printf(&text, "graph g\ninput %%x s8 1x40 q(0.08,-128)\nconst %%w s8 5x40 q(0.01,0) = {");
  for (int i = 0; i < OUT * IN; i++) th_buf_printf(&text, "%s%d", i ? " " : "", (int)th_rng_below(rng, 255) - 127);
  th_buf_printf(&text,
                "}\nconst %%b s32 5 q(0.0008,0) = {100 -2000 30 4 5000}\n"
                "node fc = fully_connected(%%x %%w %%b) -> %%z s8 1x5 q(0.2,0)\n"
                "node soft = softmax(%%z) -> %%y s8 1x5 q(0.00390625,-128)\noutput %%y\n");
  must(th_graph_parse((const char *)text.data, text.size, "g", NULL, NULL, &g));
  th_buf_free(&text);
  return g;
}

static void firmware_gives_the_same_bytes(void **state) {
  const char *why, *dir = THIMBLE_BINARY_DIR "/test_avr";
  th_rng rng = th_rng_init(7, 0);
  int8_t in[SAMPLES * IN], want[SAMPLES * OUT], got[SAMPLES * OUT];
  th_program *p;
  th_eval *eval;
  th_firmware_result r;
  uint64_t layer[2];
  if (!th_firmware_available("avr", true, &why)) {
    th_error_clear();
    print_message("skipped: %s\n", why);
    skip();
  }
  th_graph *g = make_network(&rng);
  for (size_t i = 0; i < sizeof in; i++) in[i] = (int8_t)((int)th_rng_below(&rng, 256) - 128);
  must(th_eval_open(g, false, &eval));
  must(th_eval_run(eval, SAMPLES, (const void *[]){in}, (void *[]){want}));
  th_eval_close(eval);
  must(th_lower(g, &p));
  must(th_pass_plan(p, NULL));
  must(th_csource_write_folder(p, "g", "avr", dir));
  must(th_firmware_build(dir, "avr", TH_FOR_SIZE, TH_FIRMWARE_PLAIN, &r));
  must(th_firmware_run(dir, "avr", SAMPLES, in, IN, got, OUT, true, NULL, &r));
  assert_memory_equal(got, want, sizeof want);
  assert_true(r.instructions > 2000 && r.instructions < 1000000); /* cycles */
  assert_true(r.ram_bytes <= 1696 && r.stack_bytes > 20 && r.stack_bytes < 600);
  assert_int_equal(th_firmware_run(dir, "avr", 1, in, TH_SERIAL_EEPROM_BYTES + 1, got, OUT, true, NULL, &r),
                   TH_ERR_INPUT);
  th_error_clear();
  th_firmware_result unused;
  must(th_firmware_build(dir, "avr", TH_FOR_SIZE, TH_FIRMWARE_PROFILE, &unused));
  must(th_firmware_profile(dir, "avr", in, IN, OUT, 2, layer, NULL));
  assert_true(layer[0] + layer[1] > r.instructions * 9 / 10 && layer[0] + layer[1] < r.instructions * 11 / 10);
  th_program_destroy(p);
  th_graph_destroy(g);
}

/* The first record sets the upper half of the address; each record sums to 0 with its last byte. */
static void input_is_a_hex_file(void **state) {
  const uint8_t sample[] = {0x01, 0xff, 0x80};
  th_buf hex = {0};
  must(th_serial_input(sample, sizeof sample, &hex));
  assert_string_equal(th_buf_cstr(&hex), ":02000004008179\n:0300000001FF807D\n:00000001FF\n");
  th_buf_free(&hex);
}

static void output_is_read_from_lines(void **state) {
  static const uint8_t want[] = {0x00, 0x7f, 0xff, 0x80};
  th_buf bytes = {0};
  must(th_serial_output("Loaded\n\033[32m<007f>.\n\033[0msamples 0001\n<ff>.<80>", &bytes));
  assert_int_equal(bytes.size, sizeof want);
  assert_memory_equal(bytes.data, want, sizeof want);
  static const char *const bad[] = {"<0", "<0g>", "<00", "<012>", "<AB>"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(th_serial_output(bad[i], &bytes), TH_ERR_CHECK);
    th_error_clear();
  }
  th_buf_free(&bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(firmware_gives_the_same_bytes),
      cmocka_unit_test(input_is_a_hex_file),
      cmocka_unit_test(output_is_read_from_lines),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
