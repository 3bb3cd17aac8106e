/* Writing .thim files: compiled programs for the runtime, and graphs for later work. Layout: docs/format.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_THIM_H
#define TH_WRITE_THIM_H

#include "base/arena.h"
#include "base/bytes.h"
#include "eval/lower.h"

/* Bytes of one step's record, by what they are for; their sum is the record plus its multipliers. */
typedef struct th_thim_step_bytes {
  const char *name; /* of the layer */
  thr_kernel_id kernel;
  thr_coder coder;
  uint32_t elems;   /* weights */
  uint32_t weights; /* weight stream */
  uint32_t table;   /* coder's table */
  uint32_t bias;
  uint32_t requant;   /* multipliers (unless shared with an earlier step), shifts, indices */
  uint32_t constants; /* constant operands */
  uint32_t head;      /* everything else: kernel, places, parameters, lengths */
} th_thim_step_bytes;

typedef struct th_thim_report {
  uint32_t total;
  uint32_t header; /* fixed header, inputs and outputs */
  th_thim_step_bytes *steps;
  int n_steps;
} th_thim_report;

/* Appends a blob of kind "program". The program must have been planned (pass/plan.h), and coded (encode/program.h) if
 * it is to be small. The runtime opens the result before this returns. `report` (or NULL) says where the bytes went;
 * its array and scratch live in `arena`. TH_ERR_INPUT, naming the layer, for what the format cannot hold; TH_ERR_USAGE
 * when the program is not planned. */
th_status th_write_thim_program(const th_program *program, th_arena *arena, th_buf *out, th_thim_report *report);

/* Appends a blob of kind "graph": the text form and the constants, which reads back as exactly the same graph. */
th_status th_write_thim_graph(const th_graph *graph, th_buf *out);

#endif
