/* The order of a program's steps, for the lowest peak.
 *
 * Steps may change places as long as each comes after those whose results it reads, and steps that write a value keep
 * their order among all that touch it (parts of a concatenation, variables). Which orders there are is a matter of
 * which sets of steps can be done first; the search goes over those sets, from small to large, and keeps the best way
 * to each (Liberis and Lane 2019, "Neural networks on microcontrollers: saving memory at inference via operator
 * reordering"). SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_ORDER_H
#define TH_PASS_ORDER_H

#include "eval/lower.h"

/* Reorders steps and sets the values' live ranges anew, if an order with a lower peak is found; all are compared unless
 * the program has so many branches that the sets become too many, or more than 4096 steps. Before th_pass_segments. */
th_status th_pass_order(th_program *program);

#endif
