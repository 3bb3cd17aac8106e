/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_AVR_H
#define TH_WRITE_AVR_H

#include "eval/lower.h"

/* Fails with the name of what an AVR's kernels cannot run: coded weights, constant operands, variables, operators that
 * have no kernel there, more RAM than 15 bits address. */
th_status th_avr_check(const th_program *program);

#endif
