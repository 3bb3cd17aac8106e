/* What the lowering functions of the single operators share. Private to eval/lower*.c and eval/multiplier.c.
 *
 * Each function turns one int8 node into one step (concat: one per part). Its shape has been checked by
 * th_op_infer_all, but lowering looks again at whatever a kernel would otherwise read beyond. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_EVAL_LOWER_INTERNAL_H
#define TH_EVAL_LOWER_INTERNAL_H

#include "eval/lower.h"

typedef struct th_lowering {
  const th_graph *g;
  th_program *p;
  bool mixed;
} th_lowering;

#define TH_LOWER_FAIL(n, fmt, ...) th_fail(TH_ERR_INPUT, "%s (%s): " fmt, (n)->name, th_op_name((n)->op), ##__VA_ARGS__)

/* Type, scale and zero of an integer tensor quantized as a whole. */
typedef struct th_grid {
  float scale;
  int32_t zero;
  th_dtype dtype;
} th_grid;
th_status th_lower_grid(const th_node *n, const th_tensor *t, th_grid *grid); /* int8 only */
/* int8, or int16 with zero point 0; and the same of input 0 and output 0, which must be of one type. For operators that
 * have kernels for both; th_lower_pick chooses. */
th_status th_lower_wide_grid(const th_node *n, const th_tensor *t, th_grid *grid);
th_status th_lower_wide_grids(const th_lowering *l, const th_node *n, th_grid *in, th_grid *out);
static inline thr_kernel_id th_lower_pick(th_grid grid, thr_kernel_id s8, thr_kernel_id s16) {
  return grid.dtype == TH_DTYPE_S16 ? s16 : s8;
}
/* Any integer type the runtime knows, any zero point. */
th_status th_lower_any_grid(const th_node *n, const th_tensor *t, th_grid *grid);
/* Grids of input 0 and output 0. */
th_status th_lower_grids(const th_lowering *l, const th_node *n, th_grid *in, th_grid *out);
/* Same, and they must be equal: for operators that move values without changing them. */
th_status th_lower_same_grid(const th_lowering *l, const th_node *n, th_grid *grid);
th_status th_lower_same_wide_grid(const th_lowering *l, const th_node *n, th_grid *grid);
/* Any integer type: for operators that count bytes. Float, which has no grid, is refused. */
th_status th_lower_same_any_grid(const th_lowering *l, const th_node *n, th_grid *grid);

/* th_quantize_multiplier with the range check; refuses negative, infinite and huge ones. */
th_status th_lower_multiplier(const th_node *n, double real, int32_t *mult, int8_t *shift);
/* Limits of the output for a fused activation. */
th_status th_lower_clamp(const th_node *n, th_act act, float scale, int32_t zero, int32_t *lo, int32_t *hi);
th_status th_lower_clamp_to(const th_node *n, th_act act, th_grid grid, int32_t *lo, int32_t *hi); /* of any type */

/* Appends a step for node `node` that reads the tensors `in` and writes the node's output. */
th_status th_lower_step(th_lowering *l, int node, thr_kernel_id kernel, const int *in, int n_in,
                        th_program_step **step);
/* The same for output number `out` of a node with several: one step each. */
th_status th_lower_step_out(th_lowering *l, int node, int out, thr_kernel_id kernel, const int *in, int n_in,
                            th_program_step **step);
/* The value of an input tensor; constants become values on first use. Extends its live range to the last step. */
th_status th_lower_use(th_lowering *l, const th_node *n, int tensor, int *value);
/* The value of an output tensor, made on first use. */
th_status th_lower_output(th_lowering *l, const th_node *n, int tensor, int *value);

/* The shapes of an element-wise step: broadcasting over the last four dimensions. Sets nothing else of *p. */
th_status th_lower_broadcast(const th_node *n, const th_shape *a, const th_shape *b, const th_shape *y,
                             thr_elementwise_params *p);
/* The sizes of a reduction: the dimensions behind the batch as (y, x, c), and which of them are reduced. */
th_status th_lower_mean_view(const th_lowering *l, const th_node *n, thr_mean_params *p);
/* The output must have the quantization that the kernel gives. */
th_status th_lower_fixed_grid(const th_node *n, th_grid out, float scale, int32_t zero);
/* Inputs further than this from the edge are out of a fixed-point function's range. */
int32_t th_lower_input_radius(int integer_bits, int shift);
/* Gives a step one more operand: `bytes` constant bytes, which the program's arena must hold. */
th_status th_lower_add_constant(th_lowering *l, th_program_step *s, const void *data, uint32_t bytes);

typedef th_status th_lower_fn(th_lowering *l, int node);
th_lower_fn th_lower_conv2d, th_lower_depthwise_conv2d, th_lower_fully_connected,
    th_lower_transpose_conv2d;                                                            /* lower_weighted.c */
th_lower_fn th_lower_pool2d, th_lower_mean, th_lower_concat, th_lower_pad;                /* lower_shape.c */
th_lower_fn th_lower_elementwise, th_lower_softmax, th_lower_sigmoid_tanh, th_lower_relu, /* lower_math.c */
    th_lower_relu6, th_lower_clip, th_lower_leaky_relu, th_lower_hard_swish;
th_lower_fn th_lower_lookup;                                                             /* lower_lookup.c */
th_lower_fn th_lower_extreme, th_lower_prelu, th_lower_squared_difference, th_lower_div; /* lower_binary.c */
th_lower_fn th_lower_sum, th_lower_reduce_extreme, th_lower_argmax, th_lower_l2_normalization,
    th_lower_log_softmax; /* lower_reduce.c */
th_lower_fn th_lower_move, th_lower_resize_nearest, th_lower_resize_bilinear, th_lower_batch_matmul; /* lower_move.c */
/* Values pass unchanged, so type and quantization (of any type) must be the same on both sides. */
th_status th_lower_check_sides(const th_node *n, const th_tensor *x, const th_tensor *y);
/* Steps that the moves of a node take; 0 when it has none. */
int th_lower_move_steps(const th_graph *g, const th_node *n);
th_lower_fn th_lower_quantize, th_lower_dequantize; /* lower_types.c */
th_lower_fn th_lower_svdf, th_lower_lstm;           /* lower_recurrent.c */
/* Values of any type, float too: they are only copied. */
th_lower_fn th_lower_variable; /* lower_variable.c */
/* Whether a node's output lies where its input does: another shape, or a variable's value that need not be copied. */
bool th_lower_is_alias(const th_graph *g, const th_node *n);
bool th_lower_read_is_alias(const th_graph *g, const th_node *n);

#endif
