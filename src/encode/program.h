/* Coding a whole program: every step's weights by the smallest coder, every bias as narrow as it goes without loss.
 *
 * The .thim writer, the C writer and the size reports all start from the coded program, so they agree on every byte.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_PROGRAM_H
#define TH_ENCODE_PROGRAM_H

#include "encode/encode.h"
#include "eval/lower.h"

/* Bytes in flash of one step's constants, headers excluded. All zero for steps without weights. */
typedef struct th_step_bytes {
  thr_coder coder;
  uint32_t weights, table; /* stream and code table */
  uint32_t scratch;        /* raw weights: what the coder refused for it would have taken; 0: none was */
  uint32_t bias;           /* count * width */
  uint32_t requant;        /* 5 per distinct (multiplier, shift), 1 per channel where an index is needed; or coded
                            * channels, which hold the biases too */
} th_step_bytes;

/* Rewrites the steps in place (the coded data live in the program's arena) and their scratch_bytes; plan afterwards
 * (pass/plan.h). May be called again with other options. `bytes`: one entry per step, or NULL. */
th_status th_encode_program(th_program *program, const th_encode_options *options, th_step_bytes *bytes);

#endif
