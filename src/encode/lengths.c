/* Length-limited Huffman codes by package-merge (Larmore & Hirschberg 1990).
 *
 * Buy 2n - 2 coins as cheaply as possible: at each of `limit` levels there is one coin per symbol, worth its frequency,
 * and pairs of the level below count as one coin. A symbol's word length is how many of its coins were bought. Since
 * coins of a level are bought cheapest first, it is enough to remember which items of a sorted level are symbols.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "encode/code.h"

typedef struct coin_level {
  uint64_t weight[2 * TH_CODE_SYMBOLS];
  bool is_symbol[2 * TH_CODE_SYMBOLS];
  int count;
} coin_level;

typedef struct leaf {
  uint32_t freq;
  int symbol;
} leaf;

static int by_freq(const void *a, const void *b) {
  const leaf *x = a, *y = b;
  if (x->freq != y->freq) return x->freq < y->freq ? -1 : 1;
  return x->symbol - y->symbol;
}

static int sorted_leaves(const uint32_t freq[TH_CODE_SYMBOLS], leaf leaves[TH_CODE_SYMBOLS]) {
  int n = 0;
  for (int s = 0; s < TH_CODE_SYMBOLS; s++)
    if (freq[s]) leaves[n++] = (leaf){freq[s], s};
  qsort(leaves, (size_t)n, sizeof leaves[0], by_freq);
  return n;
}

static void merge_level(const leaf *leaves, int n, const coin_level *below, coin_level *level) {
  const int pairs = below ? below->count / 2 : 0;
  level->count = 0;
  for (int l = 0, p = 0; l < n || p < pairs;) {
    const uint64_t pair = p < pairs ? below->weight[2 * p] + below->weight[2 * p + 1] : 0;
    const bool take_symbol = p >= pairs || (l < n && leaves[l].freq <= pair);
    level->weight[level->count] = take_symbol ? leaves[l].freq : pair;
    level->is_symbol[level->count++] = take_symbol;
    if (take_symbol)
      l++;
    else
      p++;
  }
}

void th_huffman_lengths(const uint32_t freq[TH_CODE_SYMBOLS], int limit, uint8_t length[TH_CODE_SYMBOLS]) {
  leaf leaves[TH_CODE_SYMBOLS];
  coin_level levels[16];
  const int n = sorted_leaves(freq, leaves);
  memset(length, 0, TH_CODE_SYMBOLS);
  if (n < 2) return;
  for (int i = 0; i < limit; i++) merge_level(leaves, n, i ? &levels[i - 1] : NULL, &levels[i]);
  int bought = 2 * n - 2;
  for (int i = limit - 1; i >= 0; i--) {
    int symbols = 0;
    for (int k = 0; k < bought; k++) symbols += levels[i].is_symbol[k];
    for (int k = 0; k < symbols; k++) length[leaves[k].symbol]++;
    bought = 2 * (bought - symbols);
  }
}
