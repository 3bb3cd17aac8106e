/* Operators of .tflite files with state: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM. Their states are variables of the file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/tflite_schema.h"
#include "read/tflite_internal.h"

static th_status need_variable(tfl_reader *r, const tfl_op *o, int input) {
  const th_tensor *t = th_tfl_tensor(r, o->in[input]);
  if (t && t->is_variable && !t->data) return TH_OK;
  return th_tfl_fail(r, o, "its state (input %d) is not a variable", input);
}

/* Weights and biases: constants; in a float layer, float. */
static th_status need_constants(tfl_reader *r, const tfl_op *o, int first, int last, bool optional) {
  for (int i = first; i <= last; ++i) {
    const th_tensor *t = o->in[i] < 0 ? NULL : th_tfl_tensor(r, o->in[i]);
    if (!t && optional) continue;
    if (!t || !t->data) return th_tfl_fail(r, o, "input %d is not a constant", i);
    if (th_tfl_tensor(r, o->in[0])->dtype == TH_DTYPE_F32) TH_TRY(th_tfl_make_float(r, o, o->in[i]));
  }
  return TH_OK;
}

th_status th_tfl_read_svdf(tfl_reader *r, const tfl_op *o) {
  const int in[5] = {o->in[0], o->in[1], o->in[2], o->in[4], o->in[3]}; /* the file has the state last */
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 3, 5));
  if (o->n_in != 5 || o->in[4] < 0) return th_tfl_fail(r, o, "has %d inputs, expected 5", o->n_in);
  TH_TRY(need_constants(r, o, 1, 2, false));
  TH_TRY(need_constants(r, o, 3, 3, true));
  TH_TRY(need_variable(r, o, 4));
  TH_TRY(th_tfl_node(r, o, in, 5, &n));
  n->attr[TH_ATTR_RANK].i = th_fb_s32(o->options, TFL_SVDF_RANK, 0);
  return th_tfl_activation(r, o, TFL_SVDF_ACTIVATION, n);
}

/* The file's order: x, 4 input weights, 4 recurrent weights, 3 peephole weights, 4 biases, projection and its bias,
 * hidden and cell state, 4 normalization weights. */
th_status th_tfl_read_lstm(tfl_reader *r, const tfl_op *o) {
  static const int from[15] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19};
  int in[15];
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 24));
  if (o->n_in < 20) return th_tfl_fail(r, o, "has %d inputs, expected 20 to 24", o->n_in);
  for (int i = 9; i < o->n_in; ++i) {
    const bool used = i >= 12 && i != 16 && i != 17 && i < 20;
    if (!used && o->in[i] >= 0)
      return th_tfl_fail(r, o, "%s weights are not supported",
                         i < 12   ? "peephole"
                         : i < 18 ? "projection"
                                  : "normalization");
  }
  if (o->in[1] < 0 || o->in[5] < 0) return th_tfl_fail(r, o, "a coupled input gate is not supported");
  TH_TRY(need_constants(r, o, 1, 8, false));
  TH_TRY(need_constants(r, o, 12, 15, false));
  TH_TRY(need_variable(r, o, 18));
  TH_TRY(need_variable(r, o, 19));
  for (int i = 0; i < 15; ++i) in[i] = o->in[from[i]];
  TH_TRY(th_tfl_node(r, o, in, 15, &n));
  n->attr[TH_ATTR_CLIP].f = th_fb_f32(o->options, TFL_LSTM_CELL_CLIP, 0.0f);
  const float clip = n->attr[TH_ATTR_CLIP].f;
  if (!(clip >= 0 && clip < 1e6f)) return th_tfl_fail(r, o, "cell_clip is %g", (double)clip);
  const th_shape *x = &th_tfl_tensor(r, o->in[0])->shape;
  const bool time_major = th_fb_bool(o->options, TFL_LSTM_TIME_MAJOR, false);
  if (x->rank != 3 || x->dim[time_major ? 1 : 0] != 1) return th_tfl_fail(r, o, "only a batch of 1 is supported");
  return th_tfl_activation(r, o, TFL_LSTM_ACTIVATION, n);
}
