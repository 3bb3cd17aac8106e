/* The kernels of this folder, for this build: each has three functions, as thr_variant.h has them for steps.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_X86_X86_H
#define THR_X86_X86_H

#include "simd.h"

#define THR_X86(id, name, params)                                                \
  int THR_X86_NAME(name##_need)(const thr_##params##_params *p, thr_need *need); \
  void THR_X86_NAME(name##_pack)(const thr_##params##_params *p, void *packed);  \
  void THR_X86_NAME(name)(const thr_##params##_params *p, const void *packed, const thr_batch *b, void *scratch);
#include "kernels.def"
#undef THR_X86

#endif
