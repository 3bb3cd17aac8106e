/* Element types, shapes and quantization parameters.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_IR_TYPES_H
#define TH_IR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TH_MAX_RANK 6

typedef enum th_dtype {
  TH_DTYPE_NONE,
  TH_DTYPE_F32,
  TH_DTYPE_F16,
  TH_DTYPE_S4, /* stored one value per byte in the graph; packed only in files */
  TH_DTYPE_S8,
  TH_DTYPE_U8,
  TH_DTYPE_S16,
  TH_DTYPE_S32,
  TH_DTYPE_S64,
  TH_DTYPE_BOOL,
  TH_DTYPE_COUNT
} th_dtype;

const char *th_dtype_name(th_dtype t);         /* "f32", "s8", ... */
th_dtype th_dtype_from_name(const char *name); /* TH_DTYPE_NONE when unknown */
size_t th_dtype_bytes(th_dtype t);             /* bytes of one element in a graph blob; S4 and BOOL take 1 */
bool th_dtype_is_int(th_dtype t);
int32_t th_dtype_lo(th_dtype t); /* smallest and largest value of an integer type up to 32 bits */
int32_t th_dtype_hi(th_dtype t);

/* Activations are (n, y, x, c) or (n, c) with n = 1 in the graph: the batch is not part of a model. Weights are OHWI:
 * conv2d (oc, ky, kx, ic / groups); depthwise (1, ky, kx, oc); fully connected (o, i). */
typedef struct th_shape {
  int rank; /* 0 = scalar */
  int32_t dim[TH_MAX_RANK];
} th_shape;

th_shape th_shape_make(int rank, ...); /* int32_t each */
int64_t th_shape_elems(const th_shape *s);
bool th_shape_eq(const th_shape *a, const th_shape *b);
/* Writes "1x28x28x1" into buf and returns it. */
#define TH_SHAPE_TEXT 80
const char *th_shape_text(const th_shape *s, char buf[TH_SHAPE_TEXT]);
bool th_shape_parse(const char *text, th_shape *s); /* "1x28x28x1" */

/* real = scale * (q - zero). Per tensor: count 1, axis -1. Per channel: count = dim[axis]. count 0 = not quantized.
 * On an F32 tensor it says that the float values lie (constants) or will lie (activations) on this grid: calibration
 * and the training constraints write it, pass/quantize.h obeys it. Whoever changes such a constant's values clears it.
 */
typedef struct th_quant {
  int count;
  int axis;
  const float *scale;
  const int32_t *zero;
} th_quant;

#endif
