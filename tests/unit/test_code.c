/* What sets of decoders take in flash, against the measured pieces they are made of.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/code.h"

static uint32_t piece(const char *target, th_goal goal, const char *name) {
  th_code_piece p;
  if (!th_code_find(th_target_find(target), goal, name, &p)) fail_msg("%s: no %s", target, name);
  return (uint32_t)p.bytes;
}

enum { HUFFMAN = 1 << THR_CODER_HUFFMAN, GAP = 1 << THR_CODER_GAP_HUFFMAN, RANGE = 1 << THR_CODER_RANGE };

static void shared_code_is_counted_once(void **state) {
  static const char *const targets[] = {"cortex-m0plus", "cortex-m4",  "cortex-m7",
                                        "cortex-m33",    "cortex-m55", "rv32imc"};
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
    for (int goal = 0; goal < 2; goal++) {
      const th_goal g = goal ? TH_FOR_SIZE : TH_FOR_SPEED;
      const char *peek = goal ? "of peek" : "of thr_bits_peek";
      const uint32_t parts = piece(targets[i], g, peek) + piece(targets[i], g, "of thr_code_parse");
      uint32_t bytes[TH_CODER_SETS];
      th_code_decoders(targets[i], g, bytes);
      assert_int_equal(bytes[0], 0);
      assert_int_equal(bytes[1 << THR_CODER_RAW], 0);
      assert_int_equal(bytes[HUFFMAN], piece(targets[i], g, "decode huffman") + parts);
      assert_in_range(bytes[GAP],
                      piece(targets[i], g, "decode gap_huffman") + piece(targets[i], g, "dot gap_huffman") + parts,
                      3000);
      assert_int_equal(bytes[HUFFMAN | GAP], bytes[HUFFMAN] + bytes[GAP] - parts);
      assert_int_equal(bytes[HUFFMAN | RANGE], bytes[HUFFMAN] + bytes[RANGE]);
    }
}

/* For size, for RAM the same code; a target without measurements is taken for a Cortex-M4. */
static void targets_differ(void **state) {
  uint32_t m4[TH_CODER_SETS], other[TH_CODER_SETS];
  th_code_decoders("cortex-m4", TH_FOR_SIZE, m4);
  th_code_decoders("rv32imc", TH_FOR_SIZE, other);
  assert_true(other[HUFFMAN] > m4[HUFFMAN]);
  th_code_decoders("cortex-m4", TH_FOR_RAM, other);
  assert_memory_equal(other, m4, sizeof m4);
  th_code_decoders("host", TH_FOR_SIZE, other);
  assert_memory_equal(other, m4, sizeof m4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shared_code_is_counted_once),
      cmocka_unit_test(targets_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
