/* IEEE 754 half precision, 16 bits: sign, 5 of exponent, 10 of mantissa.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_HALF_H
#define TH_BASE_HALF_H

#include <stdbool.h>
#include <stdint.h>

#define TH_HALF_MOST 65504.0f

float th_half_to_float(uint16_t h); /* exact */
/* The nearest, ties to even; beyond TH_HALF_MOST (by a rounding) infinity; NaN stays one. */
uint16_t th_half_from_float(float v);
bool th_half_holds(const float *v, int64_t n); /* all of them, exactly and finite */

#endif
