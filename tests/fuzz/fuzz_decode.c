/* Fuzzes the weight decoders. Input: coder, table length, pieces' length, then table and data, each copied into a block
 * of exactly its size. Decoding in one call and in pieces must give the same weights. SPDX-License-Identifier:
 * Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "thr_weights.h"

enum { COUNT = 2000 };

static uint8_t *copy(const uint8_t *data, size_t size) {
  uint8_t *p = malloc(size ? size : 1);
  if (!p) abort();
  memcpy(p, data, size);
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int8_t whole[COUNT], pieces[COUNT];
  if (size < 3) return 0;
  const thr_coder coder = (thr_coder)(1 + data[0] % (THR_CODER_COUNT - 1));
  const size_t rest = size - 3, table_bytes = data[1] < rest ? data[1] : rest;
  const uint32_t piece = data[2] ? data[2] : 1;
  uint8_t *table = copy(data + 3, table_bytes), *stream_data = copy(data + 3 + table_bytes, rest - table_bytes);
  const thr_weights w = {stream_data, table, (uint32_t)(rest - table_bytes), (uint16_t)table_bytes,
                         thr_coder_decode(coder)};
  thr_stream stream;
  thr_stream_begin(&stream, &w);
  w.decode(&stream, whole, COUNT);
  thr_stream_begin(&stream, &w);
  for (uint32_t at = 0; at < COUNT; at += piece)
    w.decode(&stream, pieces + at, COUNT - at < piece ? COUNT - at : piece);
  if (memcmp(whole, pieces, COUNT) != 0) abort();
  free(table);
  free(stream_data);
  return 0;
}
