/* What decoding a layer's weights comes to: how often the decoder is called, what it finds in its look-up tables, what
 * it must read bit by bit. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_DECODING_H
#define TH_LIB_DECODING_H

#include "thr_weights.h"

typedef struct th_decoding {
  double calls;       /* of the decoder: a part of a row each */
  double words;       /* of a Huffman code, pairs of words of a gap code: those that the look-up tables know; indices of
                         four bits that are taken two at a time */
  double plain_words; /* of those, the ones that plain bits follow: they need more shifts */
  double known_words; /* different ones, which the look-up tables are filled with */
  double slow_words;  /* too long for the tables, of no bits, at the end of the data; all where there are no tables;
                         other  indices of four bits */
  double slow_bits;   /* of their words */
  double read_counts; /* of the code tables, which are read for them once in a call: a head and their lengths */
  double questions;   /* that a context coder answers: zero or not, sign, magnitude bit by bit */
  double neighboured; /* weights that it tells by those nearby in their row, */
  double looks;       /* and how many of these it looks at */
} th_decoding;

/* `weights` are coded from value[0..count) and decoded in rows of `row` elements, these in parts of `part` at most. */
th_decoding th_decoding_of(const thr_weights *weights, const int8_t *value, uint32_t count, uint32_t row,
                           uint32_t part);

#endif
