/* The tables made from fields.def and kernels.def. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

static const thr_field fields[] = {
#define THR_FIELD(params, member, coding, rule, value)    \
  {THR_PARAMS_##params,                                   \
   (uint8_t)offsetof(thr_##params##_params, member),      \
   (uint8_t)sizeof(((thr_##params##_params *)0)->member), \
   THR_FIELD_##coding,                                    \
   THR_FIELD_##rule,                                      \
   value},
#include "fields.def"
#undef THR_FIELD
};

thr_params_id thr_kernel_params(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_KERNEL(id, name, params, n_in, scratch) \
  case THR_KERNEL_##id:                             \
    return THR_PARAMS_##params;
#include "../kernel/kernels.def"
#undef THR_KERNEL
    default:
      return THR_PARAMS_NONE;
  }
}

uint32_t thr_kernel_inputs(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_KERNEL(id, name, params, n_in, scratch) \
  case THR_KERNEL_##id:                             \
    return n_in;
#include "../kernel/kernels.def"
#undef THR_KERNEL
    default:
      return 0;
  }
}

const thr_field *thr_fields(thr_params_id params, uint32_t *count) {
  const uint32_t all = (uint32_t)(sizeof fields / sizeof fields[0]);
  uint32_t first = 0;
  while (first < all && fields[first].params != params) first++;
  *count = 0;
  while (first + *count < all && fields[first + *count].params == params) ++*count;
  return fields + first;
}
