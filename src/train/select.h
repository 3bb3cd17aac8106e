/* Choosing the smallest of many scores: used by the masks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_SELECT_H
#define TH_TRAIN_SELECT_H

#include <stdint.h>

/* The k-th smallest value (k from 0), n > k >= 0. Reorders `values`. No NaN. */
float th_select_kth(float *values, int64_t n, int64_t k);

#endif
