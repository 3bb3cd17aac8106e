/* The table of this build's kernels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define TABLE2(isa) th_math_##isa
#define TABLE(isa) TABLE2(isa)

extern const th_math TABLE(TH_ISA);
const th_math TABLE(TH_ISA) = {
    .isa = TEXT(TH_ISA),
    .gemm = TH_KERNEL(gemm),
    .pack = TH_KERNEL(pack),
    .depthwise = TH_KERNEL(depthwise),
    .depthwise_3x3 = TH_KERNEL(depthwise_3x3),
    .depthwise_weights = TH_KERNEL(depthwise_weights),
    .depthwise_weights_3x3 = TH_KERNEL(depthwise_weights_3x3),
    .depthwise_input = TH_KERNEL(depthwise_input),
    .max_pool = TH_KERNEL(max_pool),
    .avg_pool = TH_KERNEL(avg_pool),
    .max_pool_grad = TH_KERNEL(max_pool_grad),
    .avg_pool_grad = TH_KERNEL(avg_pool_grad),
    .unary = TH_KERNEL(unary),
    .unary_grad = TH_KERNEL(unary_grad),
    .binary = TH_KERNEL(binary),
    .add = TH_KERNEL(add),
    .scale = TH_KERNEL(scale),
    .axpy = TH_KERNEL(axpy),
    .multiply_add = TH_KERNEL(multiply_add),
    .softmax = TH_KERNEL(softmax),
    .softmax_grad = TH_KERNEL(softmax_grad),
    .quantize_s8 = TH_KERNEL(quantize_s8),
    .column_sums = TH_KERNEL(column_sums),
    .moments = TH_KERNEL(moments),
    .moments_grad = TH_KERNEL(moments_grad),
    .affine = TH_KERNEL(affine),
    .affine_grad = TH_KERNEL(affine_grad),
    .transpose = TH_KERNEL(transpose),
};
