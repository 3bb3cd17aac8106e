/* .thim files: what was written comes back, runs as the graph does, is decoded the same by an independent program, and
 * a damaged blob is refused or at least stays within its bounds (guard pages around blob and arena).
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "base/file.h"
#include "pass/order.h"
#include "pass/segments.h"
#include "read/thim.h"
#include "write/thim_model.h"

static int open_fixture(void **state) {
  fixture *f = malloc(sizeof *f);
  *state = f;
  const th_status status = fixture_open(f);
  if (status != TH_OK) print_error("%s\n", th_error_message());
  return status;
}

static int close_fixture(void **state) {
  fixture_close(*state);
  free(*state);
  return 0;
}

static th_thim *read_back(const th_buf *blob) {
  th_graph *graph;
  th_thim *program;
  assert_true(th_thim_probe(blob->data, blob->size));
  if (th_read_thim(blob->data, blob->size, "blob", &graph, &program) != TH_OK) fail_msg("%s", th_error_message());
  assert_null(graph);
  return program;
}

static void fill_random(th_rng *rng, void *p, size_t n) {
  for (size_t i = 0; i < n; i++) ((uint8_t *)p)[i] = (uint8_t)th_rng_below(rng, 256);
}

/* --- running --- */

/* The same graph for the smallest arena, with chains that run line by line. */
static void write_lines(fixture *f, th_buf *blob) {
  th_program *p;
  assert_int_equal(th_lower(f->graph, &p), TH_OK);
  assert_int_equal(th_pass_order(p), TH_OK);
  assert_int_equal(th_pass_segments(p, 0, NULL), TH_OK);
  assert_int_equal(th_encode_program(p, NULL, NULL), TH_OK);
  assert_int_equal(th_pass_plan(p, NULL), TH_OK);
  assert_true(p->n_segments > 0);
  if (th_write_thim_program(p, f->arena, blob, NULL) != TH_OK) fail_msg("%s", th_error_message());
  th_program_destroy(p);
}

static void run_like_the_graph(fixture *f, const th_buf *blob) {
  enum { SAMPLES = 37 };
  th_thim *program = read_back(blob);
  th_rng rng = th_rng_init(21, 0);
  const size_t in0 = 12 * 10 * 3, in1 = 48, out0 = 10, out1 = 48 * 4, out2 = 48;
  int8_t *x = th_arena_alloc(f->arena, SAMPLES * in0), *side = th_arena_alloc(f->arena, SAMPLES * in1);
  uint8_t *p = th_arena_alloc(f->arena, SAMPLES * out0), *real = th_arena_alloc(f->arena, SAMPLES * out1);
  uint8_t *q = th_arena_alloc(f->arena, SAMPLES * out2);
  fill_random(&rng, x, SAMPLES * in0);
  fill_random(&rng, side, SAMPLES * in1);
  const void *inputs[] = {x, side};
  void *outputs[] = {p, real, q};
  assert_int_equal(th_thim_run(program, SAMPLES, inputs, outputs), TH_OK);
  int different = 0;
  for (size_t s = 0; s < SAMPLES; s++) {
    const void *sample[] = {x + s * in0, side + s * in1};
    void **value = run_plain(f->raw, f->arena, sample);
    assert_memory_equal(p + s * out0, value[f->raw->outputs[0]], out0);
    assert_memory_equal(real + s * out1, value[f->raw->outputs[1]], out1);
    assert_memory_equal(q + s * out2, value[f->raw->outputs[2]], out2);
    different += memcmp(p + s * out0, p, out0) != 0;
  }
  assert_true(different > SAMPLES / 2); /* the network does not answer the same to everything */
  th_thim_close(program);
}

static void test_runs_like_the_graph(void **state) {
  fixture *f = *state;
  th_buf lines = {0};
  run_like_the_graph(f, &f->blob);
  write_lines(f, &lines);
  run_like_the_graph(f, &lines);
  th_buf_free(&lines);
}

static void test_single_steps_add_up_to_a_run(void **state) {
  fixture *f = *state;
  thr_model m;
  uint32_t *blob = th_arena_copy(f->arena, f->blob.data, f->blob.size);
  assert_int_equal(thr_open(&m, blob, f->blob.size), THR_OK);
  uint8_t *whole = th_arena_alloc(f->arena, thr_arena_bytes(&m)),
          *steps = th_arena_alloc(f->arena, thr_arena_bytes(&m));
  for (uint16_t i = 0; i < m.inputs; i++) {
    memset(thr_input(&m, whole, i), 17 + i, thr_input_info(&m, i).bytes);
    memset(thr_input(&m, steps, i), 17 + i, thr_input_info(&m, i).bytes);
  }
  thr_run(&m, whole);
  for (uint16_t i = 0; i < m.steps; i++) thr_run_step(&m, steps, i);
  assert_memory_equal(whole, steps, thr_arena_bytes(&m));
}

static void test_inputs_and_outputs(void **state) {
  fixture *f = *state;
  th_thim *program = read_back(&f->blob);
  assert_int_equal(th_thim_inputs(program), 2);
  assert_int_equal(th_thim_outputs(program), 3);
  const thr_io_info x = th_thim_input(program, 0), real = th_thim_output(program, 1);
  const int32_t dims[4] = {1, 12, 10, 3};
  assert_int_equal(x.dtype, THR_DTYPE_S8);
  assert_int_equal(x.rank, 4);
  assert_memory_equal(x.dim, dims, sizeof dims);
  assert_true(x.scale == 0.02f && x.zero == -3 && x.bytes == 360);
  assert_int_equal(real.dtype, THR_DTYPE_F32);
  assert_int_equal(real.bytes, 192);
  assert_int_equal(th_thim_input(program, 2).bytes, 0);
  assert_int_equal(th_thim_output(program, 3).bytes, 0);
  assert_int_equal(th_thim_arena_bytes(program), f->coded->arena_bytes);
  th_thim_close(program);
}

/* --- sizes --- */

static void test_report_adds_up(void **state) {
  fixture *f = *state;
  uint32_t sum = f->report.header, kinds = 0;
  assert_int_equal(f->report.total, f->blob.size);
  for (int i = 0; i < f->report.n_steps; i++) {
    const th_thim_step_bytes *b = &f->report.steps[i];
    sum += b->weights + b->table + b->bias + b->requant + b->constants + b->head;
    kinds |= 1u << b->coder;
    assert_true(b->head < 64);
  }
  assert_int_equal(sum, f->report.total);
  assert_int_equal(kinds, ((1u << THR_CODER_COUNT) - 1) & TH_CODERS_FAST); /* the model has a tensor for each */
}

static void test_equal_multipliers_are_stored_once(void **state) {
  fixture *f = *state;
  uint32_t mults = 0;
  for (int i = 0; i < f->raw->n_steps; i++) mults += f->raw->steps[i].requant_count;
  assert_true(thr_load_u32(f->blob.data + 24) <= mults);
}

static void test_unplanned_program_is_refused(void **state) {
  fixture *f = *state;
  th_buf out = {0};
  assert_int_equal(th_write_thim_program(f->raw, f->arena, &out, NULL), TH_ERR_USAGE);
  assert_non_null(strstr(th_error_message(), "plan"));
  th_error_clear();
  th_buf_free(&out);
}

/* --- the independent decoder --- */

static void dump_operand(FILE *out, const thr_operand *o) {
  if (!o->data) {
    fprintf(out, " %u", o->offset);
    return;
  }
  fprintf(out, " const ");
  for (uint32_t i = 0; i < o->offset; i++) fprintf(out, "%02x", ((const uint8_t *)o->data)[i]);
}

/* The member names, for the decoder's output. */
static const char *const field_names[] = {
#define THR_FIELD(params, member, coding, rule, value) #member,
#include "../../rt/core/fields.def"
#undef THR_FIELD
};

static void dump_fields(FILE *out, const thr_step *step) {
  uint32_t count, none;
  const thr_field *fields = thr_fields(thr_kernel_params(step->kernel), &count);
  const thr_field *first = thr_fields(THR_PARAMS_conv2d, &none);
  fprintf(out, "fields");
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *at = (const uint8_t *)&step->p + fields[i].offset;
    int32_t v = *(const int8_t *)at;
    if (fields[i].bytes == 1 && fields[i].coding == THR_FIELD_UINT) v = *at;
    if (fields[i].bytes == 2) v = *(const int16_t *)(const void *)at;
    if (fields[i].bytes == 4) memcpy(&v, at, 4);
    fprintf(out, " %s=%d", field_names[&fields[i] - first], v);
  }
  fputc('\n', out);
}

static void dump_coded_channels(FILE *out, const thr_requant *r, uint32_t rows) {
  thr_channel channel;
  thr_channel_state state = {0};
  fprintf(out, "\nbias");
  for (uint32_t i = 0; i < rows; i++) {
    r->decode(r, &state, &channel);
    fprintf(out, " %d", channel.bias);
  }
  fprintf(out, "\nrequant");
  memset(&state, 0, sizeof state);
  for (uint32_t i = 0; i < rows; i++) {
    r->decode(r, &state, &channel);
    fprintf(out, " %d*2^%d", channel.mult, channel.shift);
  }
  fputc('\n', out);
}

static void dump_weights(FILE *out, thr_parsed_step *parsed, const int8_t *weights) {
  uint32_t rows, row_elems;
  thr_step_weight_rows(&parsed->step, &rows, &row_elems);
  const thr_bias *bias = thr_step_bias(&parsed->step);
  const thr_requant *r = thr_step_requant(&parsed->step);
  fprintf(out, "coder %d scratch %u\n", parsed->coder, parsed->scratch);
  fprintf(out, "weights");
  for (uint32_t i = 0; i < rows * row_elems; i++) fprintf(out, " %d", weights[i]);
  if (r->decode) {
    dump_coded_channels(out, r, rows);
    return;
  }
  fprintf(out, "\nbias");
  for (uint32_t i = 0; i < rows; i++) {
    int64_t v = 0;
    memcpy(&v, bias->data + i * bias->width, bias->width); /* little-endian test machine */
    const int unused = bias->width ? 64 - 8 * bias->width : 0;
    v = (int64_t)((uint64_t)v << unused) >> unused;
    fprintf(out, " %lld", (long long)v * (1ll << bias->shift));
  }
  fprintf(out, "\nrequant");
  const thr_params_id params = thr_kernel_params(parsed->step.kernel);
  const bool fixed = params == THR_PARAMS_svdf || params == THR_PARAMS_lstm;
  for (uint32_t i = 0; fixed && i < parsed->pairs; i++) fprintf(out, " %d*2^%d", r->mult[i], r->shift[i]);
  for (uint32_t i = 0; !fixed && i < rows; i++) {
    const uint32_t k = r->index ? r->index[i] : r->per_channel ? i : 0;
    fprintf(out, " %d*2^%d", r->mult[k], r->shift[k]);
  }
  fputc('\n', out);
}

static void dump_program(FILE *out, const thr_model *m, const th_thim *program, th_arena *arena) {
  thr_cursor c = {m->blob + m->io_at, m->blob + m->blob_bytes, 0};
  fprintf(out, "program arena %u steps %u inputs %u outputs %u\n", m->arena_bytes, m->steps, m->inputs, m->outputs);
  for (int i = 0; i < m->inputs + m->outputs; i++) {
    thr_io_info info;
    uint32_t offset, bits;
    assert_int_equal(thr_io_parse(&c, &info, &offset), THR_OK);
    memcpy(&bits, &info.scale, 4);
    fprintf(out, "io offset %u dtype %u dims", offset, info.dtype);
    for (int d = 0; d < info.rank; d++) fprintf(out, " %d", info.dim[d]);
    fprintf(out, " scale %08x zero %d\n", bits, info.zero);
  }
  for (int i = 0; i < m->states; i++) {
    thr_initial state;
    assert_int_equal(thr_state_parse(&c, &state), THR_OK);
    fprintf(out, "variable offset %u begins ", state.offset);
    for (uint32_t k = 0; k < state.bytes; k++) fprintf(out, "%02x", state.data ? state.data[k] : state.fill);
    fputc('\n', out);
  }
  for (int i = 0; i < m->steps; i++) {
    thr_parsed_step parsed;
    const int8_t *weights;
    assert_int_equal(thr_step_parse(m, &c, &parsed), THR_OK);
    if (parsed.chained) fprintf(out, "stage %u %u %u", parsed.left, parsed.rows, parsed.kept);
    for (uint32_t k = 0; parsed.chained && k < parsed.inputs; k++) {
      fprintf(out, " %u", parsed.from[k]);
      if (parsed.from[k]) fprintf(out, " %u", parsed.in_kept[k]);
    }
    fprintf(out, "%sstep %d kernel %d in", parsed.chained ? "\n" : "", i, parsed.step.kernel);
    for (uint32_t k = 0; k < parsed.inputs; k++) dump_operand(out, &parsed.in[k]);
    fprintf(out, " out %u\n", parsed.out);
    dump_fields(out, &parsed.step);
    assert_int_equal(th_thim_step_weights(program, i, arena, &weights), TH_OK);
    if (parsed.weighted) dump_weights(out, &parsed, weights);
  }
}

static void compare_with_decoder(fixture *f, const th_buf *blob) {
  static const char blob_path[] = THIMBLE_BINARY_DIR "/test_thim.thim";
  static const char ours_path[] = THIMBLE_BINARY_DIR "/test_thim.ours.txt";
  static const char theirs_path[] = THIMBLE_BINARY_DIR "/test_thim.theirs.txt";
  th_thim *program = read_back(blob);
  thr_model m;
  assert_int_equal(thr_open(&m, th_arena_copy(f->arena, blob->data, blob->size), blob->size), THR_OK);
  assert_int_equal(th_file_write(blob_path, blob->data, blob->size), TH_OK);
  FILE *out = fopen(ours_path, "w");
  assert_non_null(out);
  dump_program(out, &m, program, f->arena);
  assert_int_equal(fclose(out), 0);
  th_thim_close(program);
  assert_int_equal(system("python3 " THIMBLE_SOURCE_DIR "/tests/peers/thim_decode.py " THIMBLE_BINARY_DIR
                          "/test_thim.thim > " THIMBLE_BINARY_DIR "/test_thim.theirs.txt"),
                   0);
  uint8_t *ours, *theirs;
  size_t n_ours, n_theirs;
  assert_int_equal(th_file_read(f->arena, ours_path, TH_FILE_LIMIT, &ours, &n_ours), TH_OK);
  assert_int_equal(th_file_read(f->arena, theirs_path, TH_FILE_LIMIT, &theirs, &n_theirs), TH_OK);
  assert_int_equal(n_ours, n_theirs);
  assert_true(n_ours > 100000);
  assert_memory_equal(ours, theirs, n_ours);
}

static void test_independent_decoder_agrees(void **state) {
  fixture *f = *state;
  static const th_encode_options slow[] = {{.coders = 1u << THR_CODER_RANGE, .code_channels = true},
                                           {.coders = 1u << THR_CODER_CONTEXT, .code_channels = true}};
  th_buf blob = {0};
  th_program *p;
  if (system("python3 -c pass > /dev/null 2>&1") != 0) {
    print_message("skipped: no python3 for tests/peers/thim_decode.py\n");
    skip();
  }
  compare_with_decoder(f, &f->blob);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(th_lower(f->graph, &p), TH_OK);
    assert_int_equal(th_encode_program(p, &slow[i], NULL), TH_OK);
    assert_int_equal(th_pass_plan(p, NULL), TH_OK);
    assert_int_equal(th_write_thim_program(p, f->arena, &blob, NULL), TH_OK);
    compare_with_decoder(f, &blob);
    th_buf_free(&blob);
    th_program_destroy(p);
  }
  write_lines(f, &blob);
  compare_with_decoder(f, &blob);
  th_buf_free(&blob);
}

/* --- damage --- */

/* A block that ends at a page that must not be touched, and begins at most 3 bytes after another. */
typedef struct guarded {
  uint8_t *map, *data;
  size_t map_bytes;
} guarded;

static guarded guarded_alloc(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (bytes + page - 1) / page * page;
  guarded g = {.map_bytes = room + 2 * page};
  g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(g.map != MAP_FAILED);
  mprotect(g.map, page, PROT_NONE);
  mprotect(g.map + page + room, page, PROT_NONE);
  g.data = g.map + page + (room - bytes) / 4 * 4;
  return g;
}

static void guarded_free(guarded g) {
  munmap(g.map, g.map_bytes);
}

static void fix_checksum(uint8_t *blob, size_t bytes) {
  const uint32_t crc = (uint32_t)crc32(0, blob + 16, (uInt)(bytes - 16));
  memcpy(blob + 12, &crc, 4);
}

enum { MOST_ARENA = 1 << 20, MOST_MACS = 2000000 };

/* Damage can turn a small network into one that would run for minutes. */
static bool is_quick(const thr_model *m) {
  uint64_t work = 0;
  thr_cursor c = {m->blob + m->steps_at, m->blob + m->blob_bytes, 0};
  for (int i = 0; i < m->steps; i++) {
    thr_parsed_step parsed;
    uint32_t rows, row;
    assert_int_equal(thr_step_parse(m, &c, &parsed), THR_OK);
    thr_step_weight_rows(&parsed.step, &rows, &row);
    const thr_params_id params = thr_kernel_params(parsed.step.kernel);
    uint64_t macs = (uint64_t)rows * row;
    if (params == THR_PARAMS_conv2d)
      macs *= (uint64_t)parsed.step.p.conv2d.out_y * (uint64_t)parsed.step.p.conv2d.out_x;
    if (params == THR_PARAMS_pool2d)
      macs = (uint64_t)parsed.step.p.pool2d.kernel_y * (uint64_t)parsed.step.p.pool2d.kernel_x * MOST_ARENA;
    work += macs;
  }
  return work < MOST_MACS && m->arena_bytes <= MOST_ARENA;
}

/* Opens the blob in place; runs it when the runtime accepts it. */
static bool opens_and_stays_inside(const uint8_t *blob, size_t bytes) {
  thr_model m;
  if (thr_open(&m, blob, bytes) != THR_OK) return false;
  if (!is_quick(&m)) return true;
  const guarded arena = guarded_alloc(thr_arena_bytes(&m));
  for (uint16_t i = 0; i < m.inputs; i++) memset(thr_input(&m, arena.data, i), 90, thr_input_info(&m, i).bytes);
  thr_run(&m, arena.data);
  guarded_free(arena);
  return true;
}

static void damage_every_byte(const th_buf *blob) {
  const guarded g = guarded_alloc(blob->size);
  static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x04};
  long accepted = 0, refused = 0;
  /* within the long weight streams, where nothing can go wrong but numbers, one byte in 16 */
  for (size_t at = 0; at<blob->size; at += at> 4000 ? 16 : 1) {
    for (size_t k = 0; k < sizeof flips; k++) {
      memcpy(g.data, blob->data, blob->size);
      g.data[at] ^= flips[k];
      if (at >= 16) assert_int_equal(thr_open(&(thr_model){0}, g.data, blob->size), THR_ERR_CHECKSUM);
      if (at < 12 || at > 15) fix_checksum(g.data, blob->size);
      if (opens_and_stays_inside(g.data, blob->size))
        accepted++;
      else
        refused++;
      if (at < 16) assert_false(opens_and_stays_inside(g.data, blob->size));
    }
  }
  assert_true(accepted > 1000 && refused > 200);
  guarded_free(g);
}

static void test_every_byte_damaged(void **state) {
  fixture *f = *state;
  th_buf lines = {0};
  damage_every_byte(&f->blob);
  write_lines(f, &lines);
  damage_every_byte(&lines);
  th_buf_free(&lines);
}

static void damage_records(const th_buf *blob) {
  const guarded g = guarded_alloc(blob->size);
  th_rng rng = th_rng_init(31, 0);
  for (int round = 0; round < 4000; round++) {
    memcpy(g.data, blob->data, blob->size);
    for (uint32_t n = 1 + th_rng_below(&rng, 3); n > 0; n--)
      g.data[16 + th_rng_below(&rng, (uint32_t)blob->size - 16) % 900] = (uint8_t)th_rng_below(&rng, 256);
    fix_checksum(g.data, blob->size);
    opens_and_stays_inside(g.data, blob->size);
  }
  guarded_free(g);
}

static void test_random_damage_of_the_records(void **state) {
  fixture *f = *state;
  th_buf lines = {0};
  damage_records(&f->blob);
  write_lines(f, &lines);
  damage_records(&lines);
  th_buf_free(&lines);
}

static void test_every_length_truncated(void **state) {
  fixture *f = *state;
  for (size_t bytes = 0; bytes<f->blob.size; bytes += bytes> 2000 ? 37 : 1) {
    const guarded g = guarded_alloc(bytes);
    thr_model m;
    memcpy(g.data, f->blob.data, bytes);
    assert_int_not_equal(thr_open(&m, g.data, bytes), THR_OK);
    if (bytes >= 16) { /* also with a header that fits */
      const uint32_t length = (uint32_t)bytes;
      memcpy(g.data + 8, &length, 4);
      fix_checksum(g.data, bytes);
      assert_int_equal(thr_open(&m, g.data, bytes), THR_ERR_MALFORMED);
    }
    guarded_free(g);
  }
}

static void test_refusals(void **state) {
  fixture *f = *state;
  thr_model m;
  uint8_t *blob = th_arena_alloc(f->arena, f->blob.size + 8);
  memcpy(blob, f->blob.data, f->blob.size);
  assert_int_equal(thr_open(&m, blob, f->blob.size), THR_OK);
  assert_int_equal(thr_open(&m, blob, f->blob.size + 1), THR_ERR_LENGTH);
  memmove(blob + 1, blob, f->blob.size);
  assert_int_equal(thr_open(&m, blob + 1, f->blob.size), THR_ERR_ALIGNMENT);
  memcpy(blob, "GIF89a, not a model", 20);
  assert_int_equal(thr_open(&m, blob, 20), THR_ERR_MAGIC);
  memcpy(blob, f->blob.data, f->blob.size);
  blob[4] = 2;
  assert_int_equal(thr_open(&m, blob, f->blob.size), THR_ERR_VERSION);
  th_graph *graph;
  th_thim *program;
  assert_int_equal(th_read_thim(f->blob.data, 9, "short.thim", &graph, &program), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "short.thim"));
  th_error_clear();
}

/* A kernel that goes through a row in chunks counts in 32 bits. */
static void test_longest_dense_row(void **state) {
  fixture *f = *state;
  thr_model m;
  assert_int_equal(thr_open(&m, f->blob.data, f->blob.size), THR_OK);
  thr_cursor c = {m.blob + m.steps_at, m.blob + m.blob_bytes, 0};
  int seen = 0;
  for (int i = 0; i < m.steps; i++) {
    thr_parsed_step parsed;
    assert_int_equal(thr_step_parse(&m, &c, &parsed), THR_OK);
    if (parsed.step.kernel != THR_KERNEL_FULLY_CONNECTED_S8) continue;
    seen++;
    thr_model large = m;
    large.arena_bytes = INT32_MAX;
    parsed.in[0] = (thr_operand){NULL, 0};
    parsed.out = (uint32_t)1 << 25;
    parsed.scratch = (uint32_t)1 << 26;
    parsed.step.p.fully_connected.in_n = 1 << 24;
    assert_int_equal(thr_step_check(&large, &parsed), THR_OK);
    parsed.step.p.fully_connected.in_n++;
    assert_int_equal(thr_step_check(&large, &parsed), THR_ERR_MALFORMED);
  }
  assert_true(seen > 0);
}

/* --- graphs --- */

static void assert_same_graph(const th_graph *a, const th_graph *b) {
  th_buf ta = {0}, tb = {0};
  assert_int_equal(th_graph_print(a, -1, &ta), TH_OK);
  assert_int_equal(th_graph_print(b, -1, &tb), TH_OK);
  assert_string_equal(th_buf_cstr(&ta), th_buf_cstr(&tb));
  for (int i = 0; i < a->n_tensors; i++) {
    const th_tensor *t = &a->tensors[i];
    const int j = th_graph_find_tensor(b, t->name);
    assert_true(j >= 0);
    const th_tensor *u = &b->tensors[j];
    assert_int_equal(t->quant.count, u->quant.count);
    assert_int_equal(t->quant.axis, u->quant.axis);
    if (t->quant.count) assert_memory_equal(t->quant.scale, u->quant.scale, sizeof(float) * (size_t)t->quant.count);
    if (t->data) assert_memory_equal(t->data, u->data, th_tensor_bytes(t));
  }
  th_buf_free(&ta);
  th_buf_free(&tb);
}

static void test_graph_comes_back(void **state) {
  fixture *f = *state;
  th_buf blob = {0};
  th_graph *back;
  th_thim *program;
  assert_int_equal(th_write_thim_graph(f->graph, &blob), TH_OK);
  assert_int_equal(th_read_thim(blob.data, blob.size, "graph", &back, &program), TH_OK);
  assert_null(program);
  assert_same_graph(f->graph, back);
  th_graph_destroy(back);
  th_buf_free(&blob);
}

static void test_odd_floats_come_back(void **state) {
  static const char text[] =
      "graph odd\ninput %x f32 1x4\nconst %w f32 4 q(1.17549435e-38,0) = #1\nnode a = add(%x %w) -> %y f32 1x4 "
      "q(0.333333343,5)\noutput %y\n";
  fixture *f = *state;
  static const uint32_t bits[4] = {0x7fc00001u, 0x80000000u, 0x00000001u, 0x3eaaaaabu}; /* NaN, -0, denormal, 1/3 */
  th_graph *g, *back;
  th_thim *program;
  th_buf blob = {0};
  assert_int_equal(th_graph_parse(text, strlen(text), "odd", made_up, f->arena, &g), TH_OK);
  const int w = th_graph_find_tensor(g, "w");
  assert_int_equal(th_graph_set_data(g, w, TH_DTYPE_F32, &g->tensors[w].shape, bits), TH_OK);
  assert_int_equal(th_write_thim_graph(g, &blob), TH_OK);
  assert_int_equal(th_read_thim(blob.data, blob.size, "odd", &back, &program), TH_OK);
  assert_same_graph(g, back);
  th_graph_destroy(g);
  th_graph_destroy(back);
  th_buf_free(&blob);
}

static void test_damaged_graphs_are_refused(void **state) {
  fixture *f = *state;
  th_buf blob = {0};
  th_graph *graph;
  th_thim *program;
  assert_int_equal(th_write_thim_graph(f->graph, &blob), TH_OK);
  for (size_t at = 0; at<blob.size; at += at> 64 ? 97 : 1) {
    uint8_t *bad = malloc(blob.size);
    memcpy(bad, blob.data, blob.size);
    bad[at] ^= 0x10;
    assert_int_not_equal(th_read_thim(bad, blob.size, "bad", &graph, &program), TH_OK);
    th_error_clear();
    fix_checksum(bad, blob.size);
    if (th_read_thim(bad, blob.size, "bad", &graph, &program) == TH_OK) th_graph_destroy(graph);
    th_error_clear();
    free(bad);
  }
  for (size_t bytes = 0; bytes<blob.size; bytes += bytes> 64 ? 101 : 1) {
    uint8_t *cut = malloc(bytes);
    memcpy(cut, blob.data, bytes);
    assert_int_equal(th_read_thim(cut, bytes, "cut", &graph, &program), TH_ERR_INPUT);
    th_error_clear();
    if (bytes >= 16) {
      const uint32_t length = (uint32_t)bytes;
      memcpy(cut + 8, &length, 4);
      fix_checksum(cut, bytes);
      assert_int_equal(th_read_thim(cut, bytes, "cut", &graph, &program), TH_ERR_INPUT);
      th_error_clear();
    }
    free(cut);
  }
  th_buf_free(&blob);
}

/* --- faults --- */

/* Codes, plans, writes, reads and runs; whichever allocation fails, it says so and leaves nothing behind. */
static th_status everything_once(const th_graph *graph) {
  th_arena *arena = th_arena_create();
  th_program *p = NULL;
  th_buf program_blob = {0}, graph_blob = {0};
  th_graph *g = NULL, *back = NULL;
  th_thim *program = NULL, *none = NULL;
  uint8_t in[2][360] = {{0}}, out[3][192];
  const void *inputs[] = {in[0], in[1]};
  void *outputs[] = {out[0], out[1], out[2]};
  th_status status = arena ? th_lower(graph, &p) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = th_encode_program(p, NULL, NULL);
  if (status == TH_OK) status = th_pass_plan(p, NULL);
  if (status == TH_OK) status = th_write_thim_program(p, arena, &program_blob, NULL);
  if (status == TH_OK) status = th_write_thim_graph(graph, &graph_blob);
  if (status == TH_OK) status = th_read_thim(program_blob.data, program_blob.size, "program", &g, &program);
  if (status == TH_OK) status = th_read_thim(graph_blob.data, graph_blob.size, "graph", &back, &none);
  if (status == TH_OK) status = th_thim_run(program, 1, inputs, outputs);
  th_thim_close(program);
  th_graph_destroy(back);
  th_buf_free(&program_blob);
  th_buf_free(&graph_blob);
  th_program_destroy(p);
  th_arena_destroy(arena);
  return status;
}

static void test_every_allocation_fails_once(void **state) {
  fixture *f = *state;
  long failures = 0;
  for (long n = 0;; n++) {
    th_alloc_fail_after(n);
    const th_status status = everything_once(f->graph);
    th_alloc_fail_after(-1);
    if (status == TH_OK) break;
    if (status != TH_ERR_RESOURCE) fail_msg("allocation %ld: status %d, %s", n, status, th_error_message());
    th_error_clear();
    failures++;
  }
  assert_true(failures > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_runs_like_the_graph),
      cmocka_unit_test(test_single_steps_add_up_to_a_run),
      cmocka_unit_test(test_inputs_and_outputs),
      cmocka_unit_test(test_report_adds_up),
      cmocka_unit_test(test_equal_multipliers_are_stored_once),
      cmocka_unit_test(test_unplanned_program_is_refused),
      cmocka_unit_test(test_independent_decoder_agrees),
      cmocka_unit_test(test_every_byte_damaged),
      cmocka_unit_test(test_random_damage_of_the_records),
      cmocka_unit_test(test_every_length_truncated),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_longest_dense_row),
      cmocka_unit_test(test_graph_comes_back),
      cmocka_unit_test(test_odd_floats_come_back),
      cmocka_unit_test(test_damaged_graphs_are_refused),
      cmocka_unit_test(test_every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
