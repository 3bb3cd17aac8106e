/* Opening .thim files and running programs. See thim.h. SPDX-License-Identifier: Apache-2.0 */
#include "read/thim.h"

#include <string.h>

#include "base/parallel.h"
#include "read/thim_parts.h"

bool th_thim_probe(const uint8_t *data, size_t size) {
  return size >= 4 && memcmp(data, "THIM", 4) == 0;
}

static th_status fail_status(const char *what, thr_status status) {
  return th_fail(TH_ERR_INPUT, "%s: %s", what, thr_status_text(status));
}

static th_status open_program(th_thim *p, const uint8_t *data, size_t size, const char *what) {
  p->arena = th_arena_create();
  if (!p->arena) return TH_ERR_RESOURCE;
  uint8_t *blob = th_arena_copy(p->arena, data, size); /* arena blocks are aligned */
  if (!blob) return TH_ERR_RESOURCE;
  const thr_status status = thr_open(&p->model, blob, size);
  return status == THR_OK ? TH_OK : fail_status(what, status);
}

static th_status read_program(const uint8_t *data, size_t size, const char *what, th_thim **program) {
  th_thim *p = th_alloc(sizeof *p);
  if (!p) return TH_ERR_RESOURCE;
  const th_status status = open_program(p, data, size, what);
  if (status == TH_OK)
    *program = p;
  else
    th_thim_close(p);
  return status;
}

th_status th_read_thim(const uint8_t *data, size_t size, const char *what, th_graph **graph, th_thim **program) {
  *graph = NULL;
  *program = NULL;
  if (size < THR_HEADER_BYTES) return fail_status(what, thr_header_check(data, size, THR_KIND_GRAPH));
  if (data[5] != THR_KIND_GRAPH) return read_program(data, size, what, program);
  const thr_status status = thr_header_check(data, size, THR_KIND_GRAPH);
  if (status != THR_OK) return fail_status(what, status);
  return th_thim_read_graph(data, size, what, graph);
}

void th_thim_close(th_thim *p) {
  if (!p) return;
  th_arena_destroy(p->arena);
  th_free(p);
}

int th_thim_inputs(const th_thim *p) {
  return p->model.inputs;
}
int th_thim_outputs(const th_thim *p) {
  return p->model.outputs;
}
thr_io_info th_thim_input(const th_thim *p, int i) {
  return thr_input_info(&p->model, (uint16_t)i);
}
thr_io_info th_thim_output(const th_thim *p, int i) {
  return thr_output_info(&p->model, (uint16_t)i);
}
uint32_t th_thim_arena_bytes(const th_thim *p) {
  return thr_arena_bytes(&p->model);
}

/* --- running --- */

enum { SAMPLES_PER_CHUNK = 16 };

typedef struct run {
  const th_thim *program;
  int samples;
  const void *const *inputs;
  void *const *outputs;
} run;

static void run_sample(const run *r, uint8_t *memory, int sample) {
  const thr_model *m = &r->program->model;
  for (uint16_t i = 0; i < m->inputs; i++) {
    const size_t bytes = thr_input_info(m, i).bytes;
    memcpy(thr_input(m, memory, i), (const uint8_t *)r->inputs[i] + (size_t)sample * bytes, bytes);
  }
  if (memory != r->program->stream) thr_reset(m, memory);
  thr_run(m, memory);
  for (uint16_t i = 0; i < m->outputs; i++) {
    const size_t bytes = thr_output_info(m, i).bytes;
    memcpy((uint8_t *)r->outputs[i] + (size_t)sample * bytes, thr_output(m, memory, i), bytes);
  }
}

static th_status run_chunk(void *arg, int chunk, int thread) {
  const run *r = arg;
  (void)thread;
  const int begin = chunk * SAMPLES_PER_CHUNK;
  const int end = r->samples - begin < SAMPLES_PER_CHUNK ? r->samples : begin + SAMPLES_PER_CHUNK;
  uint8_t *memory = th_alloc((size_t)thr_arena_bytes(&r->program->model) + 1);
  if (!memory) return TH_ERR_RESOURCE;
  for (int s = begin; s < end; s++) run_sample(r, memory, s);
  th_free(memory);
  return TH_OK;
}

th_status th_thim_stream(th_thim *program) {
  if (!program->stream) program->stream = th_arena_alloc(program->arena, (size_t)thr_arena_bytes(&program->model) + 1);
  if (!program->stream) return TH_ERR_RESOURCE;
  thr_reset(&program->model, program->stream);
  return TH_OK;
}

th_status th_thim_run(const th_thim *program, int samples, const void *const *inputs, void *const *outputs) {
  run r = {program, samples, inputs, outputs};
  for (int s = 0; program->stream && s < samples; s++) run_sample(&r, program->stream, s);
  if (program->stream) return TH_OK;
  const int chunks = samples / SAMPLES_PER_CHUNK + (samples % SAMPLES_PER_CHUNK != 0);
  return th_parallel_for(chunks, run_chunk, &r);
}
