/* Operators with state and variables as .tflite operators. The states of SVDF and LSTM are variable tensors of the
 * file; others are resource variables, which VAR_HANDLE finds by name. See tflite_ops.c. SPDX-License-Identifier:
 * Apache-2.0 */
#include <string.h>

#include "format/tflite_schema.h"
#include "write/tflite_internal.h"

/* Puts the node's inputs where `to` says that the file has them; all others are absent. */
static th_status begin(tfl_writer *w, const th_node *n, const tfl_out_row *row, const int *to, int n_in,
                       tfl_operator **op) {
  int places[TH_MAX_INPUTS];
  for (int i = 0; i < n->n_in; ++i) {
    const th_tensor *t = th_node_in(w->g, n, i);
    if (t && t->initial) return TFL_NODE_FAIL(n, "its state does not begin as zero, which .tflite cannot express");
    if (t && th_dtype_is_int(t->dtype) && !t->quant.count && i > 0)
      return th_fail(TH_ERR_INPUT, "%s (%s): input %s has no scale", n->name, th_op_name(n->op), t->name);
  }
  TH_TRY(th_tfl_begin(w, n, row, n->n_in, op));
  memcpy(places, (*op)->in, sizeof places);
  for (int i = 0; i < n_in; ++i) (*op)->in[i] = -1;
  for (int i = 0; i < n->n_in; ++i) (*op)->in[to[i]] = places[i];
  (*op)->n_in = n_in;
  return TH_OK;
}

th_status th_tfl_write_svdf(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  static const int to[5] = {0, 1, 2, 4, 3};
  tfl_operator *op;
  TH_TRY(begin(w, n, row, to, 5, &op));
  th_tfl_option(op, th_fb_field_s32(TFL_SVDF_RANK, n->attr[TH_ATTR_RANK].i));
  return th_tfl_put_activation(n, op, TFL_SVDF_ACTIVATION);
}

th_status th_tfl_write_lstm(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  static const int to[15] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19};
  tfl_operator *op;
  if (n->attr[TH_ATTR_RESTART].i)
    return TFL_NODE_FAIL(n, "its states begin anew in each run, which .tflite cannot express");
  if (n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_TANH) return TFL_NODE_FAIL(n, "its activation is not tanh");
  TH_TRY(begin(w, n, row, to, 24, &op));
  th_tfl_option(op, th_fb_field_u8(TFL_LSTM_ACTIVATION, 4));
  th_tfl_option(op, th_fb_field_f32(TFL_LSTM_CELL_CLIP, n->attr[TH_ATTR_CLIP].f));
  if (th_node_in(w->g, n, 0)->shape.dim[0] != 1) th_tfl_option(op, th_fb_field_u8(TFL_LSTM_TIME_MAJOR, 1));
  return TH_OK;
}

/* --- resource variables --- */

static th_status put_handle(tfl_writer *w, const th_node *n, const th_tensor *variable, int *handle) {
  static const tfl_out_row row = {.code = 142, .version_f32 = 1, .version_s8 = 1, .options = 111};
  const tfl_tensor t = {.shape = {.rank = 0}, .quant = {.axis = -1}, .is_handle = true};
  tfl_operator *op;
  if (variable->initial)
    return th_fail(TH_ERR_INPUT, "%s (%s): variable %s does not begin as zero; such are not written as .tflite",
                   n->name, th_op_name(n->op), variable->name);
  TH_TRY(th_tfl_add_tensor(w, &t, handle));
  TH_TRY(th_tfl_add_operator(w, n, &row, &op));
  op->out[op->n_out++] = *handle;
  op->name = variable->name;
  th_tfl_option(op, th_fb_ref(TFL_VAR_HANDLE_NAME));
  return TH_OK;
}

th_status th_tfl_write_read_variable(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  int handle, value;
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(put_handle(w, n, th_node_in(w->g, n, 0), &handle));
  TH_TRY(th_tfl_place(w, n->out[0], &value));
  TH_TRY(th_tfl_add_operator(w, n, row, &op));
  op->in[op->n_in++] = handle;
  op->out[op->n_out++] = value;
  return TH_OK;
}

th_status th_tfl_write_assign_variable(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  int handle, value;
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(put_handle(w, n, th_node_out(w->g, n, 0), &handle));
  TH_TRY(th_tfl_place(w, n->in[0], &value));
  TH_TRY(th_tfl_add_operator(w, n, row, &op));
  op->in[op->n_in++] = handle;
  op->in[op->n_in++] = value;
  return TH_OK;
}
