/* CRC-32 of PNG and zlib, bit by bit: a blob is checked once, a table would cost more flash than it is worth.
 * SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

uint32_t thr_crc32(const uint8_t *data, size_t n) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < n; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}
