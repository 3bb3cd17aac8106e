/* Streaming models in one arena: SVDF, LSTM and plain variables keep their values from run to run, in the interpreter
 * and in compiled C, on this machine and emulated, while the three models take turns in one arena and are reset one by
 * one. Expected are the kernels called one after another with every value in a block of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "encode/program.h"
#include "fuzz/guard.h"
#include "write/csource.h"
#include "write/firmware.h"
#include "write/package.h"
#include "write/process.h"
#include "write/thim_model.h"

#define ROOT THIMBLE_BINARY_DIR "/test_streaming"

enum { MODELS = 3, TURNS = 60, IN = 12, OUT = 24, RESET = 16 };

static const char *const texts[MODELS] = {
    "graph a\ninput %x s8 1x12 q(0.05,1)\n"
    "const %f8 s8 32x12 q(0.01,0) = #16\nconst %t8 s8 32x5 q(0.02,0) = #17\nstate %m8 s8 1x160 q(0.05,-5)\n"
    "node memory8 = svdf(%x %f8 %t8 %m8) -> %v4 s8 1x16 q(0.05,2) {rank=2}\n"
    "const %f16 s8 24x16 q(0.01,0) = #18\nconst %t16 s16 24x4 q(0.0002,0) = #19\nstate %m16 s16 1x96 q(0.0002,0)\n"
    "node memory16 = svdf(%v4 %f16 %t16 %m16) -> %y s8 1x24 q(0.05,2) {rank=1}\noutput %y\n",
    "graph b\ninput %x s8 1x2x6 q(0.05,2)\n"
    "const %lw0 s8 12x6 q(0.02,0) = #20\nconst %lu0 s8 12x12 q(0.02,0) = #24\nconst %lb0 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "const %lw1 s8 12x6 q(0.02,0) = #21\nconst %lu1 s8 12x12 q(0.02,0) = #25\nconst %lb1 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "const %lw2 s8 12x6 q(0.02,0) = #22\nconst %lu2 s8 12x12 q(0.02,0) = #26\nconst %lb2 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "const %lw3 s8 12x6 q(0.02,0) = #23\nconst %lu3 s8 12x12 q(0.02,0) = #27\nconst %lb3 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "state %hidden s8 1x12 q(0.0078125,3)\nstate %cell s16 1x12 q(0.00048828125,0)\n"
    "node lstm = lstm(%x %lw0 %lw1 %lw2 %lw3 %lu0 %lu1 %lu2 %lu3 %lb0 %lb1 %lb2 %lb3 %hidden %cell) -> %y s8 1x2x12 "
    "q(0.0078125,3) {clip=10 activation=tanh}\noutput %y\n",
    /* a sum that forgets, and what came last time beside it */
    "graph c\ninput %x s8 1x12 q(0.05,0)\nstate %sum s8 1x12 q(0.1,4)\nstate %last s8 1x12 q(0.05,0)\n"
    "node old = read_variable(%sum) -> %s0 s8 1x12 q(0.1,4)\nnode before = read_variable(%last) -> %l0 s8 1x12 "
    "q(0.05,0)\n"
    "const %k s8 1 q(0.0078125,0) = {96}\nnode less = mul(%s0 %k) -> %s1 s8 1x12 q(0.1,4)\n"
    "node more = add(%s1 %x) -> %s2 s8 1x12 q(0.1,4)\n"
    "node change = sub(%x %l0) -> %d s8 1x12 q(0.1,4)\nnode y = concat(%s2 %d) -> %y s8 1x24 q(0.1,4) {axis=1}\n"
    "node keep = assign_variable(%s2) -> %sum\nnode hold = assign_variable(%x) -> %last\noutput %y\n",
};

typedef struct stream {
  th_graph *graph;
  th_program *raw, *coded; /* as lowered; planned for the shared arena */
  th_buf blob;
  void **value; /* of `raw`, one block each */
} stream;

static th_arena *memory;
static stream streams[MODELS];
static uint32_t arena_bytes;                       /* of the arena that they share */
static uint8_t turns[TURNS * (1 + IN)];            /* each: model, input; or model + RESET */
static uint8_t wanted[TURNS * OUT];                /* the outputs of all turns that run */
static uint32_t turns_bytes, wanted_bytes, resets; /* what is used of them */

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

/* --- what is expected --- */

static void plain_reset(stream *s) {
  for (int i = 0; i < s->raw->n_values; i++) {
    const th_value *v = &s->raw->values[i];
    if (v->state && v->initial) memcpy(s->value[i], v->initial, v->bytes);
    if (v->state && !v->initial) memset(s->value[i], v->fill, v->bytes);
  }
}

static void plain_run(stream *s, const uint8_t *in, uint8_t *out) {
  const th_program *p = s->raw;
  memcpy(s->value[p->inputs[0]], in, IN);
  for (int i = 0; i < p->n_steps; i++) {
    const th_program_step *step = &p->steps[i];
    const void *from[THR_STEP_INPUTS] = {NULL};
    for (int k = 0; k < step->n_in; k++) from[k] = s->value[step->in[k]];
    thr_step_run(&step->step, from, s->value[step->out],
                 th_arena_alloc(memory, thr_step_scratch_bytes(&step->step) + 1));
  }
  memcpy(out, s->value[p->outputs[0]], OUT);
}

/* Models in a mixed order; now and then one of them is reset, which must not touch the others. */
static void make_turns(void) {
  th_rng rng = th_rng_init(17, 0);
  for (int m = 0; m < MODELS; m++) plain_reset(&streams[m]);
  for (int t = 0; t < TURNS; t++) {
    const uint8_t model = (uint8_t)th_rng_below(&rng, MODELS);
    const bool reset = t % 13 == 12;
    turns[turns_bytes++] = (uint8_t)(model + (reset ? RESET : 0));
    resets += reset;
    if (reset) {
      plain_reset(&streams[model]);
      continue;
    }
    for (int i = 0; i < IN; i++) turns[turns_bytes + (uint32_t)i] = (uint8_t)th_rng_below(&rng, 256);
    plain_run(&streams[model], turns + turns_bytes, wanted + wanted_bytes);
    turns_bytes += IN;
    wanted_bytes += OUT;
  }
}

/* --- the shared arena: variables of all models first, then what they share --- */

static void open_stream(stream *s, const char *text) {
  must(th_graph_parse(text, strlen(text), "stream", made_up, memory, &s->graph));
  must(th_lower(s->graph, &s->raw));
  must(th_lower(s->graph, &s->coded));
  must(th_encode_program(s->coded, NULL, NULL));
  must(th_pass_plan(s->coded, NULL));
  s->value = TH_ARRAY(memory, void *, s->raw->n_values);
  for (int i = 0; i < s->raw->n_values; i++) {
    const th_value *v = &s->raw->values[i];
    s->value[i] = v->data ? (void *)v->data : th_arena_alloc(memory, v->bytes + 1);
  }
}

static int open_streams(void **state) {
  uint32_t states = 0;
  memory = th_arena_create();
  for (int m = 0; m < MODELS; m++) {
    open_stream(&streams[m], texts[m]);
    streams[m].coded->states_at = states;
    states += streams[m].coded->state_bytes;
  }
  for (int m = 0; m < MODELS; m++) {
    th_program *p = streams[m].coded;
    p->shared_at = states;
    must(th_pass_plan(p, NULL));
    must(th_write_thim_program(p, memory, &streams[m].blob, NULL));
    if (p->arena_bytes > arena_bytes) arena_bytes = p->arena_bytes;
  }
  make_turns();
  return 0;
}

static int close_streams(void **state) {
  for (int m = 0; m < MODELS; m++) {
    th_buf_free(&streams[m].blob);
    th_program_destroy(streams[m].coded);
    th_program_destroy(streams[m].raw);
    th_graph_destroy(streams[m].graph);
  }
  th_arena_destroy(memory);
  return 0;
}

/* --- tests --- */

static void states_are_apart_and_the_rest_is_shared(void **state) {
  uint32_t alone = 0, states = 0, shared = 0;
  for (int m = 0; m < MODELS; m++) {
    const th_program *p = streams[m].coded;
    for (int i = 0; i < p->n_values; i++) {
      const th_value *v = &p->values[i];
      if (v->data) continue;
      const uint32_t end = v->offset + v->bytes;
      if (v->state)
        assert_true(v->offset >= p->states_at && end <= p->states_at + p->state_bytes);
      else
        assert_true(v->offset >= p->shared_at && end <= p->arena_bytes);
    }
    const uint32_t own = p->arena_bytes - p->shared_at;
    states += p->state_bytes;
    alone += p->state_bytes + own;
    if (own > shared) shared = own;
  }
  assert_true(resets > 2 && states >= 160 + 2 * 96 + 12 + 24 + 24);
  assert_int_equal(arena_bytes, states + shared); /* less than three arenas */
  assert_true(arena_bytes < alone);
}

static void interpreter_keeps_them(void **state) {
  thr_model m[MODELS];
  guarded arena = guard_end(arena_bytes, 4);
  uint8_t got[sizeof wanted];
  uint32_t done = 0;
  for (int i = 0; i < MODELS; i++) {
    assert_int_equal(thr_open(&m[i], streams[i].blob.data, streams[i].blob.size), THR_OK);
    assert_int_equal(thr_input_info(&m[i], 0).bytes, IN);
    assert_int_equal(thr_output_info(&m[i], 0).bytes, OUT);
    thr_reset(&m[i], arena.data);
  }
  for (uint32_t at = 0; at < turns_bytes;) {
    const uint8_t which = turns[at++];
    if (which >= RESET) {
      thr_reset(&m[which - RESET], arena.data);
      continue;
    }
    memcpy(thr_input(&m[which], arena.data, 0), turns + at, IN);
    thr_run(&m[which], arena.data);
    memcpy(got + done, thr_output(&m[which], arena.data, 0), OUT);
    at += IN;
    done += OUT;
  }
  assert_int_equal(done, wanted_bytes);
  assert_memory_equal(got, wanted, wanted_bytes);
  guard_free(&arena);
}

static const char main_text[] =
    "#include <string.h>\n#include \"board.h\"\n#include \"a.h\"\n#include \"b.h\"\n#include \"c.h\"\n"
    "#define LARGER(x, y) ((x) > (y) ? (x) : (y))\n"
    "enum { ARENA = LARGER(A_ARENA_BYTES, LARGER(B_ARENA_BYTES, C_ARENA_BYTES)) };\n"
    "typedef char apart[A_STATE_OFFSET + A_STATE_BYTES <= B_STATE_OFFSET && B_STATE_OFFSET + B_STATE_BYTES <= "
    "C_STATE_OFFSET ? 1 : -1];\n"
    "static uint32_t arena[(ARENA + 3) / 4];\n"
    "#define TURN(x, X) if (which == 16) { x##_reset(arena); } else if (which == 0) { ok = board_read(x##_input(arena, "
    "0), "
    "X##_INPUT0_BYTES); x##_run(arena); ok = ok && board_write(x##_output(arena, 0), X##_OUTPUT0_BYTES); } which--;\n"
    "int main(void) {\n  unsigned char which;\n  int ok = board_open();\n"
    "  memset(arena, 0x55, sizeof arena);\n  a_reset(arena);\n  b_reset(arena);\n  c_reset(arena);\n"
    "  while (ok && board_read(&which, 1)) {\n    TURN(a, A) TURN(b, B) TURN(c, C)\n  }\n"
    "  board_leave(ok);\n  return !ok;\n}\n";

static const char board_text[] =
    "#include <stdint.h>\n#include <stdio.h>\nstatic FILE *in, *out;\n"
    "static int board_open(void) { in = fopen(\"input.bin\", \"rb\"); out = fopen(\"output.bin\", \"wb\"); return in "
    "&& "
    "out; }\n"
    "static int board_read(void *to, unsigned long n) { return fread(to, 1, n, in) == n; }\n"
    "static int board_write(const void *from, unsigned long n) { return fwrite(from, 1, n, out) == n; }\n"
    "static void board_leave(int ok) { (void)ok; fclose(out); }\n";

static void sh(const char *dir, const char *command) {
  const char *const argv[] = {"sh", "-c", command, NULL};
  th_buf text = {0};
  int code = 1;
  must(th_process_run(argv, dir, 300, NULL, NULL, &text, &code));
  if (code != 0) fail_msg("%s: %s\n%s", dir, command, th_buf_cstr(&text));
  th_buf_free(&text);
}

static void write_at(const char *dir, const char *name, const void *data, size_t bytes) {
  must(th_file_write(th_path_join(memory, dir, name), data, bytes));
}

/* Model a as a project of the target, which brings the board's files; b and c as one file each beside it. */
static void run_compiled(const char *target) {
  const char *why, *dir = th_arena_printf(memory, "%s/%s", ROOT, target);
  th_firmware_result r;
  uint8_t *got;
  size_t bytes;
  if (!th_firmware_available(target, true, &why)) {
    th_error_clear();
    print_message("skipped: %s\n", why);
    skip();
  }
  must(th_dir_create(dir));
  sh(dir, "rm -rf *");
  must(th_package_write(streams[0].coded, "c", "a", target, dir));
  must(th_package_write(streams[1].coded, "single-file", "b", target, dir));
  must(th_package_write(streams[2].coded, "single-file", "c", target, dir));
  const bool host = th_target_is_host(th_target_find(target));
  if (host) write_at(dir, "board.h", board_text, sizeof board_text - 1);
  write_at(dir, "main.c", main_text, sizeof main_text - 1);
  write_at(dir, "input.bin", turns, turns_bytes);
  must(th_firmware_build(dir, target, TH_FOR_SIZE, TH_FIRMWARE_PLAIN, &r));
  sh(dir, host ? "./firmware" : th_target_command(th_target_find(target), "firmware.elf", false, memory));
  must(th_file_read(memory, th_path_join(memory, dir, "output.bin"), 1 << 20, &got, &bytes));
  assert_int_equal(bytes, wanted_bytes);
  assert_memory_equal(got, wanted, wanted_bytes);
  if (!host) assert_true(r.ram_bytes >= arena_bytes && r.ram_bytes < arena_bytes + 256);
}

static void compiled_keeps_them_on_this_machine(void **state) {
  run_compiled("host");
}

static void compiled_keeps_them_on_cortex_m4(void **state) {
  run_compiled("cortex-m4");
}

static void compiled_keeps_them_on_cortex_m0plus(void **state) {
  run_compiled("cortex-m0plus");
}

static void compiled_keeps_them_on_rv32imc(void **state) {
  run_compiled("rv32imc");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(states_are_apart_and_the_rest_is_shared), cmocka_unit_test(interpreter_keeps_them),
      cmocka_unit_test(compiled_keeps_them_on_this_machine),     cmocka_unit_test(compiled_keeps_them_on_cortex_m4),
      cmocka_unit_test(compiled_keeps_them_on_cortex_m0plus),    cmocka_unit_test(compiled_keeps_them_on_rv32imc),
  };
  return cmocka_run_group_tests(tests, open_streams, close_streams);
}
