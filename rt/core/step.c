/* Runs one step and says what scratch it needs: the two switches over all kernels, made from kernels.def.
 *
 * A kernel's row says how many inputs it has and whether it takes scratch, which picks the form of its call.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../kernel/select.h"
#include "thr.h"

#define CALL_1_0(name, params) thr_##name(&step->p.params, in[0], out)
#define CALL_1_1(name, params) thr_##name(&step->p.params, in[0], out, scratch)
#define CALL_1_4(name, params) CALL_1_1(name, params)
#define CALL_2_0(name, params) thr_##name(&step->p.params, in[0], in[1], out)
#define CALL_2_1(name, params) thr_##name(&step->p.params, in[0], in[1], out, scratch)
#define CALL_2_4(name, params) CALL_2_1(name, params)
#define CALL_3_0(name, params) thr_##name(&step->p.params, in[0], in[1], in[2], out)
#define CALL_3_1(name, params) thr_##name(&step->p.params, in[0], in[1], in[2], out, scratch)
#define CALL_3_4(name, params) CALL_3_1(name, params)
#define SCRATCH_0(name, params) 0
#define SCRATCH_1(name, params) thr_##name##_scratch_bytes(&step->p.params)
#define SCRATCH_4(name, params) SCRATCH_1(name, params)

void thr_step_run(const thr_step *step, const void *const *in, void *out, void *scratch) {
  switch (step->kernel) {
#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over) \
  case THR_KERNEL_##id:                                                    \
    CALL_##n_in##_##has_scratch(name, params);                             \
    break;
#include "../kernel/kernels.def"
#undef THR_KERNEL
    case THR_KERNEL_NONE:
    case THR_KERNEL_COUNT:
      break;
  }
}

uint32_t thr_step_scratch_bytes(const thr_step *step) {
  switch (step->kernel) {
#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over) \
  case THR_KERNEL_##id:                                                    \
    return SCRATCH_##has_scratch(name, params);
#include "../kernel/kernels.def"
#undef THR_KERNEL
    case THR_KERNEL_NONE:
    case THR_KERNEL_COUNT:
      break;
  }
  return 0;
}
