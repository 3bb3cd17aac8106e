/* Weights as TensorFlow Lite Micro's operator TFLM_DECODE unpacks them: look-up table, Huffman code or zeros left out,
 * whichever is smallest. Not a coder of .thim files: the format is theirs (tensorflow/lite/micro/docs, "compression"),
 * and the whole tensor is unpacked to RAM before its layer runs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_TFLM_DECODE_H
#define TH_ENCODE_TFLM_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

typedef struct th_tflm_weights {
  const int8_t *values;
  size_t count;
  int channels;      /* of the quantization: 1, or as many scales as there are */
  bool channel_last; /* neighbours are of different channels */
  bool zero_is_zero; /* all zero points are 0, as leaving zeros out demands */
} th_tflm_weights;

typedef enum th_tflm_method { TH_TFLM_LUT, TH_TFLM_HUFFMAN, TH_TFLM_PRUNE, TH_TFLM_METHODS } th_tflm_method;

/* Appends the operator's two inputs: the stream, and the header with its tables. False when the method cannot hold
 * these weights (too many values for a table, a single value for a code). */
bool th_tflm_encode(const th_tflm_weights *w, th_tflm_method method, th_buf *stream, th_buf *ancillary);

/* The same with the method that takes fewest bytes in all; false when none does with less than the plain values and
 * `overhead` bytes. */
bool th_tflm_encode_smallest(const th_tflm_weights *w, size_t overhead, th_buf *stream, th_buf *ancillary);

#endif
