/* Included first by files whose loops run once per weight or product: they are compiled for speed in builds for size
 * too (-Os), where a loop of 15 instructions would become one of 25 to save a few bytes once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FAST_H
#define THR_FAST_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O2")
#endif

#endif
