/* bitpack: indices of fixed width into a codebook, or steps on an even scale when that takes no more bits.
 * Decoder and layout: rt/decode/bitpack.c. SPDX-License-Identifier: Apache-2.0 */
#include "encode/bits.h"
#include "encode/code.h"
#include "encode/encode.h"

static int width_for(unsigned entries) { /* bits that number 0..entries-1; 0 for one entry */
  int bits = 0;
  while ((1u << bits) < entries) bits++;
  return bits;
}

bool th_encode_bitpack(const int8_t *w, uint32_t n, const th_weight_form *form, th_buf *data, th_buf *table) {
  uint32_t freq[TH_CODE_SYMBOLS] = {0};
  uint8_t index[TH_CODE_SYMBOLS], base, step;
  unsigned entries = 0, highest = 0;
  for (uint32_t i = 0; i < n; i++) freq[(uint8_t)w[i]]++;
  if (n == 0) return false;
  th_even_scale(freq, &base, &step);
  for (int v = -128; v < 128; v++) {
    if (freq[(uint8_t)v] == 0) continue;
    index[(uint8_t)v] = (uint8_t)entries++;
    highest = th_even_number(base, step, v);
  }
  const int width = width_for(entries);
  if (width > 7) return false; /* raw is no larger */
  const bool even = width_for(highest + 1) == width && entries > 2;
  th_buf_u8(table, (uint8_t)(width | (even ? 128 : 0)));
  if (even) {
    th_buf_u8(table, base);
    th_buf_u8(table, step);
  }
  for (int v = -128; v < 128 && !even; v++)
    if (freq[(uint8_t)v]) th_buf_u8(table, (uint8_t)v);
  th_bits bits = th_bits_begin(data);
  for (uint32_t i = 0; i < n; i++)
    th_bits_put(&bits, even ? th_even_number(base, step, w[i]) : index[(uint8_t)w[i]], width);
  th_bits_end(&bits);
  return true;
}
