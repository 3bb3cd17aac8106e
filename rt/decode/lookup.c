/* Building look-up tables of code words. See lookup.h. SPDX-License-Identifier: Apache-2.0 */
#include "lookup.h"

#include <string.h>

void thr_lookup_build(const thr_code *code, uint32_t extra, uint32_t bits, uint8_t *lookup) {
  const uint32_t size = (uint32_t)1 << bits;
  uint32_t at = 0, symbol = 0;
  memset(lookup, 0, THR_LOOKUP_BYTES(bits));
  for (uint32_t length = 1; length <= code->longest && length <= bits; length++) {
    const uint32_t span = size >> length;
    for (uint32_t i = 0; i < code->count[length]; i++, symbol++, at += span) {
      if (at + span > size) return; /* more words than there can be: only in a damaged table */
      const uint32_t number = code->base + code->step * (thr_code_symbol(code, symbol) << extra);
      memset(lookup + at, (int)(number & 255u), span);
      memset(lookup + size + at, (int)length, span);
    }
  }
}
