/* The model of the context coder: probabilities that are learned while decoding, by what stands nearby.
 *
 * A weight is told by yes and no: is it zero? which sign? which magnitude, bit by bit? Each question has a few states,
 * chosen by the weights before it in its row: at the distances near, line, line - near, line + near, twice near and
 * twice line, which for pictures and convolutions are the neighbours of a point. Pruned layers keep weights in clumps
 * of one sign, so both the zeros and the signs can be foreseen. A state counts what it has seen; tables are two to six
 * bytes. Exact formulas: docs/format.md, "context". The encoder uses these very functions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DECODE_CONTEXT_H
#define THR_DECODE_CONTEXT_H

#include "arithmetic.h"

enum {
  THR_CONTEXT_ZEROS = 0, /* first state of each question */
  THR_CONTEXT_SIGNS = 6,
  THR_CONTEXT_NODES = 11,
  THR_CONTEXT_STATES = 26,
  THR_CONTEXT_STATE_BYTES = 3,
  THR_CONTEXT_PLACES = 256, /* weights that are remembered, two bits each */
  THR_CONTEXT_PLAIN_MEMORY = THR_CONTEXT_STATES * THR_CONTEXT_STATE_BYTES,
  THR_CONTEXT_MEMORY = THR_CONTEXT_PLAIN_MEMORY + THR_CONTEXT_PLACES / 4
};

typedef struct thr_context_model {
  uint32_t bits, first;     /* of a magnitude; first probability of a weight, of THR_RANGE_TOTAL */
  uint32_t near, line, row; /* 0: no neighbours; row 0: one row */
} thr_context_model;

/* 0 when the table is too short. */
int thr_context_parse(thr_context_model *m, const uint8_t *table, uint32_t bytes);

/* Bytes of memory that a table asks for. */
uint32_t thr_context_memory(const uint8_t *table, uint32_t bytes);

void thr_context_begin(const thr_context_model *m, uint8_t *memory);

/* The states of the next weight, number `at`: whether it is zero, and its sign. */
typedef struct thr_context_look {
  uint32_t zero, sign;
} thr_context_look;
thr_context_look thr_context_find(const thr_context_model *m, const uint8_t *memory, uint32_t at);

/* Probability of "yes" (not zero; positive; a 1), 32 to THR_RANGE_TOTAL - 32, and what is learned from the answer. */
uint32_t thr_context_chance(const uint8_t *memory, uint32_t state);
void thr_context_learn(uint8_t *memory, uint32_t state, uint32_t answer);

/* Remembers weight number `at`. */
void thr_context_note(const thr_context_model *m, uint8_t *memory, uint32_t at, int32_t v);

#endif
