/* huffman: one canonical code word per weight. Decoder and layout: rt/decode/huffman.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../rt/decode/lookup.h"
#include "encode/bits.h"
#include "encode/code.h"
#include "encode/encode.h"

bool th_encode_huffman(const int8_t *w, uint32_t n, const th_weight_form *form, th_buf *data, th_buf *table) {
  uint32_t freq[TH_CODE_SYMBOLS] = {0};
  th_code code;
  for (uint32_t i = 0; i < n; i++) freq[(uint8_t)w[i]]++;
  if (n == 0 || !th_code_build_values(freq, THR_LOOKUP_BITS, &code)) return false;
  if (code.data_bits == 0) return false; /* one value: a stream without bits would end before it begins */
  th_code_write_table(&code, table);
  th_bits bits = th_bits_begin(data);
  for (uint32_t i = 0; i < n; i++) th_code_put_value(&code, &bits, w[i]);
  th_bits_end(&bits);
  return true;
}
