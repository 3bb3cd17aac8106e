/* Generated C: compiled with the strictest flags it gives, byte for byte, what th_eval gives, on this machine and on an
 * emulated Cortex-M4; it links only what it names; and the writer copes with odd names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "encode/program.h"
#include "eval/eval.h"
#include "eval/form.h"
#include "op/op.h"
#include "pass/order.h"
#include "pass/plan.h"
#include "pass/segments.h"
#include "write/csource.h"
#include "write/firmware.h"
#include "write/process.h"

enum { SAMPLES = 20, CHANNELS = 8 };

/* --- a network with every kind of kernel, random weights of several kinds --- */

typedef enum weight_kind { DENSE, FEW_VALUES, SPARSE } weight_kind;

static int random_weight(th_rng *rng, weight_kind kind) {
  if (kind == DENSE) return (int)th_rng_below(rng, 255) - 127;
  if (kind == FEW_VALUES) return ((int)th_rng_below(rng, 4) + (int)th_rng_below(rng, 4) - 3) * 17;
  return th_rng_below(rng, 12) ? 0 : (int)th_rng_below(rng, 9) * 20 - 80;
}

static void add_weights(th_buf *t, th_rng *rng, const char *name, const char *shape, int n, int channels, int axis,
                        weight_kind kind) {
  th_buf_printf(t, "const %%%s s8 %s q[%d](", name, shape, axis);
  for (int c = 0; c < channels; c++) th_buf_printf(t, "%s%g,0", c ? " " : "", 0.005 * (1 + c % 3));
  th_buf_printf(t, ") = {");
  for (int i = 0; i < n; i++) th_buf_printf(t, "%s%d", i ? " " : "", random_weight(rng, kind));
  th_buf_printf(t, "}\n");
}

static void add_bias(th_buf *t, th_rng *rng, const char *name, int channels, double in_scale, int step) {
  th_buf_printf(t, "const %%%s s32 %d q[0](", name, channels);
  for (int c = 0; c < channels; c++) th_buf_printf(t, "%s%.9g,0", c ? " " : "", in_scale * 0.005 * (1 + c % 3));
  th_buf_printf(t, ") = {");
  for (int c = 0; c < channels; c++) th_buf_printf(t, "%s%d", c ? " " : "", ((int)th_rng_below(rng, 400) - 200) * step);
  th_buf_printf(t, "}\n");
}

static void write_network(th_buf *t, uint64_t seed) {
  th_rng rng = th_rng_init(seed, 0);
  th_buf_printf(t,
                "graph net\ninput %%x s8 1x9x8x3 q(0.05,-3)\nconst %%pads s32 4x2 = {0 0 1 0 0 1 0 0}\n"
                "const %%gain s8 8 q(0.01,5) = {1 20 -30 40 5 6 -100 127}\n");
  add_weights(t, &rng, "w1", "8x3x3x3", 8 * 27, 8, 0, DENSE);
  add_bias(t, &rng, "b1", 8, 0.05, 1);
  add_weights(t, &rng, "wd", "1x3x3x8", 72, 8, 3, FEW_VALUES);
  add_bias(t, &rng, "bd", 8, 0.1, 64);
  add_weights(t, &rng, "w2", "8x1x1x8", 64, 8, 0, FEW_VALUES);
  add_bias(t, &rng, "b2", 8, 0.1, 40000);
  add_weights(t, &rng, "wf", "40x192", 40 * 192, 40, 0, SPARSE);
  add_weights(t, &rng, "wg", "5x40", 200, 5, 0, SPARSE);
  add_bias(t, &rng, "bg", 5, 0.08, 1);
  th_buf_printf(
      t,
      "node pad = pad(%%x %%pads) -> %%xp s8 1x10x9x3 q(0.05,-3)\n"
      "node \"1st/conv*/\" = conv2d(%%xp %%w1 %%b1) -> %%c1 s8 1x8x7x8 q(0.1,-128) {activation=relu}\n"
      "node dw = depthwise_conv2d(%%c1 %%wd %%bd) -> %%d s8 1x8x7x8 q(0.1,4) {pad_top=1 pad_left=1 pad_bottom=1 "
      "pad_right=1}\n"
      "node pw = conv2d(%%d %%w2 %%b2) -> %%p s8 1x8x7x8 q(0.1,-10)\n"
      "node sum = add(%%c1 %%p) -> %%s s8 1x8x7x8 q(0.15,-20) {activation=relu6}\n"
      "node gain = mul(%%s %%gain) -> %%m s8 1x8x7x8 q(0.05,0)\n"
      "node diff = sub(%%m %%d) -> %%e s8 1x8x7x8 q(0.2,3)\n"
      "node hs = hard_swish(%%e) -> %%h s8 1x8x7x8 q(0.1,-100)\n"
      "node lk = leaky_relu(%%e) -> %%l s8 1x8x7x8 q(0.1,-90) {alpha=0.1}\n"
      "node sg = sigmoid(%%h) -> %%g s8 1x8x7x8 q(0.00390625,-128)\n"
      "node th = tanh(%%l) -> %%t s8 1x8x7x8 q(0.0078125,0)\n"
      "node rq = quantize(%%g) -> %%gq s8 1x8x7x8 q(0.0078125,0)\n"
      "node cat = concat(%%t %%gq) -> %%cat s8 1x8x7x16 q(0.0078125,0)\n"
      "node mp = max_pool2d(%%cat) -> %%mp s8 1x4x3x16 q(0.0078125,0) {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\n"
      "node ap = avg_pool2d(%%mp) -> %%ap s8 1x4x3x16 q(0.0078125,0) {kernel_y=3 kernel_x=3 pad_top=1 pad_bottom=1 "
      "pad_left=1 pad_right=1}\n"
      "node flat = reshape(%%ap) -> %%flat s8 1x192 q(0.0078125,0)\n"
      "node fc = fully_connected(%%flat %%wf -) -> %%f s8 1x40 q(0.08,-128) {activation=relu}\n"
      "node fg = fully_connected(%%f %%wg %%bg) -> %%z s8 1x5 q(0.2,0)\n"
      "node soft = softmax(%%z) -> %%y s8 1x5 q(0.00390625,-128)\n"
      "node gap = global_avg_pool(%%s) -> %%a0 s8 1x8 q(0.1,-20)\n"
      "node most = reduce_max(%%s) -> %%a1 s8 1x8 q(0.15,-20) {axes_mask=6}\n"
      "node least = reduce_min(%%s) -> %%a2 s8 1x8 q(0.15,-20) {axes_mask=6}\n"
      "node upper = maximum(%%a1 %%a2) -> %%a3 s8 1x8 q(0.15,-20)\n"
      "node lower = minimum(%%a1 %%a2) -> %%a4 s8 1x8 q(0.15,-20)\n"
      "node apart = squared_difference(%%a3 %%a4) -> %%a5 s8 1x8 q(0.1,-128)\n"
      "node slope = prelu(%%a0 %%gain) -> %%a6 s8 1x8 q(0.1,-20)\n"
      "node elu = elu(%%a6) -> %%a7 s8 1x8 q(0.05,-100) {alpha=1}\n"
      "node ratio = div(%%a5 %%a7) -> %%a8 s8 1x8 q(0.1,0)\n"
      "node mix = add(%%a8 %%a6) -> %%a9 s8 1x8 q(0.2,0)\n"
      "const %%order s32 4 = {0 3 1 2}\nconst %%back s32 4x3 = {0 1 1 3 -1 -1 1 3 1 0 2 1}\n"
      "const %%wt s8 2x3x3x2 q(0.01,0) = {1 -2 3 4 -5 60 7 8 9 -10 11 12 13 -14 15 -16 17 18 19 20 -21 22 23 -24 25 26 "
      "-27 "
      "28 29 30 31 -32 -33 34 35 36}\n"
      "node square = reshape(%%a9) -> %%r0 s8 1x2x2x2 q(0.2,0)\n"
      "node turn = transpose(%%r0 %%order) -> %%r1 s8 1x2x2x2 q(0.2,0)\n"
      "node near = resize_nearest(%%r1) -> %%r2 s8 1x3x5x2 q(0.2,0) {out_y=3 out_x=5 align_corners=1}\n"
      "node smooth = resize_bilinear(%%r2) -> %%r3 s8 1x2x2x2 q(0.2,0) {out_y=2 out_x=2}\n"
      "node up = transpose_conv2d(%%r3 %%wt) -> %%r4 s8 1x4x4x2 q(0.2,0) {stride_y=2 stride_x=2 pad_top=1}\n"
      "node part = strided_slice(%%r4 %%back) -> %%r5 s8 1x4x2x2 q(0.2,0)\n"
      "node pairs = batch_matmul(%%r5 %%r5) -> %%r6 s8 1x4x2x2 q(0.9,0) {adj_x=1}\n"
      "node again = reshape(%%r6) -> %%r7 s8 1x16 q(0.9,0)\n"
      "const %%first s32 2x3 = {0 1 1 0 8 1}\n"
      "node first = strided_slice(%%r7 %%first) -> %%r8 s8 1x8 q(0.9,0)\n"
      "node unit = l2_normalization(%%r8) -> %%a10 s8 1x8 q(0.0078125,0)\n"
      "node best = argmax(%%a10) -> %%index s32 1 {axis=1}\n"
      "node logs = log_softmax(%%a10) -> %%avg s8 1x8 q(0.0625,127)\n"
      "output %%y\noutput %%avg\n");
}

/* One whose peak chains lower: a residual block, a function by table, pools. */
static void write_chains(th_buf *t, uint64_t seed) {
  th_rng rng = th_rng_init(seed, 2);
  th_buf_printf(t, "graph net\ninput %%x s8 1x9x8x3 q(0.05,-3)\n");
  add_weights(t, &rng, "w1", "8x3x3x3", 8 * 27, 8, 0, DENSE);
  add_bias(t, &rng, "b1", 8, 0.05, 1);
  add_weights(t, &rng, "wd", "1x3x3x8", 72, 8, 3, FEW_VALUES);
  add_bias(t, &rng, "bd", 8, 0.1, 64);
  add_weights(t, &rng, "w2", "8x1x1x8", 64, 8, 0, FEW_VALUES);
  add_bias(t, &rng, "b2", 8, 0.1, 40000);
  add_weights(t, &rng, "wf", "5x96", 5 * 96, 5, 0, SPARSE);
  th_buf_printf(
      t,
      "node \"1st/conv*/\" = conv2d(%%x %%w1 %%b1) -> %%c s8 1x9x8x8 q(0.1,-128) {activation=relu pad_top=1 pad_left=1 "
      "pad_bottom=1 pad_right=1}\n"
      "node dw = depthwise_conv2d(%%c %%wd %%bd) -> %%d s8 1x9x8x8 q(0.1,4) {pad_top=1 pad_left=1 pad_bottom=1 "
      "pad_right=1}\n"
      "node pw = conv2d(%%d %%w2 %%b2) -> %%p s8 1x9x8x8 q(0.1,-10)\n"
      "node sum = add(%%c %%p) -> %%s s8 1x9x8x8 q(0.15,-20)\n"
      "node elu = elu(%%s) -> %%e s8 1x9x8x8 q(0.1,-100) {alpha=1}\n"
      "node ap = avg_pool2d(%%e) -> %%a s8 1x9x8x8 q(0.1,-100) {kernel_y=3 kernel_x=3 pad_top=1 pad_bottom=1 "
      "pad_left=1 pad_right=1}\n"
      "node mp = max_pool2d(%%a) -> %%m s8 1x4x3x8 q(0.1,-100) {kernel_y=3 kernel_x=3 stride_y=2 stride_x=2}\n"
      "node hs = hard_swish(%%m) -> %%h s8 1x4x3x8 q(0.1,-100)\n"
      "node flat = reshape(%%h) -> %%flat s8 1x96 q(0.1,-100)\n"
      "node fc = fully_connected(%%flat %%wf -) -> %%y s8 1x5 q(0.2,0)\n"
      "node gap = global_avg_pool(%%h) -> %%avg s8 1x8 q(0.1,-20)\n"
      "output %%y\noutput %%avg\n");
}

typedef struct fixture {
  th_graph *g;
  th_program *p;
  int8_t in[SAMPLES * 9 * 8 * 3], want[SAMPLES * 13], got[SAMPLES * 13];
  size_t in_bytes, out_bytes;
  char dir[200];
} fixture;

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

/* Chains whose weights stay raw, so that the arena is the smallest; of odd networks, with room for decoded ones. */
static void make_chains(fixture *f, uint64_t seed) {
  uint32_t least;
  must(th_pass_order(f->p));
  must(th_pass_segments(f->p, 0, &least));
  if (seed % 2 == 0) return;
  th_program_destroy(f->p);
  must(th_lower(f->g, &f->p));
  must(th_pass_order(f->p));
  must(th_pass_segments(f->p, least + 500, NULL));
}

/* For RAM: another network, with chains that run line by line. */
static void open_network(fixture *f, uint64_t seed, th_goal goal, const char *folder) {
  const bool lines = goal == TH_FOR_RAM;
  th_buf text = {0};
  (lines ? write_chains : write_network)(&text, seed);
  char *quoted = strstr(th_buf_cstr(&text), "\"1st/conv*/\"");
  memcpy(quoted, "1st/conv*/??", 12); /* a name that C cannot hold, and that ends a comment */
  must(th_graph_parse((const char *)text.data, text.size, "net", NULL, NULL, &f->g));
  th_buf_free(&text);
  must(th_op_infer_all(f->g));
  must(th_lower(f->g, &f->p));
  if (lines) make_chains(f, seed);
  must(th_encode_program(f->p, NULL, NULL));
  must(th_pass_plan(f->p, NULL));
  th_rng rng = th_rng_init(seed, 1);
  f->in_bytes = 9 * 8 * 3;
  f->out_bytes = 13;
  for (size_t i = 0; i < sizeof f->in; i++) f->in[i] = (int8_t)((int)th_rng_below(&rng, 256) - 128);
  snprintf(f->dir, sizeof f->dir, "%s/test_csource/%s", THIMBLE_BINARY_DIR, folder);
}

/* Outputs of a sample stand together in the firmware's file, apart in th_eval's buffers. */
static void evaluate(fixture *f) {
  th_eval *eval;
  int8_t y[SAMPLES * 5], avg[SAMPLES * 8];
  must(th_eval_open(f->g, false, &eval));
  const void *inputs[] = {f->in};
  void *outputs[] = {y, avg};
  must(th_eval_run(eval, SAMPLES, inputs, outputs));
  th_eval_close(eval);
  for (int i = 0; i < SAMPLES; i++) {
    memcpy(f->want + i * 13, y + i * 5, 5);
    memcpy(f->want + i * 13 + 5, avg + i * 8, 8);
  }
}

static void close_network(fixture *f) {
  th_program_destroy(f->p);
  th_graph_destroy(f->g);
}

/* Steps that a form can run get one; none is left out for what it costs. */
static void arrange(fixture *f) {
  int arranged = 0;
  const th_form *form;
  for (int i = 0; i < f->p->n_steps; i++)
    for (int k = 0; (form = th_form_nth(k)); k++) {
      thr_need need;
      bool possible = false;
      if (f->p->steps[i].form != THR_FORM_NONE || form->kernel != f->p->steps[i].step.kernel) continue;
      must(th_step_need(f->p, &f->p->steps[i], form, &need, &possible));
      if (possible) must(th_step_arrange(f->p, i, form));
      arranged += possible;
    }
  assert_true(arranged > 0);
  f->p->goal = TH_FOR_SPEED;
  must(th_pass_plan(f->p, NULL));
}

static bool has_coded_chains(const fixture *f) {
  for (int i = 0; i < f->p->n_steps; i++)
    if (f->p->steps[i].rows && f->p->steps[i].scratch_bytes > 0) return true;
  return false;
}

static void run_on(const char *target, th_goal goal, uint64_t networks) {
  const char *why;
  if (!th_firmware_available(target, true, &why)) {
    th_error_clear();
    print_message("skipped: %s\n", why);
    skip();
  }
  for (uint64_t seed = 1; seed <= networks; seed++) {
    fixture f;
    th_firmware_result r;
    open_network(&f, seed, goal, target);
    assert_true((f.p->n_segments > 0) == (goal == TH_FOR_RAM));
    assert_true(has_coded_chains(&f) == (goal == TH_FOR_RAM && seed % 2));
    evaluate(&f);
    if (goal == TH_FOR_SPEED) arrange(&f);
    must(th_csource_write_folder(f.p, "Net 1", target, f.dir));
    must(th_firmware_build(f.dir, target, goal, TH_FIRMWARE_PLAIN, &r));
    must(th_firmware_run(f.dir, target, SAMPLES, f.in, f.in_bytes, f.got, f.out_bytes, true, NULL, &r));
    assert_memory_equal(f.got, f.want, sizeof f.want);
    if (r.flash_bytes > 0) { /* measured on a microcontroller: all plausible, RAM holds the arena */
      assert_int_equal(r.arena_bytes, f.p->arena_bytes);
      assert_true(r.ram_bytes >= r.arena_bytes && r.ram_bytes < r.arena_bytes + 256);
      assert_true(r.stack_bytes > 50 && r.stack_bytes < 2000);
      assert_true(r.instructions > 100000 && r.instructions < 100000000);
      assert_true(r.flash_bytes > 4000 && r.flash_bytes < 40000);
    }
    close_network(&f);
  }
}

static void host_gives_the_same_bytes(void **state) {
  run_on("host", TH_FOR_SIZE, 3);
}

static void forms_on_the_host_give_the_same_bytes(void **state) {
  run_on("host", TH_FOR_SPEED, 3);
}

static void forms_on_cortex_m4_give_the_same_bytes(void **state) {
  run_on("cortex-m4", TH_FOR_SPEED, 3);
}

static void cortex_m0plus_gives_the_same_bytes(void **state) {
  run_on("cortex-m0plus", TH_FOR_SIZE, 1);
}

static void cortex_m4_gives_the_same_bytes(void **state) {
  run_on("cortex-m4", TH_FOR_SIZE, 3);
}

static void cortex_m7_gives_the_same_bytes(void **state) {
  run_on("cortex-m7", TH_FOR_SIZE, 1);
}

static void cortex_m33_gives_the_same_bytes(void **state) {
  run_on("cortex-m33", TH_FOR_SIZE, 1);
}

static void cortex_m55_gives_the_same_bytes(void **state) {
  run_on("cortex-m55", TH_FOR_SIZE, 1);
}

static void rv32imc_gives_the_same_bytes(void **state) {
  run_on("rv32imc", TH_FOR_SIZE, 1);
}

static void chains_give_the_same_bytes_on_the_host(void **state) {
  run_on("host", TH_FOR_RAM, 2);
}

static void chains_give_the_same_bytes_on_cortex_m0plus(void **state) {
  run_on("cortex-m0plus", TH_FOR_RAM, 1);
}

static void chains_give_the_same_bytes_on_cortex_m4(void **state) {
  run_on("cortex-m4", TH_FOR_RAM, 2);
}

static void compile_strictly(th_goal goal) {
  fixture f;
  open_network(&f, 4, goal, "strict");
  if (goal == TH_FOR_SPEED) arrange(&f);
  must(th_csource_write_folder(f.p, "strict", "host", f.dir));
  const char *const compilers[] = {"gcc", "clang"};
  for (int i = 0; i < 2; i++) {
    if (!th_process_available(compilers[i])) continue;
    char command[300];
    snprintf(command, sizeof command,
             "%s -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I. -Irt -Irt/include -fsyntax-only "
             "*.c rt/*/*.c rt/*/*/*.c",
             compilers[i]);
    const char *const argv[] = {"sh", "-c", command, NULL};
    th_buf text = {0};
    int code = 1;
    must(th_process_run(argv, f.dir, 120, NULL, NULL, &text, &code));
    if (code != 0) fail_msg("%s: %s", compilers[i], th_buf_cstr(&text));
    th_buf_free(&text);
  }
  close_network(&f);
}

static void compiles_without_a_warning(void **state) {
  compile_strictly(TH_FOR_SPEED);
  compile_strictly(TH_FOR_RAM);
}

/* The counts of the layers make up the whole, but for the calls between them. */
static void layers_are_counted(void **state) {
  static const char *const targets[] = {"cortex-m4", "rv32imc"};
  for (int i = 0; i < 2; i++) {
    if (!th_firmware_available(targets[i], true, NULL)) {
      th_error_clear();
      continue;
    }
    fixture f;
    th_firmware_result r, unused;
    uint64_t layer[100], sum = 0;
    open_network(&f, 1, TH_FOR_SIZE, "layers");
    assert_true(f.p->n_steps < 100);
    must(th_csource_write_folder(f.p, "net", targets[i], f.dir));
    must(th_firmware_build(f.dir, targets[i], TH_FOR_SIZE, TH_FIRMWARE_PLAIN, &r));
    must(th_firmware_run(f.dir, targets[i], 1, f.in, f.in_bytes, f.got, f.out_bytes, true, NULL, &r));
    must(th_firmware_build(f.dir, targets[i], TH_FOR_SIZE, TH_FIRMWARE_PROFILE, &unused));
    must(th_firmware_profile(f.dir, targets[i], f.in, f.in_bytes, f.out_bytes, f.p->n_steps, layer, NULL));
    for (int k = 0; k < f.p->n_steps; k++) sum += layer[k];
    assert_true(sum > r.instructions * 9 / 10 && sum < r.instructions * 11 / 10);
    assert_true(layer[0] > 0 && layer[1] > 10000);
    assert_true(r.model_bytes > 1000 && r.model_bytes < r.flash_bytes);
    assert_true(r.touched_bytes > 400 && r.touched_bytes <= r.arena_bytes + 3);
    close_network(&f);
  }
}

/* The folder holds the kernels that the model names and no other. */
static void copies_only_what_is_needed(void **state) {
  static const char text[] =
      "graph g\ninput %x s8 1x4 q(0.5,0)\nnode s = softmax(%x) -> %y s8 1x4 q(0.00390625,-128)\noutput %y\n";
  th_graph *g;
  th_program *p;
  char path[300];
  must(th_graph_parse(text, sizeof text - 1, "g", NULL, NULL, &g));
  must(th_lower(g, &p));
  must(th_pass_plan(p, NULL));
  must(th_csource_write_folder(p, "g", "host", THIMBLE_BINARY_DIR "/test_csource/small"));
  static const struct {
    const char *name;
    bool there;
  } files[] = {{"g.h", true},
               {"rt/kernel/ref/softmax_s8.c", true},
               {"rt/kernel/ref/conv2d_s8.c", false},
               {"rt/decode/huffman.c", false},
               {"rt/core/step.c", false},
               {"rt/include/thr_kernels.h", true}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(path, sizeof path, "%s/test_csource/small/%s", THIMBLE_BINARY_DIR, files[i].name);
    if (th_file_exists(path) != files[i].there) fail_msg("%s is %sthere", path, files[i].there ? "not " : "");
  }
  th_program_destroy(p);
  th_graph_destroy(g);
}

/* Float inputs and outputs, 4-byte aligned in the arena beside an odd number of int8 values. */
static void float_borders_give_the_same_bytes(void **state) {
  static const char text[] =
      "graph g\ninput %x f32 1x7\n"
      "node q = quantize(%x) -> %xq s8 1x7 q(0.05,3)\n"
      "node t = tanh(%xq) -> %t s8 1x7 q(0.0078125,0)\n"
      "node d = dequantize(%t) -> %y f32 1x7\n"
      "output %y\n";
  th_graph *g;
  th_program *p;
  th_eval *eval;
  float in[SAMPLES * 7], want[SAMPLES * 7], got[SAMPLES * 7];
  th_rng rng = th_rng_init(11, 0);
  for (size_t i = 0; i < sizeof in / sizeof *in; i++) in[i] = 3 * th_rng_normal(&rng);
  must(th_graph_parse(text, sizeof text - 1, "g", NULL, NULL, &g));
  must(th_eval_open(g, false, &eval));
  must(th_eval_run(eval, SAMPLES, (const void *[]){in}, (void *[]){want}));
  th_eval_close(eval);
  must(th_lower(g, &p));
  must(th_pass_plan(p, NULL));
  static const char *const targets[] = {"host", "cortex-m4"};
  for (int i = 0; i < 2; i++) {
    th_firmware_result r;
    char dir[300];
    if (!th_firmware_available(targets[i], true, NULL)) continue;
    snprintf(dir, sizeof dir, "%s/test_csource/float-%s", THIMBLE_BINARY_DIR, targets[i]);
    must(th_csource_write_folder(p, "g", targets[i], dir));
    must(th_firmware_build(dir, targets[i], TH_FOR_SIZE, TH_FIRMWARE_PLAIN, &r));
    must(th_firmware_run(dir, targets[i], SAMPLES, in, 28, got, 28, false, NULL, &r));
    assert_memory_equal(got, want, sizeof want);
  }
  th_program_destroy(p);
  th_graph_destroy(g);
}

static void names_become_identifiers(void **state) {
  static const char *const cases[][3] = {{"lenet-5", "lenet_5", "LENET_5"},
                                         {"5x", "m5x", "M5X"},
                                         {"", "model", "MODEL"},
                                         {"a b\xc3\xa9", "a_b__", "A_B__"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char lower[20], upper[20];
    th_csource_identifier(cases[i][0], false, lower, sizeof lower);
    th_csource_identifier(cases[i][0], true, upper, sizeof upper);
    assert_string_equal(lower, cases[i][1]);
    assert_string_equal(upper, cases[i][2]);
  }
}

static void refusals_say_why(void **state) {
  th_program empty = {0};
  assert_int_equal(th_csource_write_folder(&empty, "x", "cortex-m5", THIMBLE_BINARY_DIR "/test_csource/none"),
                   TH_ERR_USAGE);
  assert_string_equal(th_error_message(), "unknown target \"cortex-m5\"; did you mean \"cortex-m4\"?");
  th_error_clear();
  th_firmware_result r;
  th_status status =
      th_firmware_build(THIMBLE_BINARY_DIR "/test_csource/none", "host", TH_FOR_SIZE, TH_FIRMWARE_PLAIN, &r);
  assert_int_not_equal(status, TH_OK);
  th_error_clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(host_gives_the_same_bytes),
      cmocka_unit_test(cortex_m0plus_gives_the_same_bytes),
      cmocka_unit_test(cortex_m4_gives_the_same_bytes),
      cmocka_unit_test(cortex_m7_gives_the_same_bytes),
      cmocka_unit_test(cortex_m33_gives_the_same_bytes),
      cmocka_unit_test(cortex_m55_gives_the_same_bytes),
      cmocka_unit_test(rv32imc_gives_the_same_bytes),
      cmocka_unit_test(chains_give_the_same_bytes_on_the_host),
      cmocka_unit_test(chains_give_the_same_bytes_on_cortex_m0plus),
      cmocka_unit_test(chains_give_the_same_bytes_on_cortex_m4),
      cmocka_unit_test(layers_are_counted),
      cmocka_unit_test(forms_on_the_host_give_the_same_bytes),
      cmocka_unit_test(forms_on_cortex_m4_give_the_same_bytes),
      cmocka_unit_test(compiles_without_a_warning),
      cmocka_unit_test(copies_only_what_is_needed),
      cmocka_unit_test(float_borders_give_the_same_bytes),
      cmocka_unit_test(names_become_identifiers),
      cmocka_unit_test(refusals_say_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
