/* Whether the samples of a data set lie as the input of a model wants them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_LAYOUT_H
#define TH_LIB_LAYOUT_H

#include "data/dataset.h"
#include "lib/model.h"

/* The first input and the samples, known to have as many elements, agree in shape; or TH_ERR_INPUT: not flat, and
 * different in more than dimensions of size 1. */
th_status th_layout_check(const th_model *model, const th_dataset *set);

/* Warns, once for a set, when it has fewer named classes than the model has outputs: names are numbered as they are
 * sorted, so a class that does not occur moves all behind it. */
void th_layout_tell_few(const th_context *ctx, th_dataset *set, int outputs);

#endif
