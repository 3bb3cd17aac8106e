/* Multipliers with fewer significant bits that give the same outputs.
 *
 * A row's output is a staircase over the sums that its inputs can make at all (pass/reach.h). A multiplier whose
 * staircase has the same steps there is as good as the original, and among those is one with few significant bits,
 * which is stored small. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_NARROW_H
#define TH_PASS_NARROW_H

#include "eval/lower.h"

/* Replaces multipliers in place; shifts, weights and biases stay. Call before the weights are coded. */
th_status th_pass_narrow(th_program *program);

#endif
