/* dequantize: integer to float.
 *
 * In float arithmetic it is the identity; the integers are made by eval/ with the runtime's own kernels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_copy(r->out[0], r->in[0], th_op_elems_out(r->graph, r->node), r, false);
}

const th_op th_op_dequantize = {.name = "dequantize",
                                .attrs = th_op_no_attrs,
                                .infer = th_op_same_shape_infer,
                                .forward = forward,
                                .cost = th_op_cost_none};
