/* See variant.h. This is the only place that asks the processor what it can do for integer kernels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/variant.h"

#include <stdbool.h>

#if defined(__x86_64__)
static bool runs_avx2(void) {
  return __builtin_cpu_supports("avx2");
}
static bool runs_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}

static const struct {
  th_variant variant;
  bool (*runs)(void);
} rows[] = {
#define THR_ISA(isa) {{#isa, thr_step_need_##isa, thr_step_pack_##isa, thr_step_batch_##isa}, runs_##isa},
#include "../../rt/kernel/x86/isa.def"
#undef THR_ISA
};
#endif

const th_variant *th_variant_nth(int i) {
#if defined(__x86_64__)
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
    if (rows[k].runs() && i-- == 0) return &rows[k].variant;
#else
  (void)i;
#endif
  return NULL;
}

th_status th_fast_step_prepare(th_arena *arena, const thr_step *step, int most, th_fast_step *fast) {
  *fast = (th_fast_step){0};
  const th_variant *v;
  for (int i = 0; i < most && (v = th_variant_nth(i)); i++) {
    thr_need need;
    if (v->need(step, &need)) *fast = (th_fast_step){.variant = v, .scratch_bytes = need.scratch_bytes};
  }
  if (!fast->variant) return TH_OK;
  thr_need need;
  fast->variant->need(step, &need);
  fast->packed = th_arena_alloc(arena, need.packed_bytes);
  if (!fast->packed) return TH_ERR_RESOURCE;
  fast->variant->pack(step, fast->packed);
  return TH_OK;
}

void th_fast_step_run(const th_fast_step *fast, const thr_step *step, const thr_batch *batch, void *scratch) {
  if (fast->variant) {
    fast->variant->batch(step, fast->packed, batch, scratch);
    return;
  }
  for (size_t i = 0; i < (size_t)batch->samples; i++) {
    const void *in[THR_STEP_INPUTS];
    for (int k = 0; k < THR_STEP_INPUTS; k++) in[k] = batch->in[k] ? batch->in[k] + i * batch->in_step[k] : NULL;
    thr_step_run(step, in, batch->out + i * batch->out_step, scratch);
  }
}
