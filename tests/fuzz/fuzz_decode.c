/* Fuzzes the weight decoders. Input: coder, table length, pieces' length, then table and data, each copied to
 * where a forbidden page follows. Decoding in one call and in pieces must give the same weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../rt/decode/range.h"
#include "fuzz/guard.h"
#include "thr_weights.h"

enum { COUNT = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  const thr_coder coder = (thr_coder)(1 + data[0] % (THR_CODER_COUNT - 1));
  const int with_memory = data[0] < 128 || coder == THR_CODER_RANGE || coder == THR_CODER_CONTEXT;
  const size_t rest = size - 3, table_bytes = data[1] < rest ? data[1] : rest;
  const uint32_t piece = data[2] ? data[2] : 1;
  guarded table = guard_copy(data + 3, table_bytes, 1);
  guarded coded = guard_copy(data + 3 + table_bytes, rest - table_bytes, 1);
  guarded out[2] = {guard_end(COUNT, 1), guard_begin(COUNT)};
  int8_t *whole = (int8_t *)out[0].data, *pieces = (int8_t *)out[1].data;
  const thr_weights w = {coded.data,
                         table.data,
                         (uint32_t)(rest - table_bytes),
                         (uint16_t)table_bytes,
                         thr_coder_decode(coder),
                         (uint16_t)(with_memory ? thr_coder_memory(coder, table.data, (uint32_t)table_bytes) : 0),
                         thr_coder_dot(coder),
                         0};
  guarded memory = guard_end(THR_RANGE_MEMORY, 1);
  thr_stream stream;
  thr_stream_begin(&stream, &w, memory.data);
  w.decode(&stream, whole, COUNT);
  thr_stream_begin(&stream, &w, memory.data);
  for (uint32_t at = 0; at < COUNT; at += piece)
    w.decode(&stream, pieces + at, COUNT - at < piece ? COUNT - at : piece);
  if (memcmp(whole, pieces, COUNT) != 0) abort();
  guard_free(&table);
  guard_free(&coded);
  guard_free(&memory);
  for (int i = 0; i < 2; i++) guard_free(&out[i]);
  return 0;
}
