/* Integer weights of least squared output error: one row of weights against the inputs it meets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_LEAST_SQUARES_H
#define TH_PASS_LEAST_SQUARES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Symmetric matrix h (n x n, row by row) of the objective e' h e, and its factor u: h = u' u, u upper triangular. */
typedef struct th_squares {
  int64_t n;
  double *h, *u;
} th_squares;

/* h = x' x / rows, plus a part of its mean diagonal so that it can be factored, whatever x is. */
th_status th_squares_create(const float *x, int64_t rows, int64_t n, th_squares *s);
void th_squares_destroy(th_squares *s);

/* v = h^-1 v */
void th_squares_solve(const th_squares *s, double *v);

typedef struct th_levels {
  double step;
  int lo, hi;
  const bool *zero; /* of n weights: those that stay 0; NULL: none has to */
} th_levels;

/* Chooses integers q in [lo, hi] so that (step q - w)' h (step q - w) is small: nearest plane (Babai 1986), which is
 * what GPTQ does (Frantar et al. 2023, section 3; Chen et al. 2025 show that they agree), then coordinate descent until
 * no single change by any amount helps. `work` has 2 n doubles. */
void th_squares_round(const th_squares *s, const double *w, const th_levels *levels, int *q, double *work);

#endif
