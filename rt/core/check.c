/* What must hold before a step may run. Arithmetic is in 64 bits, and every factor of a product is checked to be at
 * most 2^31 before it is multiplied, so nothing here can wrap.
 *
 * Two kinds of conditions: the ranges for which kernels are defined (positive sizes and strides, shift counts, values
 * that fit the type of the elements), and room: what a kernel reads and writes, from its parameters alone, against
 * arena and blob. Kernels of one operator differ only in the types of their elements, which kernels.def gives.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"
#include "parse.h"
#include "stage.h"

typedef struct span { /* of the arena */
  uint64_t begin, bytes;
} span;

typedef struct use { /* what a step touches, in elements */
  uint64_t in[THR_STEP_INPUTS], out;
  uint64_t out_begin;                            /* untouched elements before the first written one */
  uint32_t in_bytes[THR_STEP_INPUTS], out_bytes; /* of an element; by kernels.def unless a check says otherwise */
  uint32_t in_type, out_type;
  uint32_t written; /* bit i: input i is a state, which the kernel writes too */
} use;

#define MOST_BYTES ((uint64_t)INT32_MAX)
#define MOST_IN 1073741824 /* rows or columns of an input; with kernel, dilation and padding added still 32 bits */
#define MOST_OUT 65535     /* rows or columns of an output: times a 16-bit stride still fits 32 bits */

static int in_range(int32_t v, uint32_t dtype) {
  return v >= thr_dtype_lo(dtype) && v <= thr_dtype_hi(dtype);
}
static int good_shift(int32_t v) {
  return v >= -31 && v <= 30;
}
static int positive(int32_t v) {
  return v > 0;
}
static int good_clamp(int32_t lo, int32_t hi, const use *u) {
  return in_range(lo, u->out_type) && in_range(hi, u->out_type) && lo <= hi;
}
static int good_zeros(int32_t in_zero, int32_t out_zero, const use *u) {
  return in_range(in_zero, u->in_type) && in_range(out_zero, u->out_type);
}

/* For kernels whose parameters give the type. */
static void set_in_type(use *u, uint32_t dtype) {
  u->in_type = dtype;
  for (int i = 0; i < THR_STEP_INPUTS; i++) u->in_bytes[i] = thr_dtype_bytes(dtype);
}
static void set_out_type(use *u, uint32_t dtype) {
  u->out_type = dtype;
  u->out_bytes = thr_dtype_bytes(dtype);
}

/* a * b * c, or more than MOST_BYTES when a factor is not positive or the product is larger. */
static uint64_t volume(int32_t a, int32_t b, int32_t c) {
  if (a <= 0 || b <= 0 || c <= 0) return MOST_BYTES + 1;
  const uint64_t ab = (uint64_t)a * (uint64_t)b;
  return ab > MOST_BYTES ? MOST_BYTES + 1 : ab * (uint64_t)c;
}

static int check_window(int32_t in, int32_t out, int16_t kernel, int16_t stride, int16_t dilation, int16_t pad) {
  return in > 0 && in <= MOST_IN && out > 0 && out <= MOST_OUT && kernel > 0 && stride > 0 && dilation > 0 && pad >= 0;
}

/* A zero point of weights is for the kernels that know it. */
static int good_w_zero(int32_t w_zero, thr_kernel_id kernel) {
  const int known = kernel == THR_KERNEL_CONV2D_ZERO_S8 || kernel == THR_KERNEL_DEPTHWISE_CONV2D_ZERO_S8 ||
                    kernel == THR_KERNEL_FULLY_CONNECTED_ZERO_S8;
  return known ? in_range(w_zero, THR_DTYPE_S8) : w_zero == 0;
}

static int check_conv2d(const thr_conv2d_params *p, int depthwise, use *u) {
  if (!check_window(p->in_y, p->out_y, p->kernel_y, p->stride_y, p->dilation_y, p->pad_y)) return 0;
  if (!check_window(p->in_x, p->out_x, p->kernel_x, p->stride_x, p->dilation_x, p->pad_x)) return 0;
  if (!positive(p->in_c) || !positive(p->out_c) || !positive(p->groups)) return 0;
  if (depthwise ? p->out_c % p->in_c != 0 : p->in_c % p->groups != 0 || p->out_c % p->groups != 0) return 0;
  u->in[0] = volume(p->in_y, p->in_x, p->in_c);
  u->out = volume(p->out_y, p->out_x, p->out_c);
  return good_zeros(p->in_zero, p->out_zero, u) && good_clamp(p->lo, p->hi, u);
}

static int check_fully_connected(const thr_fully_connected_params *p, use *u) {
  if (p->in_n > THR_FULLY_CONNECTED_MOST || p->out_n > THR_FULLY_CONNECTED_MOST) return 0;
  u->in[0] = volume(p->in_n, 1, 1);
  u->out = volume(p->out_n, 1, 1);
  return good_zeros(p->in_zero, p->out_zero, u) && good_clamp(p->lo, p->hi, u);
}

static int check_pool2d(const thr_pool2d_params *p, use *u) {
  if (!check_window(p->in_y, p->out_y, p->kernel_y, p->stride_y, 1, p->pad_y)) return 0;
  if (!check_window(p->in_x, p->out_x, p->kernel_x, p->stride_x, 1, p->pad_x)) return 0;
  if ((int64_t)p->kernel_y * p->kernel_x > 1 << 23) return 0; /* the sum of a window fits 32 bits */
  u->in[0] = volume(p->in_y, p->in_x, p->c);
  u->out = volume(p->out_y, p->out_x, p->c);
  return good_clamp(p->lo, p->hi, u);
}

/* Elements of an operand read with these strides. */
static uint64_t strided(const int32_t dim[4], const int32_t stride[4]) {
  uint64_t last = 0;
  for (int i = 0; i < 4; i++) {
    if (stride[i] < 0) return MOST_BYTES + 1;
    last += (uint64_t)(dim[i] - 1) * (uint64_t)stride[i];
    if (last > MOST_BYTES) return MOST_BYTES + 1;
  }
  return last + 1;
}

static int check_elementwise(const thr_elementwise_params *p, use *u) {
  u->out = volume(p->dim[0], p->dim[1], p->dim[2]);
  if (u->out > MOST_BYTES || !positive(p->dim[3])) return 0;
  u->out *= (uint64_t)p->dim[3];
  u->in[0] = strided(p->dim, p->stride_a);
  u->in[1] = strided(p->dim, p->stride_b);
  for (int i = 0; i < 3; i++)
    if (!good_shift(p->shift[i])) return 0;
  return p->left_shift <= 30 && in_range(p->b_zero, u->in_type) && good_zeros(p->a_zero, p->out_zero, u) &&
         good_clamp(p->lo, p->hi, u);
}

static int check_softmax(const thr_softmax_params *p, use *u) {
  u->in[0] = u->out = volume(p->rows, p->depth, 1);
  if (u->in_type == THR_DTYPE_S16) return good_shift(p->shift) && p->depth <= 65536; /* the sum of a row fits */
  return p->shift >= 0 && p->shift <= 30;
}

/* The 16-bit sigmoid and tangent: the product with the input fits 32 bits. */
static int check_table_input(const thr_unary_params *p) {
  return p->mult[0] >= 0 && p->mult[0] <= INT16_MAX && p->shift[0] >= 0 && p->shift[0] <= 30;
}

static int check_unary(const thr_unary_params *p, thr_kernel_id kernel, use *u) {
  u->in[0] = u->out = volume(p->n, 1, 1);
  if ((kernel == THR_KERNEL_LOGISTIC_S16 || kernel == THR_KERNEL_TANH_S16) && !check_table_input(p)) return 0;
  for (int i = 0; i < 2; i++) {
    if (!good_shift(p->shift[i])) return 0;
    if (kernel == THR_KERNEL_HARD_SWISH_S8 && (p->mult[i] < INT16_MIN || p->mult[i] > INT16_MAX)) return 0;
  }
  return p->radius >= 0 && good_zeros(p->in_zero, p->out_zero, u) && good_clamp(p->lo, p->hi, u);
}

static int check_mean(const thr_mean_params *p, use *u) {
  u->in[0] = volume(p->y, p->x, p->c);
  if (u->in[0] > MOST_BYTES) return 0;
  u->out = (uint64_t)(p->over_y ? 1 : p->y) * (uint64_t)(p->over_x ? 1 : p->x) * (uint64_t)(p->over_c ? 1 : p->c);
  return good_shift(p->shift) && good_zeros(p->in_zero, p->out_zero, u) && good_clamp(p->lo, p->hi, u);
}

static int check_copy(const thr_copy_params *p, use *u) {
  u->in[0] = volume(p->outer, p->block, 1);
  if (u->in[0] > MOST_BYTES || p->out_step < 0 || p->out_offset < 0) return 0;
  u->out_begin = (uint64_t)p->out_offset;
  u->out = (uint64_t)(p->outer - 1) * (uint64_t)p->out_step + (uint64_t)p->block;
  return 1;
}

static int check_pad(const thr_pad_params *p, use *u) {
  u->in[0] = u->out = 1;
  for (int i = 0; i < 4; i++) {
    if (p->in[i] <= 0 || p->before[i] < 0 || p->after[i] < 0) return 0;
    u->in[0] *= (uint64_t)p->in[i];
    u->out *= (uint64_t)p->before[i] + (uint64_t)p->in[i] + (uint64_t)p->after[i];
    if (u->in[0] > MOST_BYTES || u->out > MOST_BYTES) return 0;
  }
  return in_range(p->value, u->out_type);
}

static int check_quantize(const thr_quantize_params *p, thr_kernel_id kernel, use *u) {
  u->in[0] = u->out = volume(p->n, 1, 1);
  if (kernel == THR_KERNEL_QUANTIZE_F32_ANY) set_out_type(u, p->type);
  if (kernel == THR_KERNEL_DEQUANTIZE_ANY_F32) set_in_type(u, p->type);
  if (p->type == THR_DTYPE_F32 || thr_dtype_bytes(p->type) == 0) return 0;
  if (kernel == THR_KERNEL_QUANTIZE_F32_ANY && p->type == THR_DTYPE_S32) return 0;
  return in_range(p->zero, u->in_type == THR_DTYPE_F32 ? u->out_type : u->in_type) && p->scale > 1e-30f &&
         p->scale < 1e30f;
}

/* The table holds an entry for each of the 256 elements that there are. */
static int check_lookup(const thr_lookup_params *p, use *u) {
  u->in[0] = u->out = volume(p->n, 1, 1);
  u->in[1] = 256;
  return 1;
}

static int check_argmax(const thr_argmax_params *p, use *u) {
  u->in[0] = volume(p->outer, p->depth, p->inner);
  u->out = volume(p->outer, p->inner, 1);
  return 1;
}

static int check_l2_normalization(const thr_l2_normalization_params *p, use *u) {
  u->in[0] = u->out = volume(p->rows, p->depth, 1);
  return in_range(p->in_zero, u->in_type);
}

static int check_log_softmax(const thr_log_softmax_params *p, use *u) {
  u->in[0] = u->out = volume(p->rows, p->depth, 1);
  return p->shift >= 0 && p->shift <= 30 && good_shift(p->back_shift) && p->diff_min > INT32_MIN;
}

/* Lowest and highest distance from the first element that these steps lead to; 0 when one is out of range. */
static int check_steps(const int32_t dim[6], const int32_t step[6], int64_t *low, int64_t *high) {
  *low = *high = 0;
  for (int d = 0; d < 6; d++) {
    if (dim[d] <= 0) return 0;
    const int64_t way = (int64_t)(dim[d] - 1) * step[d];
    *low += way < 0 ? way : 0;
    *high += way > 0 ? way : 0;
    if (*low < -(int64_t)MOST_BYTES || *high > (int64_t)MOST_BYTES) return 0;
  }
  return 1;
}

static int check_strided_copy(const thr_strided_copy_params *p, use *u) {
  int64_t low, high, out_low, out_high;
  if (p->block <= 0 || p->in_at < 0 || p->out_at < 0) return 0;
  if (!check_steps(p->dim, p->in_step, &low, &high) || p->in_at + low < 0) return 0;
  if (!check_steps(p->dim, p->out_step, &out_low, &out_high) || out_low < 0) return 0;
  u->in[0] = (uint64_t)(p->in_at + high + p->block);
  u->out_begin = (uint64_t)p->out_at;
  u->out = (uint64_t)(out_high + p->block);
  return 1;
}

static int check_resize_side(int32_t in, int32_t out) {
  return in > 0 && in <= 1 << 20 && out > 0 && out <= MOST_OUT;
}

static int check_resize_nearest(const thr_resize_nearest_params *p, use *u) {
  u->in[0] = volume(p->in_y, p->in_x, p->pixel);
  u->out = volume(p->out_y, p->out_x, p->pixel);
  return check_resize_side(p->in_y, p->out_y) && check_resize_side(p->in_x, p->out_x) && p->scale_y >= 0 &&
         p->scale_x >= 0 && p->scale_y < 1 << 24 && p->scale_x < 1 << 24 && p->shift_y < 63 && p->shift_x < 63;
}

static int check_resize_bilinear(const thr_resize_bilinear_params *p, use *u) {
  u->in[0] = volume(p->in_y, p->in_x, p->c);
  u->out = volume(p->out_y, p->out_x, p->c);
  return check_resize_side(p->in_y, p->out_y) && check_resize_side(p->in_x, p->out_x) && p->scale_y >= 0 &&
         p->scale_x >= 0 && (int64_t)p->scale_y * p->out_y <= 1 << 30 && (int64_t)p->scale_x * p->out_x <= 1 << 30;
}

static int check_batch_matmul(const thr_batch_matmul_params *p, use *u) {
  const int32_t dim[4] = {1, p->dim[0], p->dim[1], p->dim[2]};
  const int32_t a[4] = {0, p->a_step[0], p->a_step[1], p->a_step[2]};
  const int32_t b[4] = {0, p->b_step[0], p->b_step[1], p->b_step[2]};
  u->out = volume(p->dim[0], p->dim[1], p->dim[2]);
  const uint64_t matrix = volume(p->m, p->n, 1);
  if (u->out > MOST_BYTES || matrix > MOST_BYTES) return 0;
  u->out *= matrix;
  u->in[0] = strided(dim, a) - 1 + volume(p->m, p->k, 1);
  u->in[1] = strided(dim, b) - 1 + volume(p->k, p->n, 1);
  if (u->in_type == THR_DTYPE_S16 && p->shift > 7) return 0;
  return good_shift(p->shift) && in_range(p->b_zero, u->in_type) && good_zeros(p->a_zero, p->out_zero, u);
}

static int check_requantize(const thr_requantize_params *p, use *u) {
  u->in[0] = u->out = volume(p->n, 1, 1);
  set_in_type(u, p->in_type);
  set_out_type(u, p->out_type);
  if (p->in_type == THR_DTYPE_F32 || p->out_type == THR_DTYPE_F32) return 0;
  return u->in_bytes[0] > 0 && u->out_bytes > 0 && good_zeros(p->in_zero, p->out_zero, u) && good_shift(p->shift);
}

static int check_svdf(const thr_svdf_params *p, thr_kernel_id kernel, use *u) {
  const uint32_t state_type = kernel == THR_KERNEL_SVDF_S16 ? THR_DTYPE_S16 : THR_DTYPE_S8;
  if (p->rank <= 0 || p->filters <= 0 || p->filters % p->rank != 0 || p->in_n > THR_FULLY_CONNECTED_MOST) return 0;
  u->in[0] = volume(p->in_n, 1, 1);
  u->in[1] = volume(p->filters, p->memory, 1);
  u->in_bytes[1] = thr_dtype_bytes(state_type);
  u->written = 2;
  u->out = volume(p->filters / p->rank, 1, 1);
  return good_zeros(p->in_zero, p->out_zero, u) && in_range(p->state_zero, state_type);
}

static int check_lstm(const thr_lstm_params *p, use *u) {
  if (p->in_n > THR_FULLY_CONNECTED_MOST || p->n > THR_FULLY_CONNECTED_MOST) return 0;
  u->in[0] = volume(p->time, p->in_n, 1);
  u->in[1] = u->in[2] = volume(p->n, 1, 1);
  u->in_bytes[2] = 2;
  u->written = 6;
  u->out = volume(p->time, p->n, 1);
  return good_zeros(p->in_zero, p->out_zero, u) && p->clip >= 0 && p->clip <= INT16_MAX && p->tanh_mult >= 0 &&
         p->tanh_mult <= INT16_MAX && p->tanh_shift <= 30 && p->restart <= 1;
}

static int check_params(const thr_step *s, use *u) {
  switch (thr_kernel_params(s->kernel)) {
    case THR_PARAMS_conv2d:
      return good_w_zero(s->p.conv2d.w_zero, s->kernel) && check_conv2d(&s->p.conv2d, thr_step_is_depthwise(s), u);
    case THR_PARAMS_fully_connected:
      return good_w_zero(s->p.fully_connected.w_zero, s->kernel) && check_fully_connected(&s->p.fully_connected, u);
    case THR_PARAMS_pool2d:
      return check_pool2d(&s->p.pool2d, u);
    case THR_PARAMS_elementwise:
      return check_elementwise(&s->p.elementwise, u);
    case THR_PARAMS_softmax:
      return check_softmax(&s->p.softmax, u);
    case THR_PARAMS_unary:
      return check_unary(&s->p.unary, s->kernel, u);
    case THR_PARAMS_mean:
      return check_mean(&s->p.mean, u);
    case THR_PARAMS_copy:
      return check_copy(&s->p.copy, u);
    case THR_PARAMS_pad:
      return check_pad(&s->p.pad, u);
    case THR_PARAMS_quantize:
      return check_quantize(&s->p.quantize, s->kernel, u);
    case THR_PARAMS_lookup:
      return check_lookup(&s->p.lookup, u);
    case THR_PARAMS_argmax:
      return check_argmax(&s->p.argmax, u);
    case THR_PARAMS_l2_normalization:
      return check_l2_normalization(&s->p.l2_normalization, u);
    case THR_PARAMS_log_softmax:
      return check_log_softmax(&s->p.log_softmax, u);
    case THR_PARAMS_strided_copy:
      return check_strided_copy(&s->p.strided_copy, u);
    case THR_PARAMS_resize_nearest:
      return check_resize_nearest(&s->p.resize_nearest, u);
    case THR_PARAMS_resize_bilinear:
      return check_resize_bilinear(&s->p.resize_bilinear, u);
    case THR_PARAMS_batch_matmul:
      return check_batch_matmul(&s->p.batch_matmul, u);
    case THR_PARAMS_requantize:
      return check_requantize(&s->p.requantize, u);
    case THR_PARAMS_svdf:
      return check_svdf(&s->p.svdf, s->kernel, u);
    case THR_PARAMS_lstm:
      return check_lstm(&s->p.lstm, u);
    case THR_PARAMS_NONE:
      break;
  }
  return 0;
}

/* Shift counts of all pairs, and indices of existing pairs. */
static int check_requant(const thr_parsed_step *parsed) {
  thr_step step = parsed->step;
  const thr_requant *r = thr_step_requant(&step);
  uint32_t rows, row_elems;
  const int acc64 = thr_step_has_acc64(&step);
  for (uint32_t i = 0; i < parsed->pairs; i++)
    if (!good_shift(r->shift[i]) || (acc64 && r->shift[i] > 7)) return 0;
  thr_step_weight_rows(&step, &rows, &row_elems);
  for (uint32_t i = 0; r->index && i < rows; i++)
    if (r->index[i] >= parsed->pairs) return 0;
  return 1;
}

static int apart(span a, span b) {
  return a.begin + a.bytes <= b.begin || b.begin + b.bytes <= a.begin;
}

/* A state may share its place with no other operand. */
static int states_apart(const thr_parsed_step *parsed, const use *u) {
  for (uint32_t i = 0; i < parsed->inputs; i++) {
    const span a = {parsed->in[i].offset, u->in[i] * u->in_bytes[i]};
    if (!(u->written >> i & 1u)) continue;
    if (parsed->in[i].data) return 0;
    for (uint32_t k = 0; k < parsed->inputs; k++) {
      const span b = {parsed->in[k].offset, u->in[k] * u->in_bytes[k]};
      if (k != i && !parsed->in[k].data && !apart(a, b)) return 0;
    }
  }
  return 1;
}

static int in_arena(const thr_model *model, span s, uint32_t align) {
  return s.bytes <= MOST_BYTES && s.begin + s.bytes <= model->arena_bytes && s.begin % align == 0;
}

/* Outputs may overwrite inputs only where the kernel allows it, and then exactly. */
static int check_room(const thr_model *model, const thr_parsed_step *parsed, const use *u) {
  const thr_kernel_row *about = thr_kernel_about(parsed->step.kernel);
  const span out = {parsed->out + u->out_begin * u->out_bytes, u->out * u->out_bytes};
  const span scratch = {parsed->scratch, thr_step_scratch_bytes(&parsed->step)};
  const uint32_t scratch_align = scratch.bytes > 0 && about->scratch_align > 1 ? about->scratch_align : 1;
  if (!in_arena(model, out, u->out_bytes) || !in_arena(model, scratch, scratch_align) || !apart(out, scratch)) return 0;
  for (uint32_t i = 0; i < parsed->inputs; i++) {
    const span in = {parsed->in[i].offset, u->in[i] * u->in_bytes[i]};
    if (parsed->in[i].data) {
      if (in.bytes != parsed->in[i].offset) return 0;
      continue;
    }
    if (!in_arena(model, in, u->in_bytes[i]) || !apart(in, scratch)) return 0;
    const int same = about->over && in.begin == out.begin && in.bytes == out.bytes;
    if (!same && !apart(in, out)) return 0;
  }
  return 1;
}

/* An operand of a stage: lines in the arena, or a constant that serves each line. The parameters of an element-wise
 * kernel are those of one line. */
static int check_stage_input(const thr_model *model, const thr_parsed_step *parsed, const thr_stage *stage, uint32_t i,
                             const use *u) {
  const thr_stage_input *in = &stage->in[i];
  const int elementwise = thr_row_is_elementwise(parsed->step.kernel);
  const span lines = {in->lines.at, (uint64_t)in->lines.kept * in->lines.bytes};
  if (in->data) return elementwise && i > 0 && in->from < 0 && parsed->in[i].offset == u->in[i];
  if (elementwise && u->in[i] > in->lines.bytes) return 0;
  return in->lines.kept <= in->lines.rows && in_arena(model, lines, 1);
}

/* Lines and decoded weights may lie over each other: what is still needed only the planner knows, and nothing leaves
 * the arena. */
static int check_stage(const thr_model *model, const thr_parsed_step *parsed, const use *u) {
  thr_stage stage;
  if (!thr_stage_of_parsed(parsed, &stage) || stage.out.rows != parsed->rows) return 0;
  const span out = {stage.out.at, (uint64_t)stage.out.kept * stage.out.bytes};
  const span weights = {stage.weights, thr_step_unpack_bytes(&parsed->step)};
  if (stage.out.kept > stage.out.rows || (parsed->left == 0 && stage.out.kept != stage.out.rows)) return 0;
  for (uint32_t i = 0; i < stage.inputs; i++)
    if (!check_stage_input(model, parsed, &stage, i, u)) return 0;
  return in_arena(model, out, 1) && in_arena(model, weights, 1);
}

thr_status thr_step_check(const thr_model *model, const thr_parsed_step *parsed) {
  const thr_kernel_row *about = thr_kernel_about(parsed->step.kernel);
  const uint32_t in_bytes = thr_dtype_bytes(about->in_type);
  use u = {{0, 0, 0, 0}, 0, 0, {in_bytes, in_bytes, in_bytes, in_bytes}, 0, about->in_type, about->out_type, 0};
  u.out_bytes = thr_dtype_bytes(about->out_type);
  if (!check_params(&parsed->step, &u) || u.out > MOST_BYTES) return THR_ERR_MALFORMED;
  for (uint32_t i = 0; i < parsed->inputs; i++)
    if (u.in[i] > MOST_BYTES) return THR_ERR_MALFORMED;
  if (parsed->weighted && !check_requant(parsed)) return THR_ERR_MALFORMED;
  if (parsed->chained) return check_stage(model, parsed, &u) ? THR_OK : THR_ERR_MALFORMED;
  return states_apart(parsed, &u) && check_room(model, parsed, &u) ? THR_OK : THR_ERR_MALFORMED;
}
