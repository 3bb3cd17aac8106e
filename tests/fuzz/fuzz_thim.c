/* Fuzzes the opener of .thim files, and the interpreter and the readers behind it. Length and checksum are set right
 * first, so that damage reaches the records; a program that is accepted and small is run in an arena that a
 * forbidden page follows. SPDX-License-Identifier: Apache-2.0 */
#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "fuzz/exercise.h"
#include "fuzz/guard.h"
#include "read/thim.h"

enum { MOST_ARENA = 1 << 16, MOST_WORK = 1 << 21 };

/* An upper bound of the inner loop's turns, from the sizes that thr_open has found to fit the arena. */
static uint64_t work_of(const thr_step *step, uint64_t arena_bytes) {
  uint32_t rows, row;
  const thr_params_id params = thr_kernel_params(step->kernel);
  thr_step_weight_rows(step, &rows, &row);
  if (params == THR_PARAMS_pool2d)
    return (uint64_t)step->p.pool2d.kernel_y * (uint64_t)step->p.pool2d.kernel_x * arena_bytes;
  if (params == THR_PARAMS_mean) return arena_bytes * arena_bytes / 16;
  if (rows == 0) return arena_bytes;
  if (params == THR_PARAMS_fully_connected) return (uint64_t)rows * row;
  return (uint64_t)row * arena_bytes + (uint64_t)rows * row;
}

static int is_quick(const thr_model *m) {
  thr_cursor c = {m->blob + m->steps_at, m->blob + m->blob_bytes, 0};
  uint64_t work = 0;
  for (int i = 0; i < m->steps; i++) {
    thr_parsed_step parsed;
    if (thr_step_parse(m, &c, &parsed) != THR_OK) abort();                       /* thr_open has accepted it */
    const uint64_t times = parsed.chained ? parsed.rows / parsed.kept + 1u : 1u; /* a ring is filled more than once */
    work += work_of(&parsed.step, m->arena_bytes) * times;
  }
  return work <= MOST_WORK && m->arena_bytes <= MOST_ARENA;
}

/* In an arena that ends, or begins, at a forbidden page. */
static void run(const thr_model *m, int at_begin) {
  guarded arena = at_begin ? guard_begin(m->arena_bytes) : guard_end(m->arena_bytes, 4);
  for (uint16_t i = 0; i < m->inputs; i++) memset(thr_input(m, arena.data, i), 77, thr_input_info(m, i).bytes);
  thr_reset(m, arena.data);
  thr_run(m, arena.data);
  guard_free(&arena);
}

static void set_header(uint8_t *blob, size_t size) {
  const uint32_t length = (uint32_t)size, crc = thr_crc32(blob + 16, size - 16);
  memcpy(blob, "THIM\1", 5);
  blob[6] &= 3;
  blob[7] = 0;
  memcpy(blob + 8, &length, 4);
  memcpy(blob + 12, &crc, 4);
}

static void read_on_host(const uint8_t *blob, size_t size) {
  th_graph *graph;
  th_thim *program;
  if (th_read_thim(blob, size, "fuzz", &graph, &program) == TH_OK) {
    for (int i = 0; program && i < th_thim_steps(program); i++) th_thim_step_info(program, i);
    if (graph) exercise(graph);
    th_thim_close(program);
  }
  th_error_clear();
}

/* Looks at every byte that it is given and accepts it: what follows must be safe behind any signature. */
static int accept(void *user, const uint8_t *message, size_t message_bytes, const uint8_t *signature,
                  size_t signature_bytes) {
  (void)user;
  return thr_crc32(message, message_bytes) != thr_crc32(signature, signature_bytes) || 1;
}

/* As it came, with its own length and checksum: as a plain file and as a signed one. */
static void open_as_it_is(const uint8_t *data, size_t size) {
  const thr_signer signer = {accept, NULL, 0, THR_SCHEME_ED25519};
  guarded copy = guard_copy(data, size, 4);
  thr_model m;
  thr_open(&m, copy.data, size);
  if (thr_open_signed(&m, copy.data, size, &signer) == THR_OK && is_quick(&m)) run(&m, 0);
  guard_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  thr_model m;
  open_as_it_is(data, size);
  uint8_t *fixed = malloc(size + 1);
  if (!fixed) return 0;
  if (size > 0) memcpy(fixed, data, size);
  if (size >= 16) set_header(fixed, size);
  guarded blob = guard_copy(fixed, size, 4); /* whoever writes to it ends here */
  free(fixed);
  if (thr_open(&m, blob.data, size) == THR_OK && is_quick(&m)) {
    run(&m, 0);
    run(&m, 1);
  }
  if (size >= 16) read_on_host(blob.data, size);
  guard_free(&blob);
  return 0;
}
