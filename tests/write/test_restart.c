/* Two calls of a program in a row, without a reset between them: an LSTM that restarts answers the second sample as a
 * fresh program does, through the .thim file and on the host; one that does not goes on. The kernel's numbers are
 * checked by tests/kernel. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "encode/program.h"
#include "eval/eval.h"
#include "eval/lower.h"
#include "pass/plan.h"
#include "read/thim.h"
#include "write/thim.h"

enum { TIME = 3, IN = 5, UNITS = 4, SAMPLES = 8 };

static const void *made_up(void *user, uint64_t hash, size_t bytes) {
  th_rng rng = th_rng_init(5, hash);
  int8_t *w = th_arena_alloc(user, bytes);
  for (size_t i = 0; i < bytes; i++) w[i] = (int8_t)((int)th_rng_below(&rng, 255) - 127);
  return w;
}

static th_graph *make_graph(th_arena *arena, bool restart) {
  th_buf text = {0};
  th_graph *g;
  th_buf_printf(&text,
                "graph again\ninput %%x s8 1x3x5 q(0.02,-3)\nstate %%h s8 1x4 q(0.0078125,5)\nstate %%c s16 1x4 "
                "q(0.00048828125,0)\n");
  for (int k = 0; k < 4; k++)
    th_buf_printf(&text,
                  "const %%w%d s8 4x5 q(0.01,0) = #%d\nconst %%u%d s8 4x4 q(0.012,0) = #%d\nconst %%b%d s32 4 = {900 "
                  "-700 300 %d}\n",
                  k, k, k, k + 4, k, 50 * k);
  th_buf_printf(&text,
                "node lstm = lstm(%%x %%w0 %%w1 %%w2 %%w3 %%u0 %%u1 %%u2 %%u3 %%b0 %%b1 %%b2 %%b3 %%h %%c) -> %%y s8 "
                "1x3x4 q(0.0078125,5) {activation=tanh restart=%d}\noutput %%y\n",
                restart);
  if (th_graph_parse(th_buf_cstr(&text), strlen(th_buf_cstr(&text)), "again", made_up, arena, &g) != TH_OK)
    fail_msg("%s", th_error_message());
  th_buf_free(&text);
  return g;
}

static thr_model open_program(th_arena *arena, const th_graph *g) {
  th_program *p;
  th_buf blob = {0};
  thr_model m;
  if (th_lower(g, &p) != TH_OK || th_encode_program(p, NULL, NULL) != TH_OK || th_pass_plan(p, NULL) != TH_OK ||
      th_write_thim_program(p, arena, &blob, NULL) != TH_OK)
    fail_msg("%s", th_error_message());
  assert_int_equal(thr_open(&m, th_arena_copy(arena, blob.data, blob.size), blob.size), THR_OK);
  th_buf_free(&blob);
  th_program_destroy(p);
  return m;
}

/* All samples one after the other; fresh: a reset before each. */
static void run_all(th_arena *arena, const thr_model *m, const int8_t *x, bool fresh, int8_t *y) {
  void *memory = th_arena_alloc(arena, thr_arena_bytes(m));
  thr_reset(m, memory);
  for (int s = 0; s < SAMPLES; s++) {
    if (fresh) thr_reset(m, memory);
    memcpy(thr_input(m, memory, 0), x + (ptrdiff_t)s * TIME * IN, TIME * IN);
    thr_run(m, memory);
    memcpy(y + (ptrdiff_t)s * TIME * UNITS, thr_output(m, memory, 0), TIME * UNITS);
  }
}

static void stream_on_host(const th_graph *g, const int8_t *x, int8_t *y) {
  th_eval *eval;
  assert_int_equal(th_eval_open(g, false, &eval), TH_OK);
  assert_int_equal(th_eval_stream(eval), TH_OK);
  assert_int_equal(th_eval_run(eval, SAMPLES, (const void *const[]){x}, (void *const[]){y}), TH_OK);
  th_eval_close(eval);
}

static void check(bool restart) {
  th_arena *arena = th_arena_create();
  const int8_t *x = made_up(arena, 99, SAMPLES * TIME * IN);
  int8_t in_a_row[SAMPLES * TIME * UNITS], fresh[sizeof in_a_row], host[sizeof in_a_row];
  th_graph *g = make_graph(arena, restart);
  const thr_model m = open_program(arena, g);
  run_all(arena, &m, x, false, in_a_row);
  run_all(arena, &m, x, true, fresh);
  stream_on_host(g, x, host);
  assert_memory_equal(host, in_a_row, sizeof host);
  assert_memory_equal(fresh, in_a_row, TIME * UNITS);
  assert_memory_not_equal(fresh, fresh + TIME * UNITS, TIME * UNITS); /* the network looks at its input */
  if (restart)
    assert_memory_equal(fresh, in_a_row, sizeof fresh);
  else
    assert_memory_not_equal(fresh + TIME * UNITS, in_a_row + TIME * UNITS, TIME * UNITS);
  th_graph_destroy(g);
  th_arena_destroy(arena);
}

static void restarts(void **state) {
  (void)state;
  check(true);
}

static void goes_on(void **state) {
  (void)state;
  check(false);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(restarts), cmocka_unit_test(goes_on)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
