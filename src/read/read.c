/* The table of readers, made from readers.def. See read.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "read/read.h"

#define TH_READER(stem, format, what)                            \
  bool th_read_##stem##_probe(const uint8_t *data, size_t size); \
  th_status th_read_##stem##_bytes(const uint8_t *data, size_t size, const char *name, th_graph **graph);
#include "read/readers.def"
#undef TH_READER

static const th_model_reader readers[] = {
#define TH_READER(stem, format, what) {format, what, th_read_##stem##_probe, th_read_##stem##_bytes},
#include "read/readers.def"
#undef TH_READER
};

enum { READERS = sizeof readers / sizeof readers[0] };

const th_model_reader *th_model_reader_at(int i) {
  return i < READERS ? &readers[i] : NULL;
}

const th_model_reader *th_model_reader_find(const uint8_t *data, size_t size) {
  for (int i = 0; i < READERS; i++)
    if (readers[i].probe(data, size)) return &readers[i];
  return NULL;
}
