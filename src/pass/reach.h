/* Which values the channels of an int8 graph can take at all.
 *
 * Interval arithmetic from the inputs (any value) to the outputs. For layers with weights the interval of the sum is
 * exact over all inputs within their intervals, border positions included, where taps outside the image are skipped;
 * the step from the sum to the output is the runtime's own rounding, which never decreases. Everything else is bounded
 * by running the runtime's kernel on the ends of the intervals. So a channel whose interval is one value has this value
 * at every position of every inference, bit for bit. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_REACH_H
#define TH_PASS_REACH_H

#include "eval/lower.h"

typedef struct th_range {
  int16_t lo, hi;
} th_range;

typedef struct th_sum_range { /* of a row's sum, bias included */
  int64_t lo, hi;
} th_sum_range;

typedef struct th_reach {
  th_range **of;      /* per tensor: one interval per index of the last dimension; NULL for constants */
  th_sum_range **sum; /* per step of the program: one interval per row of weights; NULL for other steps */
} th_reach;

/* `program` must have been lowered from `g`. All arrays live in `arena`. */
th_status th_reach_find(const th_graph *g, const th_program *program, th_arena *arena, th_reach *reach);

static inline bool th_range_is_one(th_range r) {
  return r.lo == r.hi;
}

/* --- windows: which taps of a kernel lie inside the image, for all positions of the output --- */

typedef struct th_tap_span { /* [begin, end) */
  int32_t begin, end;
} th_tap_span;

typedef struct th_windows {
  th_tap_span *y, *x; /* the different spans; every pair of them occurs */
  int n_y, n_x;
} th_windows;

/* Spans of a convolution step; of a fully connected one the whole row. TH_ERR_RESOURCE when out of memory. */
th_status th_windows_find(const thr_step *step, th_arena *arena, th_windows *w);

/* The output of a weighted step for channel `c` when its sum, bias included, is `acc`. */
int8_t th_reach_output(const th_program_step *s, int32_t c, int32_t acc);

/* Whether th_reach_output of channel `c` never decreases for sums in [lo, hi]: no intermediate result overflows. */
bool th_reach_is_monotone(const th_program_step *s, int32_t c, int64_t lo, int64_t hi);

#endif
