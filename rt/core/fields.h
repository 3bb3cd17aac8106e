/* The plain fields of the parameter structs, as data: the interpreter reads them from a blob and the host's writer
 * writes them by the same table. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FIELDS_H
#define THR_FIELDS_H

#include "thr.h"

enum { THR_FIELD_UINT, THR_FIELD_SINT, THR_FIELD_RAW };
enum { THR_FIELD_CONST, THR_FIELD_SAME };
#define THR_FIELDS_MOST 24 /* of one struct; also the bits of a mask */

typedef struct thr_field {
  uint8_t params; /* which struct: THR_PARAMS_* */
  uint8_t offset; /* in the struct */
  uint8_t bytes;  /* 1, 2 or 4 */
  uint8_t coding, rule;
  int8_t value;
} thr_field;

typedef enum thr_params_id {
  THR_PARAMS_conv2d,
  THR_PARAMS_fully_connected,
  THR_PARAMS_pool2d,
  THR_PARAMS_elementwise,
  THR_PARAMS_softmax,
  THR_PARAMS_unary,
  THR_PARAMS_mean,
  THR_PARAMS_copy,
  THR_PARAMS_pad,
  THR_PARAMS_quantize,
  THR_PARAMS_lookup,
  THR_PARAMS_argmax,
  THR_PARAMS_l2_normalization,
  THR_PARAMS_log_softmax,
  THR_PARAMS_strided_copy,
  THR_PARAMS_resize_nearest,
  THR_PARAMS_resize_bilinear,
  THR_PARAMS_batch_matmul,
  THR_PARAMS_requantize,
  THR_PARAMS_svdf,
  THR_PARAMS_lstm,
  THR_PARAMS_NONE
} thr_params_id;

/* A row of kernels.def. */
typedef struct thr_kernel_row {
  uint8_t params, inputs, scratch_align;
  uint8_t in_type, out_type; /* THR_DTYPE_* */
  uint8_t over;              /* the output may lie exactly over an input */
} thr_kernel_row;

const thr_kernel_row *thr_kernel_about(thr_kernel_id kernel); /* params is THR_PARAMS_NONE for unknown kernels */
thr_params_id thr_kernel_params(thr_kernel_id kernel);        /* likewise */
uint32_t thr_kernel_inputs(thr_kernel_id kernel);

uint32_t thr_dtype_bytes(uint32_t dtype); /* of one element; 0 for unknown types */
/* Smallest and largest value of an integer type; 0 and 0 for others. */
int32_t thr_dtype_lo(uint32_t dtype);
int32_t thr_dtype_hi(uint32_t dtype);

/* Rows of one struct, in mask order. */
const thr_field *thr_fields(thr_params_id params, uint32_t *count);

#endif
