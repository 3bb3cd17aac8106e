/* The three functions of this instruction set over steps, made from kernels.def. See thr_variant.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "x86.h"

int THR_X86_NAME(step_need)(const thr_step *step, thr_need *need) {
  switch (step->kernel) {
#define THR_X86(id, name, params) \
  case THR_KERNEL_##id:           \
    return THR_X86_NAME(name##_need)(&step->p.params, need);
#include "kernels.def"
#undef THR_X86
    default:
      return 0;
  }
}

void THR_X86_NAME(step_pack)(const thr_step *step, void *packed) {
  switch (step->kernel) {
#define THR_X86(id, name, params)                       \
  case THR_KERNEL_##id:                                 \
    THR_X86_NAME(name##_pack)(&step->p.params, packed); \
    break;
#include "kernels.def"
#undef THR_X86
    default:
      break;
  }
}

void THR_X86_NAME(step_batch)(const thr_step *step, const void *packed, const thr_batch *batch, void *scratch) {
  switch (step->kernel) {
#define THR_X86(id, name, params)                                \
  case THR_KERNEL_##id:                                          \
    THR_X86_NAME(name)(&step->p.params, packed, batch, scratch); \
    break;
#include "kernels.def"
#undef THR_X86
    default:
      break;
  }
}
