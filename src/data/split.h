/* Drawing a part of the samples, stratified: each class gives the same fraction of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_SPLIT_H
#define TH_DATA_SPLIT_H

#include "base/arena.h"
#include "base/status.h"

/* Splits `count` items (numbers in `items`, or 0..count-1 when NULL) into `part` (fraction, rounded per class) and
 * `rest`, both ascending, in the arena. `labels` are indexed by item; NULL: one class. Same seed, same split. */
th_status th_split_draw(th_arena *arena, const int32_t *items, int count, const int32_t *labels, int classes,
                        double fraction, uint64_t seed, int32_t **part, int *n_part, int32_t **rest, int *n_rest);

#endif
