/* Faster forms of kernels for a processor that is only known at run time: the host's. A firmware needs none of this.
 *
 * A variant of an instruction set has three functions over steps. `need` says whether it can run a step and what memory
 * that takes; `pack` brings the weights, once, into the order that it reads; `run` computes a batch of samples. The
 * result equals that of thr_step_run() bit for bit. Whoever calls asks the processor first: rt never does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_VARIANT_H
#define THR_VARIANT_H

#include "thr.h"
#include "thr_form.h"

#define THR_VARIANT_ALIGN 64 /* of packed weights and of scratch */

/* Sample i has its input k at in[k] + i * in_step[k] (step 0: a constant), its output at out + i * out_step. */
typedef struct thr_batch {
  int32_t samples;
  const int8_t *in[THR_STEP_INPUTS];
  size_t in_step[THR_STEP_INPUTS];
  int8_t *out;
  size_t out_step;
} thr_batch;

/* Returns 0 when the variant cannot run the step: a kernel it does not have, coded weights, or numbers so large that
 * its arithmetic could wrap where the reference's does not. */
typedef int thr_step_need_fn(const thr_step *step, thr_need *need);
typedef void thr_step_pack_fn(const thr_step *step, void *packed);
typedef void thr_step_batch_fn(const thr_step *step, const void *packed, const thr_batch *batch, void *scratch);

#define THR_ISA(isa)                    \
  thr_step_need_fn thr_step_need_##isa; \
  thr_step_pack_fn thr_step_pack_##isa; \
  thr_step_batch_fn thr_step_batch_##isa;
#include "../kernel/x86/isa.def"
#undef THR_ISA

#endif
