/* Coding a whole program. See program.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/program.h"

static thr_conv2d_params *conv_of(th_program_step *s) {
  bool conv = s->step.kernel == THR_KERNEL_CONV2D_S8 || s->step.kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8;
  return conv ? &s->step.p.conv2d : NULL;
}

static thr_fully_connected_params *dense_of(th_program_step *s) {
  return s->step.kernel == THR_KERNEL_FULLY_CONNECTED_S8 ? &s->step.p.fully_connected : NULL;
}

thr_weights *th_step_weights(th_program_step *s) {
  return conv_of(s) ? &conv_of(s)->weights : dense_of(s) ? &dense_of(s)->weights : NULL;
}

thr_bias *th_step_bias(th_program_step *s) {
  return conv_of(s) ? &conv_of(s)->bias : dense_of(s) ? &dense_of(s)->bias : NULL;
}

thr_requant *th_step_requant(th_program_step *s) {
  return conv_of(s) ? &conv_of(s)->requant : dense_of(s) ? &dense_of(s)->requant : NULL;
}

/* Zero bits that all biases end with; 31 when all are 0. */
static int common_shift(const int32_t *bias, uint32_t n) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < n; i++) bits |= (uint32_t)bias[i];
  return bits ? __builtin_ctz(bits) : 31;
}

static int needed_width(const int32_t *bias, uint32_t n, int shift) {
  int width = 1;
  for (uint32_t i = 0; i < n; i++) {
    int32_t v = bias[i] / (1 << shift); /* exact: the low bits are zero */
    if (v < INT8_MIN || v > INT8_MAX) width = width < 2 ? 2 : width;
    if (v < INT16_MIN || v > INT16_MAX) width = 4;
  }
  return width;
}

/* Little-endian whatever this machine is. A full-width bias keeps shift 0. */
static th_status narrow_bias(th_arena *arena, th_program_step *s, thr_bias *bias) {
  if (!s->bias) return TH_OK;
  int shift = common_shift(s->bias, s->bias_count);
  if (shift > 30) { /* all zero: no bias at all */
    *bias = (thr_bias){0};
    return TH_OK;
  }
  int width = needed_width(s->bias, s->bias_count, shift);
  if (width == 4) shift = 0;
  uint8_t *data = TH_ARRAY(arena, uint8_t, s->bias_count * (uint32_t)width);
  if (!data) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < s->bias_count; i++) {
    uint32_t v = (uint32_t)(s->bias[i] / (1 << shift));
    for (int k = 0; k < width; k++) data[i * (uint32_t)width + (uint32_t)k] = (uint8_t)(v >> 8 * k);
  }
  *bias = (thr_bias){data, (uint8_t)width, (uint8_t)shift};
  return TH_OK;
}

static th_status encode_step(th_arena *arena, const th_encode_options *o, th_program_step *s, th_step_bytes *bytes) {
  thr_weights *weights = th_step_weights(s);
  *bytes = (th_step_bytes){.coder = THR_CODER_RAW};
  if (!weights) return TH_OK;
  th_coded coded;
  TH_TRY(th_encode_best(arena, o, s->weights, s->weight_count, &coded));
  *weights = th_coded_weights(&coded);
  TH_TRY(narrow_bias(arena, s, th_step_bias(s)));
  s->scratch_bytes = thr_step_scratch_bytes(&s->step);
  bytes->coder = coded.coder;
  bytes->weights = coded.data_bytes;
  bytes->table = coded.table_bytes;
  bytes->bias = th_step_bias(s)->width * s->bias_count;
  bytes->requant = 5 * s->requant_count + (s->index ? s->weight_count / s->row_elems : 0);
  return TH_OK;
}

th_status th_encode_program(th_program *program, const th_encode_options *options, th_step_bytes *bytes) {
  for (int i = 0; i < program->n_steps; i++) {
    th_step_bytes ignored;
    th_status status = encode_step(program->arena, options, &program->steps[i], bytes ? &bytes[i] : &ignored);
    if (status != TH_OK) return th_fail_in(status, "%s", program->steps[i].name);
  }
  return TH_OK;
}
