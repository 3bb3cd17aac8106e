/* Builds a th_program: walks the nodes in order, lets each operator's function append its steps, and keeps the values
 * with their live ranges. Reshape, flatten and dropout cost nothing: their output is another name of their input.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/lower.h"

#include <string.h>

#include "../../rt/core/fields.h"

#include "eval/lower_internal.h"
#include "op/op.h"

/* --- values --- */

static th_status value_add(th_lowering *l, int tensor, int *value) {
  const th_tensor *t = &l->g->tensors[tensor];
  const int64_t elems = th_shape_elems(&t->shape);
  if (elems < 1 || elems > INT32_MAX / 4)
    return th_fail(TH_ERR_INPUT, "%s: %lld elements, expected 1 to %d", t->name, (long long)elems, INT32_MAX / 4);
  *value = l->p->n_values++;
  l->p->value_of[tensor] = *value;
  l->p->values[*value] = (th_value){.tensor = tensor,
                                    .name = t->name,
                                    .bytes = (uint32_t)th_tensor_bytes(t),
                                    .data = t->data,
                                    .first_step = l->p->n_steps,
                                    .last_step = l->p->n_steps,
                                    .offset = TH_NO_OFFSET};
  return TH_OK;
}

/* A variable is alive all the time. It begins as zero, which for int8 is the zero point (as in TFLite). */
static void set_state(const th_tensor *t, th_value *value) {
  const uint8_t *initial = t->initial;
  value->state = true;
  value->first_step = -1;
  if (t->dtype == TH_DTYPE_S8 && t->quant.zero) value->fill = (uint8_t)t->quant.zero[0];
  if (!initial) return;
  value->fill = initial[0];
  if (value->bytes > 1 && memcmp(initial, initial + 1, value->bytes - 1) != 0) value->initial = initial;
}

th_status th_lower_use(th_lowering *l, const th_node *n, int tensor, int *value) {
  *value = l->p->value_of[tensor];
  if (*value < 0) {
    const th_tensor *t = &l->g->tensors[tensor];
    if (!t->data && !t->is_variable)
      return TH_LOWER_FAIL(n, "input %s is neither computed before nor a constant", t->name);
    TH_TRY(value_add(l, tensor, value));
    if (!t->data) set_state(t, &l->p->values[*value]);
  }
  l->p->values[*value].last_step = l->p->n_steps;
  return TH_OK;
}

th_status th_lower_output(th_lowering *l, const th_node *n, int tensor, int *value) {
  *value = l->p->value_of[tensor];
  if (*value < 0) {
    TH_TRY(value_add(l, tensor, value));
    if (l->g->tensors[tensor].is_variable) set_state(&l->g->tensors[tensor], &l->p->values[*value]);
  }
  if (l->p->values[*value].data) return TH_LOWER_FAIL(n, "output %s is a constant", l->p->values[*value].name);
  return TH_OK;
}

th_status th_lower_step_out(th_lowering *l, int node, int out, thr_kernel_id kernel, const int *in, int n_in,
                            th_program_step **step) {
  const th_node *n = &l->g->nodes[node];
  th_program_step *s = &l->p->steps[l->p->n_steps];
  *s = (th_program_step){.node = node, .name = n->name, .n_in = n_in};
  s->step.kernel = kernel;
  for (int i = 0; i < n_in; i++) TH_TRY(th_lower_use(l, n, in[i], &s->in[i]));
  TH_TRY(th_lower_output(l, n, n->out[out], &s->out));
  l->p->n_steps++;
  *step = s;
  return TH_OK;
}

th_status th_lower_step(th_lowering *l, int node, thr_kernel_id kernel, const int *in, int n_in,
                        th_program_step **step) {
  return th_lower_step_out(l, node, 0, kernel, in, n_in, step);
}

th_status th_lower_add_constant(th_lowering *l, th_program_step *s, const void *data, uint32_t bytes) {
  const int value = l->p->n_values++;
  l->p->values[value] = (th_value){.tensor = -1,
                                   .name = s->name,
                                   .bytes = bytes,
                                   .data = data,
                                   .first_step = l->p->n_steps - 1,
                                   .last_step = l->p->n_steps - 1,
                                   .offset = TH_NO_OFFSET};
  s->in[s->n_in++] = value;
  return TH_OK;
}

/* --- checks --- */

th_status th_lower_any_grid(const th_node *n, const th_tensor *t, th_grid *grid) {
  if (!th_runtime_dtype(t->dtype) || t->dtype == TH_DTYPE_F32)
    return TH_LOWER_FAIL(n, "tensor %s is %s; integer kernels take s8, u8, s16 and s32", t->name,
                         th_dtype_name(t->dtype));
  if (t->quant.count != 1) return TH_LOWER_FAIL(n, "tensor %s has %d scales, expected one", t->name, t->quant.count);
  *grid = (th_grid){t->quant.scale[0], t->quant.zero ? t->quant.zero[0] : 0, t->dtype};
  if (!(grid->scale >= 1e-30f && grid->scale <= 1e30f))
    return TH_LOWER_FAIL(n, "tensor %s has scale %g", t->name, (double)grid->scale);
  if (grid->zero < th_dtype_lo(t->dtype) || grid->zero > th_dtype_hi(t->dtype))
    return TH_LOWER_FAIL(n, "tensor %s has zero point %d, expected %d to %d", t->name, (int)grid->zero,
                         (int)th_dtype_lo(t->dtype), (int)th_dtype_hi(t->dtype));
  return TH_OK;
}

th_status th_lower_grid(const th_node *n, const th_tensor *t, th_grid *grid) {
  if (t->dtype != TH_DTYPE_S8)
    return TH_LOWER_FAIL(n, "tensor %s is %s; integer kernels take s8", t->name, th_dtype_name(t->dtype));
  return th_lower_any_grid(n, t, grid);
}

th_status th_lower_wide_grid(const th_node *n, const th_tensor *t, th_grid *grid) {
  if (t->dtype != TH_DTYPE_S8 && t->dtype != TH_DTYPE_S16)
    return TH_LOWER_FAIL(n, "tensor %s is %s; integer kernels take s8 or s16", t->name, th_dtype_name(t->dtype));
  TH_TRY(th_lower_any_grid(n, t, grid));
  if (t->dtype == TH_DTYPE_S16 && grid->zero != 0)
    return TH_LOWER_FAIL(n, "tensor %s is s16 and has zero point %d, expected 0", t->name, (int)grid->zero);
  return TH_OK;
}

th_status th_lower_grids(const th_lowering *l, const th_node *n, th_grid *in, th_grid *out) {
  TH_TRY(th_lower_grid(n, th_node_in(l->g, n, 0), in));
  return th_lower_grid(n, th_node_out(l->g, n, 0), out);
}

th_status th_lower_wide_grids(const th_lowering *l, const th_node *n, th_grid *in, th_grid *out) {
  TH_TRY(th_lower_wide_grid(n, th_node_in(l->g, n, 0), in));
  TH_TRY(th_lower_wide_grid(n, th_node_out(l->g, n, 0), out));
  if (in->dtype == out->dtype) return TH_OK;
  return TH_LOWER_FAIL(n, "input is %s and output %s; the kernels keep the type", th_dtype_name(in->dtype),
                       th_dtype_name(out->dtype));
}

static th_status same_grid(const th_node *n, const th_tensor *a, const th_tensor *b) {
  th_grid ga, gb;
  TH_TRY(th_lower_any_grid(n, a, &ga));
  TH_TRY(th_lower_any_grid(n, b, &gb));
  if (ga.dtype == gb.dtype && ga.zero == gb.zero && ga.scale - gb.scale <= 1e-6f && gb.scale - ga.scale <= 1e-6f)
    return TH_OK;
  return TH_LOWER_FAIL(n, "%s (%s, scale %g, zero %d) and %s (%s, scale %g, zero %d) must have the same quantization",
                       a->name, th_dtype_name(a->dtype), (double)ga.scale, (int)ga.zero, b->name,
                       th_dtype_name(b->dtype), (double)gb.scale, (int)gb.zero);
}

th_status th_lower_same_any_grid(const th_lowering *l, const th_node *n, th_grid *grid) {
  TH_TRY(th_lower_any_grid(n, th_node_out(l->g, n, 0), grid));
  return same_grid(n, th_node_in(l->g, n, 0), th_node_out(l->g, n, 0));
}

th_status th_lower_same_wide_grid(const th_lowering *l, const th_node *n, th_grid *grid) {
  TH_TRY(th_lower_wide_grid(n, th_node_out(l->g, n, 0), grid));
  return same_grid(n, th_node_in(l->g, n, 0), th_node_out(l->g, n, 0));
}

th_status th_lower_same_grid(const th_lowering *l, const th_node *n, th_grid *grid) {
  TH_TRY(th_lower_grid(n, th_node_out(l->g, n, 0), grid));
  return same_grid(n, th_node_in(l->g, n, 0), th_node_out(l->g, n, 0));
}

/* --- nodes --- */

bool th_lower_is_alias(const th_graph *g, const th_node *n) {
  if (n->op == TH_OP_READ_VARIABLE) return th_lower_read_is_alias(g, n);
  return n->op == TH_OP_RESHAPE || n->op == TH_OP_FLATTEN || n->op == TH_OP_DROPOUT || th_op_moves_nothing(g, n);
}

static th_status lower_alias(th_lowering *l, const th_node *n) {
  const th_tensor *in = th_node_in(l->g, n, 0), *out = th_node_out(l->g, n, 0);
  if (in->dtype != out->dtype || th_tensor_bytes(in) != th_tensor_bytes(out))
    return TH_LOWER_FAIL(n, "input %s and output %s differ in type or size", in->name, out->name);
  if (in->dtype == TH_DTYPE_S8 && (in->quant.count || out->quant.count)) TH_TRY(same_grid(n, in, out));
  if (in->dtype != TH_DTYPE_S8 && in->dtype != TH_DTYPE_F32) TH_TRY(th_lower_check_sides(n, in, out));
  int value;
  TH_TRY(th_lower_use(l, n, n->in[0], &value));
  l->p->value_of[n->out[0]] = value;
  return TH_OK;
}

/* A node that runs in float on the host: a step without kernel, which still keeps its inputs alive. */
static th_status lower_float(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  if (!l->mixed)
    return TH_LOWER_FAIL(n, "computes in f32; only quantized (s8) models can be lowered, quantize it first");
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(l->g, n, i);
    int value;
    if (!t || (t->data && (t->dtype == TH_DTYPE_F32 || (i != 0 && t->dtype == TH_DTYPE_S32)))) continue;
    if (t->dtype != TH_DTYPE_F32 && !th_op_get(n->op)->typed)
      return TH_LOWER_FAIL(n, "input %s is %s but it computes in f32; dequantize it first", t->name,
                           th_dtype_name(t->dtype));
    TH_TRY(th_lower_use(l, n, n->in[i], &value));
  }
  th_program_step *s;
  int value;
  for (int i = 1; i < n->n_out; i++) TH_TRY(th_lower_output(l, n, n->out[i], &value));
  return th_lower_step(l, node, THR_KERNEL_NONE, NULL, 0, &s);
}

static th_status lower_batch_norm(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  return TH_LOWER_FAIL(n, "batch norm has no integer kernel; fold it into the layer before it");
}

static th_lower_fn *const lower_fns[TH_OP_COUNT] = {
    [TH_OP_CONV2D] = th_lower_conv2d,
    [TH_OP_DEPTHWISE_CONV2D] = th_lower_depthwise_conv2d,
    [TH_OP_FULLY_CONNECTED] = th_lower_fully_connected,
    [TH_OP_MAX_POOL2D] = th_lower_pool2d,
    [TH_OP_AVG_POOL2D] = th_lower_pool2d,
    [TH_OP_GLOBAL_AVG_POOL] = th_lower_mean,
    [TH_OP_BATCH_NORM] = lower_batch_norm,
    [TH_OP_RELU] = th_lower_relu,
    [TH_OP_RELU6] = th_lower_relu6,
    [TH_OP_LEAKY_RELU] = th_lower_leaky_relu,
    [TH_OP_HARD_SWISH] = th_lower_hard_swish,
    [TH_OP_SIGMOID] = th_lower_sigmoid_tanh,
    [TH_OP_TANH] = th_lower_sigmoid_tanh,
    [TH_OP_SOFTMAX] = th_lower_softmax,
    [TH_OP_ADD] = th_lower_elementwise,
    [TH_OP_SUB] = th_lower_elementwise,
    [TH_OP_MUL] = th_lower_elementwise,
    [TH_OP_CONCAT] = th_lower_concat,
    [TH_OP_PAD] = th_lower_pad,
    [TH_OP_MEAN] = th_lower_mean,
    [TH_OP_MINIMUM] = th_lower_extreme,
    [TH_OP_MAXIMUM] = th_lower_extreme,
    [TH_OP_PRELU] = th_lower_prelu,
    [TH_OP_SQUARED_DIFFERENCE] = th_lower_squared_difference,
    [TH_OP_DIV] = th_lower_div,
    [TH_OP_SUM] = th_lower_sum,
    [TH_OP_REDUCE_MAX] = th_lower_reduce_extreme,
    [TH_OP_REDUCE_MIN] = th_lower_reduce_extreme,
    [TH_OP_ARGMAX] = th_lower_argmax,
    [TH_OP_ARGMIN] = th_lower_argmax,
    [TH_OP_L2_NORMALIZATION] = th_lower_l2_normalization,
    [TH_OP_LOG_SOFTMAX] = th_lower_log_softmax,
    [TH_OP_CLIP] = th_lower_clip,
    [TH_OP_ABS] = th_lower_lookup,
    [TH_OP_NEG] = th_lower_lookup,
    [TH_OP_SQRT] = th_lower_lookup,
    [TH_OP_RSQRT] = th_lower_lookup,
    [TH_OP_SQUARE] = th_lower_lookup,
    [TH_OP_RECIPROCAL] = th_lower_lookup,
    [TH_OP_EXP] = th_lower_lookup,
    [TH_OP_LOG] = th_lower_lookup,
    [TH_OP_SIN] = th_lower_lookup,
    [TH_OP_COS] = th_lower_lookup,
    [TH_OP_ERF] = th_lower_lookup,
    [TH_OP_SIGN] = th_lower_lookup,
    [TH_OP_FLOOR] = th_lower_lookup,
    [TH_OP_CEIL] = th_lower_lookup,
    [TH_OP_ROUND] = th_lower_lookup,
    [TH_OP_ELU] = th_lower_lookup,
    [TH_OP_SELU] = th_lower_lookup,
    [TH_OP_GELU] = th_lower_lookup,
    [TH_OP_SILU] = th_lower_lookup,
    [TH_OP_MISH] = th_lower_lookup,
    [TH_OP_SOFTPLUS] = th_lower_lookup,
    [TH_OP_SOFTSIGN] = th_lower_lookup,
    [TH_OP_HARD_SIGMOID] = th_lower_lookup,
    [TH_OP_TRANSPOSE] = th_lower_move,
    [TH_OP_STRIDED_SLICE] = th_lower_move,
    [TH_OP_SPLIT] = th_lower_move,
    [TH_OP_PACK] = th_lower_move,
    [TH_OP_UNPACK] = th_lower_move,
    [TH_OP_GATHER] = th_lower_move,
    [TH_OP_TILE] = th_lower_move,
    [TH_OP_BROADCAST_TO] = th_lower_move,
    [TH_OP_MIRROR_PAD] = th_lower_move,
    [TH_OP_SPACE_TO_DEPTH] = th_lower_move,
    [TH_OP_DEPTH_TO_SPACE] = th_lower_move,
    [TH_OP_RESIZE_NEAREST] = th_lower_resize_nearest,
    [TH_OP_RESIZE_BILINEAR] = th_lower_resize_bilinear,
    [TH_OP_TRANSPOSE_CONV2D] = th_lower_transpose_conv2d,
    [TH_OP_BATCH_MATMUL] = th_lower_batch_matmul,
    [TH_OP_SVDF] = th_lower_svdf,
    [TH_OP_LSTM] = th_lower_lstm,
    [TH_OP_READ_VARIABLE] = th_lower_variable,
    [TH_OP_ASSIGN_VARIABLE] = th_lower_variable,
    [TH_OP_QUANTIZE] = th_lower_quantize,
    [TH_OP_DEQUANTIZE] = th_lower_dequantize,
};

/* Whether op/ computes it rather than the runtime: anything float but the two borders, and changes of type. */
static bool is_float(const th_graph *g, const th_node *n) {
  if (n->op == TH_OP_QUANTIZE) return th_node_out(g, n, 0)->dtype == TH_DTYPE_F32;
  if (n->op == TH_OP_DEQUANTIZE) return false;
  const th_op *op = th_op_get(n->op);
  return op->typed || th_node_out(g, n, 0)->dtype == TH_DTYPE_F32 ||
         (op->makes_index && th_node_in(g, n, 0)->dtype == TH_DTYPE_F32);
}

static th_status lower_node(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  if (n->n_in < 1 || n->n_out < 1 || n->in[0] < 0)
    return TH_LOWER_FAIL(n, "has %d inputs and %d outputs", n->n_in, n->n_out);
  if (th_lower_is_alias(l->g, n)) return lower_alias(l, n);
  if (n->op == TH_OP_READ_VARIABLE || n->op == TH_OP_ASSIGN_VARIABLE) return th_lower_variable(l, node);
  if (is_float(l->g, n)) return lower_float(l, node);
  if (!lower_fns[n->op]) return TH_LOWER_FAIL(n, "has no integer kernel");
  return lower_fns[n->op](l, node);
}

/* --- the program --- */

static th_status allocate(th_program *p, const th_graph *g) {
  int most_steps = 1;
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) most_steps += g->nodes[i].n_in + g->nodes[i].n_out + th_lower_move_steps(g, &g->nodes[i]);
  p->steps = TH_ARRAY(p->arena, th_program_step, most_steps);
  p->values = TH_ARRAY(p->arena, th_value, g->n_tensors + g->n_nodes + 1); /* a made constant per node */
  p->value_of = TH_ARRAY(p->arena, int, g->n_tensors + 1);
  p->inputs = TH_ARRAY(p->arena, int, g->n_inputs + 1);
  p->outputs = TH_ARRAY(p->arena, int, g->n_outputs + 1);
  if (!p->steps || !p->values || !p->value_of || !p->inputs || !p->outputs) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_tensors; i++) p->value_of[i] = -1;
  return TH_OK;
}

static th_status lower_inputs(th_lowering *l) {
  for (int i = 0; i < l->g->n_inputs; i++) {
    const th_tensor *t = &l->g->tensors[l->g->inputs[i]];
    if (!th_runtime_dtype(t->dtype))
      return th_fail(TH_ERR_INPUT, "input %s is %s, expected s8, u8, s16, s32 or f32", t->name,
                     th_dtype_name(t->dtype));
    int value;
    TH_TRY(value_add(l, l->g->inputs[i], &value));
    l->p->values[value].first_step = l->p->values[value].last_step = -1;
    l->p->inputs[l->p->n_inputs++] = value;
  }
  return TH_OK;
}

static th_status lower_outputs(th_lowering *l) {
  for (int i = 0; i < l->p->n_values; i++)
    if (l->p->values[i].state) l->p->values[i].last_step = l->p->n_steps;
  for (int i = 0; i < l->g->n_outputs; i++) {
    const int value = l->p->value_of[l->g->outputs[i]];
    if (value < 0 || l->p->values[value].data)
      return th_fail(TH_ERR_INPUT, "output %s is not computed by any node", l->g->tensors[l->g->outputs[i]].name);
    l->p->values[value].last_step = l->p->n_steps;
    l->p->outputs[l->p->n_outputs++] = value;
  }
  return TH_OK;
}

static th_status lower_all(th_lowering *l) {
  TH_TRY(allocate(l->p, l->g));
  TH_TRY(lower_inputs(l));
  for (int i = 0; i < l->g->n_nodes; i++) {
    if (!l->g->nodes[i].dead) TH_TRY(lower_node(l, i));
  }
  return lower_outputs(l);
}

static th_status lower(const th_graph *graph, bool mixed, th_program **program) {
  th_arena *arena = th_arena_create();
  th_program *p = arena ? TH_NEW(arena, th_program) : NULL;
  th_status status = TH_ERR_RESOURCE;
  if (p) {
    p->arena = arena;
    p->graph = graph;
    status = lower_all(&(th_lowering){graph, p, mixed});
  }
  if (status != TH_OK) {
    th_arena_destroy(arena);
    return status;
  }
  *program = p;
  return TH_OK;
}

th_status th_lower(const th_graph *graph, th_program **program) {
  return lower(graph, false, program);
}

th_status th_lower_mixed(const th_graph *graph, th_program **program) {
  return lower(graph, true, program);
}

uint8_t th_runtime_dtype(th_dtype dtype) {
  switch (dtype) {
    case TH_DTYPE_S8:
      return THR_DTYPE_S8;
    case TH_DTYPE_U8:
      return THR_DTYPE_U8;
    case TH_DTYPE_S16:
      return THR_DTYPE_S16;
    case TH_DTYPE_S32:
      return THR_DTYPE_S32;
    case TH_DTYPE_F32:
      return THR_DTYPE_F32;
    default:
      return 0;
  }
}

uint32_t th_value_align(const th_program *program, const th_value *value) {
  if (value->tensor < 0) return 1;
  const size_t bytes = th_dtype_bytes(program->graph->tensors[value->tensor].dtype);
  return bytes > 4 ? 4 : (uint32_t)bytes;
}

uint32_t th_step_scratch_align(const th_program_step *step) {
  const bool room = step->step.kernel == THR_KERNEL_CONV2D_S8 && step->step.p.conv2d.weights.room;
  const uint32_t align = room || step->form != THR_FORM_NONE ? 4 : thr_kernel_about(step->step.kernel)->scratch_align;
  return align > 1 ? align : 1;
}

th_segment th_segment_of(const th_program *program, int step) {
  for (int i = 0; i < program->n_segments; i++)
    if (step >= program->segments[i].first && step <= program->segments[i].last) return program->segments[i];
  return (th_segment){step, step};
}

int th_program_value(const th_program *program, int tensor) {
  return program->value_of[tensor];
}

void th_program_destroy(th_program *program) {
  if (program) th_arena_destroy(program->arena);
}

const char *th_kernel_name(thr_kernel_id kernel) {
  static const char *const names[THR_KERNEL_COUNT] = {
      "float",
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) #name,
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
  };
  return names[kernel];
}
