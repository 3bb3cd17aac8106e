/* The writer lays the file out, the encoder codes weights; this file joins them. See tflite_decode.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/tflite_decode.h"

#include "base/file.h"
#include "encode/tflm_decode.h"
#include "report/table.h"

/* An operator, its lists, two tensors and two buffers take about this many bytes of a file. */
enum { OPERATOR_BYTES = 200 };

static bool all_zero(const th_quant *q) {
  for (int i = 0; i < q->count; i++)
    if (q->zero[i] != 0) return false;
  return q->count > 0;
}

static bool code_weights(void *user, const int8_t *weights, const th_shape *shape, const th_quant *quant,
                         th_buf *stream, th_buf *ancillary) {
  const int channels = quant->count > 1 ? quant->count : 1;
  const bool last = channels > 1 && quant->axis == shape->rank - 1;
  (void)user;
  if (channels > 1 && !last && quant->axis != 0) return false; /* the operator knows no other axis */
  const th_tflm_weights w = {weights, (size_t)th_shape_elems(shape), channels, last, all_zero(quant)};
  return th_tflm_encode_smallest(&w, OPERATOR_BYTES, stream, ancillary);
}

th_status th_tflite_decode_save(const th_model *model, const char *path, th_result *r) {
  const th_tflite_coder coder = {code_weights, NULL};
  th_buf coded = {0}, plain = {0};
  char a[32], b[32];
  th_status status = th_model_to_tflite(model, &coder, &coded);
  if (status == TH_OK) status = th_model_to_tflite(model, NULL, &plain);
  if (status == TH_OK) status = th_file_write(path, coded.data, coded.size);
  if (status == TH_OK) {
    th_json_add_int(r->json, "tflite_bytes", (int64_t)coded.size);
    th_json_add_int(r->json, "tflite_plain_bytes", (int64_t)plain.size);
    th_buf_printf(&r->text, ".tflite with coded weights: %s bytes; without: %s\n\n",
                  th_thousands(a, (int64_t)coded.size), th_thousands(b, (int64_t)plain.size));
  }
  th_buf_free(&coded);
  th_buf_free(&plain);
  return status;
}
