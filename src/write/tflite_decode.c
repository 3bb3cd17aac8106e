/* Weights behind TFLM_DECODE operators: the tensor of the weights becomes the output of an operator that stands right
 * before the layer that reads it, and holds it only until then. See tflite.h for what decides which weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "format/tflite_schema.h"
#include "write/tflite_internal.h"

enum { CONV_2D = 3, DEPTHWISE_CONV_2D = 4, FULLY_CONNECTED = 9 }; /* their codes in files */

static bool takes_decoded_weights(const tfl_operator *op) {
  return op->code == CONV_2D || op->code == DEPTHWISE_CONV_2D || op->code == FULLY_CONNECTED;
}

static th_status add_bytes(tfl_writer *w, const th_buf *bytes, int *index) {
  uint8_t *copy = th_arena_alloc(w->scratch, bytes->size + 1);
  tfl_tensor t = {.dtype = TH_DTYPE_U8, .quant = {.axis = -1}, .data = copy};
  TH_TRY(th_buf_status(bytes));
  if (!copy) return TH_ERR_RESOURCE;
  memcpy(copy, bytes->data, bytes->size);
  t.shape = th_shape_make(1, (int32_t)bytes->size);
  return th_tfl_add_tensor(w, &t, index);
}

/* The operator that makes `weights`, or nothing when `code` refuses them. */
static th_status decode_tensor(tfl_writer *w, const th_tflite_coder *coder, int weights, tfl_operator *decode,
                               bool *coded) {
  th_buf stream = {0}, ancillary = {0};
  tfl_tensor *t = &w->tensors[weights];
  *decode = (tfl_operator){.code = TFL_CODE_CUSTOM_OP, .version = 1, .custom = "TFLM_DECODE", .n_in = 2, .n_out = 1};
  *coded = coder->code(coder->user, t->data, &t->shape, &t->quant, &stream, &ancillary);
  th_status status = *coded ? add_bytes(w, &stream, &decode->in[0]) : th_buf_status(&stream);
  if (*coded && status == TH_OK) status = add_bytes(w, &ancillary, &decode->in[1]);
  decode->out[0] = weights;
  if (*coded) w->tensors[weights].data = NULL;
  th_buf_free(&stream);
  th_buf_free(&ancillary);
  return status;
}

/* Weights that two layers share are decoded for each, from the same stream, into a tensor of its own. */
static th_status decode_again(tfl_writer *w, const tfl_operator *made, tfl_operator *decode) {
  *decode = *made;
  const tfl_tensor copy = w->tensors[made->out[0]];
  return th_tfl_add_tensor(w, &copy, &decode->out[0]);
}

static const tfl_operator *maker_of(const tfl_operator *ops, int n, int tensor) {
  for (int i = 0; i < n; i++)
    if (ops[i].custom && ops[i].out[0] == tensor) return &ops[i];
  return NULL;
}

th_status th_tfl_decode_weights(tfl_writer *w, const th_tflite_coder *coder) {
  tfl_operator *ops = TH_ARRAY(w->scratch, tfl_operator, 2 * w->n_ops + 1);
  int n = 0;
  if (!ops) return TH_ERR_RESOURCE;
  for (int i = 0; i < w->n_ops; i++) {
    tfl_operator op = w->ops[i];
    const int weights = op.n_in > 1 ? op.in[1] : -1;
    const tfl_operator *made = weights >= 0 ? maker_of(ops, n, weights) : NULL;
    bool coded = made != NULL;
    if (made) {
      TH_TRY(decode_again(w, made, &ops[n]));
    } else if (weights >= 0 && takes_decoded_weights(&op) && w->tensors[weights].data &&
               w->tensors[weights].dtype == TH_DTYPE_S8) {
      TH_TRY(decode_tensor(w, coder, weights, &ops[n], &coded));
    }
    if (coded) op.in[1] = ops[n++].out[0];
    ops[n++] = op;
  }
  w->ops = ops;
  w->n_ops = n;
  return TH_OK;
}
