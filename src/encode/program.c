/* Coding a whole program. See program.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/program.h"

#include <inttypes.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "encode/channels.h"

#define MOST_OF_LONG_ROWS 2048 /* bytes of scratch, where it is worth it */

/* Zero bits that all biases end with; 31 when all are 0. */
static int common_shift(const int64_t *bias, uint32_t n) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < n; i++) bits |= (uint64_t)bias[i];
  if (bits == 0) return 31;
  const int zeros = __builtin_ctzll(bits);
  return zeros > 30 ? 30 : zeros;
}

static bool fits(int64_t v, uint32_t width) {
  const int64_t limit = width == 8 ? INT64_MAX : ((int64_t)1 << (8 * width - 1)) - 1;
  return v <= limit && v >= -limit - 1;
}

/* The narrowest of the kernel's widths that holds all biases without their low zero bits. */
static uint32_t needed_width(const int64_t *bias, uint32_t n, int shift, uint32_t in_type) {
  for (uint32_t code = 1; code < 3; code++) {
    bool all = true;
    for (uint32_t i = 0; i < n && all; i++) all = fits(bias[i] / ((int64_t)1 << shift), thr_bias_width(code, in_type));
    if (all) return thr_bias_width(code, in_type);
  }
  return thr_bias_width(3, in_type);
}

/* Little-endian whatever this machine is. A full-width bias keeps shift 0. */
static th_status narrow_bias(th_arena *arena, th_program_step *s, thr_bias *bias) {
  if (!s->bias) return TH_OK;
  int shift = common_shift(s->bias, s->bias_count);
  if (shift > 30) { /* all zero: no bias at all */
    *bias = (thr_bias){0};
    return TH_OK;
  }
  const uint32_t in_type = thr_kernel_about(s->step.kernel)->in_type;
  const uint32_t width = needed_width(s->bias, s->bias_count, shift, in_type);
  if (width == thr_bias_width(3, in_type)) shift = 0;
  uint8_t *data = TH_ARRAY(arena, uint8_t, s->bias_count * width);
  if (!data) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < s->bias_count; i++) {
    const uint64_t v = (uint64_t)(s->bias[i] / ((int64_t)1 << shift)); /* exact: the low bits are zero */
    for (uint32_t k = 0; k < width; k++) data[i * width + k] = (uint8_t)(v >> 8 * k);
  }
  *bias = (thr_bias){data, (uint8_t)width, (uint8_t)shift};
  return TH_OK;
}

static uint32_t channel_bytes(const th_program_step *s, const thr_bias *bias, uint32_t rows) {
  return rows * bias->width + 5 * s->requant_count + (s->index ? rows : 0);
}

/* Replaces bias and requantization of the step by one stream, if that is smaller. */
static th_status code_channels(th_arena *arena, th_program_step *s) {
  thr_bias *bias = thr_step_bias(&s->step);
  thr_requant *r = thr_step_requant(&s->step);
  const uint32_t rows = s->weight_count / s->row_elems;
  thr_channel *channel = TH_ARRAY(arena, thr_channel, rows);
  th_buf stream = {0};
  if (!channel) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < rows; i++) {
    const uint32_t e = s->index ? s->index[i] : s->requant_count > 1 ? i : 0;
    channel[i] = (thr_channel){s->bias ? (int32_t)s->bias[i] : 0, s->mult[e], s->shift[e]};
  }
  th_status status = TH_OK;
  if (th_encode_channels(channel, rows, &stream) && stream.size < channel_bytes(s, bias, rows)) {
    const uint8_t *data = th_arena_copy(arena, stream.data, stream.size);
    *bias = (thr_bias){0};
    *r = (thr_requant){.coded = data, .coded_bytes = (uint32_t)stream.size, .decode = thr_decode_channels};
    status = data ? TH_OK : TH_ERR_RESOURCE;
  }
  th_buf_free(&stream);
  return status;
}

static th_weight_form form_of(const th_program_step *s) {
  th_weight_form form = {.row = s->row_elems};
  if (thr_kernel_params(s->step.kernel) == THR_PARAMS_conv2d) {
    const thr_conv2d_params *p = &s->step.p.conv2d;
    form.line = (uint32_t)p->kernel_x;
    form.depth = s->row_elems / (uint32_t)(p->kernel_y * p->kernel_x);
  }
  return form;
}

/* Long rows, as of 3 x 3 weights on 64 channels, may take more of the scratch where that halves the weights. */
static bool fits_scratch(const th_program_step *s, const th_coded *coded) {
  const uint32_t bytes = thr_step_decode_bytes(&s->step);
  return bytes <= THR_DECODE_MOST || (bytes <= MOST_OF_LONG_ROWS && th_coded_bytes(coded) <= s->weight_count / 2);
}

/* The smallest coder whose decoder fits into the scratch that weights may take: rows that are too long for any stay
 * raw. */
static th_status encode_weights(th_arena *arena, const th_encode_options *o, th_program_step *s, th_coded *coded,
                                uint32_t *refused) {
  const th_weight_form form = form_of(s);
  th_encode_options options = *o;
  if (s->raw) options.coders = 1u << THR_CODER_RAW;
  *refused = 0;
  for (;;) {
    TH_TRY(th_encode_best(arena, &options, s->weights, s->weight_count, &form, coded));
    *thr_step_weights(&s->step) = th_coded_weights(coded);
    thr_step_fit_memory(&s->step);
    const bool slow = thr_step_weights(&s->step)->memory < th_coded_weights(coded).memory;
    if (fits_scratch(s, coded) && !(slow && o->quick)) return TH_OK;
    if (*refused == 0 && !fits_scratch(s, coded)) *refused = thr_step_decode_bytes(&s->step);
    options.coders = (options.coders & ~(1u << coded->coder)) | 1u << THR_CODER_RAW; /* none at all would mean any */
  }
}

static th_status encode_step(th_arena *arena, const th_encode_options *o, th_program_step *s, th_step_bytes *bytes) {
  *bytes = (th_step_bytes){.coder = THR_CODER_RAW};
  if (!thr_step_weights(&s->step)) return TH_OK;
  th_coded coded;
  TH_TRY(encode_weights(arena, o, s, &coded, &bytes->scratch));
  TH_TRY(narrow_bias(arena, s, thr_step_bias(&s->step)));
  *thr_step_requant(&s->step) = (thr_requant){
      .mult = s->mult, .shift = s->shift, .index = s->index, .per_channel = s->requant_count > 1 && !s->index};
  /* A chain would decode its channels again for every line. */
  if (o->code_channels && !s->rows && thr_kernel_decodes_channels(s->step.kernel)) TH_TRY(code_channels(arena, s));
  const uint64_t scratch = s->rows ? thr_step_unpack_bytes(&s->step) : thr_step_scratch_bytes(&s->step);
  if (scratch > INT32_MAX)
    return th_fail(TH_ERR_INPUT, "its weights would take %" PRIu64 " bytes of the arena", scratch);
  s->scratch_bytes = (uint32_t)scratch;
  bytes->coder = coded.coder;
  bytes->weights = coded.data_bytes;
  bytes->table = coded.table_bytes;
  bytes->bias = thr_step_bias(&s->step)->width * s->bias_count;
  bytes->requant = 5 * s->requant_count + (s->index ? s->weight_count / s->row_elems : 0);
  const thr_requant *requant = thr_step_requant(&s->step);
  if (requant->decode) bytes->requant = requant->coded_bytes;
  return TH_OK;
}

/* --- which decoders a firmware should hold --- */

typedef uint32_t by_coder[THR_CODER_COUNT];

/* Bytes of the step's weights with each allowed coder; UINT32_MAX for those that cannot. */
static th_status measure(th_arena *arena, uint32_t allowed, bool quick, th_program_step *s, by_coder bytes) {
  for (thr_coder c = 0; c < THR_CODER_COUNT; c++) {
    bytes[c] = thr_step_weights(&s->step) ? UINT32_MAX : 0;
    if (bytes[c] == 0 || !(allowed >> c & 1)) continue;
    const th_encode_options one = {.coders = 1u << c | 1u << THR_CODER_RAW, .quick = quick};
    th_coded coded;
    uint32_t ignored;
    TH_TRY(encode_weights(arena, &one, s, &coded, &ignored));
    if (coded.coder == c) bytes[c] = th_coded_bytes(&coded);
  }
  return TH_OK;
}

static uint64_t total(const by_coder *bytes, int steps, uint32_t coders, const uint32_t *decoders) {
  uint64_t sum = decoders[coders];
  for (int i = 0; i < steps; i++) {
    uint32_t least = UINT32_MAX;
    for (thr_coder c = 0; c < THR_CODER_COUNT; c++)
      if (coders >> c & 1 && bytes[i][c] < least) least = bytes[i][c];
    sum += least;
  }
  return sum;
}

/* The set of coders whose data, tables and decoders are smallest together. There are so few that all are tried. */
static th_status choose_coders(th_program *p, th_encode_options *o) {
  const uint32_t raw = 1u << THR_CODER_RAW, allowed = (o->coders & (TH_CODER_SETS - 1)) | raw;
  by_coder *bytes = TH_ARRAY(p->arena, by_coder, p->n_steps + 1);
  if (!bytes) return TH_ERR_RESOURCE;
  for (int i = 0; i < p->n_steps; i++) TH_TRY(measure(p->arena, allowed, o->quick, &p->steps[i], bytes[i]));
  uint64_t least = UINT64_MAX;
  for (uint32_t set = raw; set <= allowed; set += 2) {
    const uint64_t sum = set & ~allowed ? UINT64_MAX : total(bytes, p->n_steps, set, o->decoders);
    if (sum < least) least = sum, o->coders = set;
  }
  return TH_OK;
}

th_status th_encode_program(th_program *program, const th_encode_options *options, th_step_bytes *bytes) {
  th_encode_options o = options ? *options : (th_encode_options){0};
  if (o.coders == 0) o.coders = TH_CODERS_FAST;
  if (o.decoders) TH_TRY(choose_coders(program, &o));
  for (int i = 0; i < program->n_steps; i++) {
    th_step_bytes ignored;
    th_status status = encode_step(program->arena, &o, &program->steps[i], bytes ? &bytes[i] : &ignored);
    if (status != TH_OK) return th_fail_in(status, "%s", program->steps[i].name);
  }
  return TH_OK;
}
