/* Reading .thim files: graphs become th_graph again; programs are opened by the runtime itself and can be run and
 * looked into. Layout: docs/format.md. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_THIM_H
#define TH_READ_THIM_H

#include "ir/graph.h"
#include "thr.h"

typedef struct th_thim th_thim; /* a program, opened */

bool th_thim_probe(const uint8_t *data, size_t size); /* starts like a .thim file */

/* Sets exactly one of *graph and *program, by the file's kind; the other becomes NULL. `data` is copied. */
th_status th_read_thim(const uint8_t *data, size_t size, const char *what, th_graph **graph, th_thim **program);
void th_thim_close(th_thim *program); /* accepts NULL */

int th_thim_inputs(const th_thim *program);
int th_thim_outputs(const th_thim *program);
thr_io_info th_thim_input(const th_thim *program, int i);
thr_io_info th_thim_output(const th_thim *program, int i);
uint32_t th_thim_arena_bytes(const th_thim *program);

/* From now on variables keep their values from sample to sample and from run to run; else each sample begins anew. */
th_status th_thim_stream(th_thim *program);
/* Runs `samples` samples by the runtime's interpreter, spread over threads. inputs[i], outputs[i]: sample after sample,
 * th_thim_input(i).bytes each. */
th_status th_thim_run(const th_thim *program, int samples, const void *const *inputs, void *const *outputs);

/* One step, as `info` shows it. */
typedef struct th_thim_step {
  const char *kernel; /* "conv2d_s8" */
  const char *coder;  /* "gap_huffman"; NULL without weights */
  uint32_t bytes;     /* of the record, multipliers excluded */
  uint32_t weight_bytes, table_bytes;
  uint32_t rows, row_elems; /* weights: one row per output channel */
  uint64_t macs;
  uint32_t scratch_bytes;
} th_thim_step;
int th_thim_steps(const th_thim *program);
th_thim_step th_thim_step_info(const th_thim *program, int step);
/* Decodes the rows * row_elems weights of a step, in storage order; they live in `arena`. NULL in *weights without. */
th_status th_thim_step_weights(const th_thim *program, int step, th_arena *arena, const int8_t **weights);

#endif
