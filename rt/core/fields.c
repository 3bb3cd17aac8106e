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

static const thr_kernel_row kernels[THR_KERNEL_COUNT] = {
    {THR_PARAMS_NONE, 0, 0, 0, 0, 0},
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) \
  {THR_PARAMS_##params, n_in, scratch, THR_DTYPE_##t_in, THR_DTYPE_##t_out, over},
#include "../kernel/kernels.def"
#undef THR_KERNEL
};

const thr_kernel_row *thr_kernel_about(thr_kernel_id kernel) {
  return &kernels[(uint32_t)kernel < THR_KERNEL_COUNT ? kernel : THR_KERNEL_NONE];
}

thr_params_id thr_kernel_params(thr_kernel_id kernel) {
  return (thr_params_id)thr_kernel_about(kernel)->params;
}

uint32_t thr_kernel_inputs(thr_kernel_id kernel) {
  return thr_kernel_about(kernel)->inputs;
}

uint32_t thr_dtype_bytes(uint32_t dtype) {
  switch (dtype) {
    case THR_DTYPE_S8:
    case THR_DTYPE_U8:
      return 1;
    case THR_DTYPE_S16:
      return 2;
    case THR_DTYPE_S32:
    case THR_DTYPE_F32:
      return 4;
    default:
      return 0;
  }
}

int32_t thr_dtype_lo(uint32_t dtype) {
  return dtype == THR_DTYPE_S8 ? INT8_MIN : dtype == THR_DTYPE_S16 ? INT16_MIN : dtype == THR_DTYPE_S32 ? INT32_MIN : 0;
}

int32_t thr_dtype_hi(uint32_t dtype) {
  switch (dtype) {
    case THR_DTYPE_S8:
      return INT8_MAX;
    case THR_DTYPE_U8:
      return UINT8_MAX;
    case THR_DTYPE_S16:
      return INT16_MAX;
    default:
      return dtype == THR_DTYPE_S32 ? INT32_MAX : 0;
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
