/* Which form of a kernel runs a step on this processor: the variants of rt/include/thr_variant.h that it supports, and
 * a step made ready for one of them. They give the same bits as the reference, so the choice is one of speed alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_EVAL_VARIANT_H
#define TH_EVAL_VARIANT_H

#include "base/arena.h"
#include "base/status.h"
#include "thr_variant.h"

typedef struct th_variant {
  const char *name; /* "avx2" */
  thr_step_need_fn *need;
  thr_step_pack_fn *pack;
  thr_step_batch_fn *batch;
} th_variant;

/* The i-th variant that this processor runs, best last; NULL past the end, so for all i where there is none. */
const th_variant *th_variant_nth(int i);

typedef struct th_fast_step {
  const th_variant *variant; /* NULL: the reference */
  void *packed;
  size_t scratch_bytes;
} th_fast_step;

#define TH_VARIANT_BEST 100

/* Chooses the best of the first `most` variants for a step and packs its weights into `arena`. */
th_status th_fast_step_prepare(th_arena *arena, const thr_step *step, int most, th_fast_step *fast);
/* Runs a batch by the chosen variant or, sample after sample, by the reference. */
void th_fast_step_run(const th_fast_step *fast, const thr_step *step, const thr_batch *batch, void *scratch);

#endif
