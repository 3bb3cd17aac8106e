/* How many words of a Huffman code are decoded slowly. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_LONG_WORDS_H
#define TH_LIB_LONG_WORDS_H

#include "thr_weights.h"

/* Of the `count` weights that huffman or gap_huffman coded: words (pairs of words) that the decoder's look-up table
 * does not know, being too long or of no bits; all, when it has no memory for one; 0 for other coders. */
uint32_t th_long_words(const thr_weights *weights, uint32_t count);

#endif
