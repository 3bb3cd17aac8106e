/* Float weights that are exact in half precision, in half the bytes: the constant becomes the output of a DEQUANTIZE
 * operator that reads a float16 constant, as TFLite stores float16 models. `quantize --weights float16` makes such
 * weights; what it saves must be more than the operator takes. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/half.h"
#include "format/tflite_schema.h"
#include "write/tflite_internal.h"

enum { DEQUANTIZE = 6, VERSION = 2, OPERATOR_BYTES = 256 };

static bool is_worth_it(const tfl_tensor *t) {
  const int64_t elems = th_shape_elems(&t->shape);
  return t->data && t->dtype == TH_DTYPE_F32 && 2 * elems > OPERATOR_BYTES && th_half_holds(t->data, elems);
}

/* A half per value beside the tensor, which gets an operator instead of its data. */
static th_status halve(tfl_writer *w, int index, tfl_operator *op) {
  const tfl_tensor t = w->tensors[index];
  const int64_t elems = th_shape_elems(&t.shape);
  const float *v = t.data;
  uint16_t *half = TH_ARRAY(w->scratch, uint16_t, elems);
  tfl_tensor narrow = {.dtype = TH_DTYPE_F16, .shape = t.shape, .quant = {.axis = -1}, .data = half};
  if (!half) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) half[i] = th_half_from_float(v[i]);
  *op = (tfl_operator){.code = DEQUANTIZE, .version = VERSION, .n_in = 1, .n_out = 1, .out = {index}};
  w->tensors[index].data = NULL;
  return th_tfl_add_tensor(w, &narrow, &op->in[0]);
}

th_status th_tfl_halve_weights(tfl_writer *w) {
  const int tensors = w->n_tensors;
  tfl_operator *ops = TH_ARRAY(w->scratch, tfl_operator, w->n_ops + tensors + 1);
  int n = 0;
  if (!ops) return TH_ERR_RESOURCE;
  for (int i = 0; i < tensors; i++)
    if (is_worth_it(&w->tensors[i])) TH_TRY(halve(w, i, &ops[n++]));
  if (w->n_ops) memcpy(ops + n, w->ops, (size_t)w->n_ops * sizeof *ops);
  w->ops = ops;
  w->n_ops += n;
  return TH_OK;
}
