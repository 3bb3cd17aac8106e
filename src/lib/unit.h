/* Training in units of the input.
 *
 * A network that takes pixels of 0 to 255, or coefficients in the hundreds, has first weights as much smaller, with
 * gradients as much larger: no one learning rate fits them and the other layers. So while a stage works, the input is
 * divided by a power of two near its root mean square, and the layers that read it are multiplied by it, which changes
 * no bit of any result; afterwards it is undone. Inputs of ordinary size keep the unit 1.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_UNIT_H
#define TH_LIB_UNIT_H

#include "data/dataset.h"
#include "ir/graph.h"

/* The unit of a data set's training samples; 1 without labels or numbers to predict, where the input is the target. */
float th_unit_of(const th_dataset *set);
/* Whether only weights of layers (float or integer) meet the input, each used once. */
bool th_unit_can(const th_graph *g);
/* The graph for an input in units of `unit`; 1 / unit undoes it. */
th_status th_unit_apply(th_graph *g, float unit);
/* A view of the data set in these units; it owns nothing. */
th_dataset th_unit_view(const th_dataset *set, float unit);

#endif
