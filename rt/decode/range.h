/* The model of the range coder: how probable each value of the next weight is, as integers.
 *
 * Weights of trained layers look like samples of a bell curve around what their neighbours predict. The table of a
 * tensor names the curve, its width, how fast the width follows the weights' own size, and the neighbours' shares;
 * nothing is learned symbol by symbol, so a small tensor pays for a few bytes only. Exact formulas: docs/format.md,
 * "range". The encoder uses these very functions. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DECODE_RANGE_H
#define THR_DECODE_RANGE_H

#include "arithmetic.h"

#define THR_RANGE_MEMORY 256 /* weights that a prediction may look back */

typedef struct thr_range_model {
  const uint16_t *tail;        /* of the curve: 65536 * P(x > i / 8 standard deviations) */
  uint32_t inside, zero, edge; /* probabilities: under the curve; extra for 0; extra for -127 and for 127 */
  int32_t width, follow, decay, constant;
  int32_t share[3];        /* of the neighbours at distances near, far, near + far; in eighths */
  uint32_t near, far, row; /* distances, 0: none; row: neighbours do not reach beyond the start of a row; 0: no rows */
  uint32_t first_mean;
} thr_range_model;

/* 0 when the table is too short or has no sense. */
int thr_range_parse(thr_range_model *m, const uint8_t *table, uint32_t bytes);

/* Bytes of the stream's memory that a table asks for: THR_RANGE_MEMORY or 0. */
uint32_t thr_range_memory(const uint8_t *table, uint32_t bytes);

/* What is expected of weight number `at`, in eighths. memory[i % 256] is weight i of those before. */
int32_t thr_range_expect(const thr_range_model *m, const int8_t *memory, uint32_t at);

/* The width's number for the present mean deviation. */
uint32_t thr_range_width(const thr_range_model *m, uint32_t mean);

/* Sum of the probabilities of all values below v, -128 <= v <= 128; strictly increasing, from 0 to THR_RANGE_TOTAL. */
uint32_t thr_range_below(const thr_range_model *m, uint32_t width, int32_t expected, int32_t v);

/* The mean deviation after a weight of value v. */
uint32_t thr_range_learn(const thr_range_model *m, uint32_t mean, int32_t expected, int32_t v);

#endif
