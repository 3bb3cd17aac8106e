/* Moves: what operators that only re-arrange values do, as data.
 *
 * Such an operator is a list of moves. One move copies a block of up to TH_MOVE_RANK dimensions from an input to an
 * output, both walked with steps of their own:
 *
 *   out[out_at + sum_d i_d * out_step_d] = in[in_at + sum_d i_d * in_step_d]     for all 0 <= i_d < dim_d
 *
 * Steps may be negative (reversed slices, mirrors) or, in the input, 0 (repetition); all count elements of one sample.
 * An operator's file says its moves once (th_op.move); float forward and backward, constant folding and the lowering to
 * the runtime's strided copy all follow from them. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_OP_MOVE_H
#define TH_OP_MOVE_H

#include "ir/graph.h"

#define TH_MOVE_RANK (2 * TH_MAX_RANK)

typedef struct th_move {
  int in, out; /* which input and output of the node */
  int rank;
  int32_t dim[TH_MOVE_RANK]; /* 0 is possible: nothing to move */
  int32_t in_step[TH_MOVE_RANK], out_step[TH_MOVE_RANK];
  int32_t in_at, out_at;
} th_move;

/* Appends a dimension. Size 1 is left out, and one that continues the dimension before it is merged with it. */
void th_move_dim(th_move *m, int32_t dim, int32_t in_step, int32_t out_step);
int64_t th_move_elems(const th_move *m);
/* Elements between neighbours of each dimension of a dense tensor. */
void th_move_steps(const th_shape *s, int32_t step[TH_MAX_RANK]);
/* Copies elements of `elem_bytes` (1, 2, 4 or 8) bytes. */
void th_move_copy(const th_move *m, size_t elem_bytes, const void *in, void *out);
/* Whether the moves of a node put all values where they are already: its output is its input, maybe of other shape. */
bool th_op_moves_nothing(const th_graph *g, const th_node *n);

#endif
