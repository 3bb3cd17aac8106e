/* Elements whose type is known only at run time, THR_DTYPE_*. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_ANY_H
#define THR_ANY_H

#include "arith.h"

static inline int32_t thr_get_any(const void *p, size_t i, int type) {
  switch (type) {
    case THR_DTYPE_U8:
      return ((const uint8_t *)p)[i];
    case THR_DTYPE_S16:
      return ((const int16_t *)p)[i];
    case THR_DTYPE_S32:
      return ((const int32_t *)p)[i];
    default:
      return ((const int8_t *)p)[i];
  }
}

/* Clamps to the type. */
static inline void thr_set_any(void *p, size_t i, int type, int32_t v) {
  switch (type) {
    case THR_DTYPE_U8:
      ((uint8_t *)p)[i] = (uint8_t)thr_clamp(v, 0, UINT8_MAX);
      break;
    case THR_DTYPE_S16:
      ((int16_t *)p)[i] = (int16_t)thr_clamp(v, INT16_MIN, INT16_MAX);
      break;
    case THR_DTYPE_S32:
      ((int32_t *)p)[i] = v;
      break;
    default:
      ((int8_t *)p)[i] = (int8_t)thr_clamp(v, INT8_MIN, INT8_MAX);
  }
}

#endif
