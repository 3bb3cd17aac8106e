/* Weights and bias of one layer onto the int8 and int32 grids. Part of pass quantize.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_QUANTIZE_WEIGHTS_H
#define TH_PASS_QUANTIZE_WEIGHTS_H

#include "pass/quantize.h"

/* `node`: conv2d, depthwise or fully connected, with float constants and grids on input and output. */
th_status th_quantize_layer(th_graph *g, int node, const th_quantize_options *o);

#endif
