/* Fuzzes text tables: the first byte says which columns are what, the rest is the file.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "data/dataset.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const keys[] = {
      "label=1", "target=1", "label=y", "target=y,x,missing=drop", "label=2,missing=drop", "label=1,drop=2,limit=3"};
  char spec[128];
  th_dataset *d = NULL;
  if (size < 1) return 0;
  snprintf(spec, sizeof spec, "%s,%s", memory_file(data + 1, size - 1), keys[data[0] % 6]);
  th_status status = th_dataset_open(spec, 1, &d);
  if ((status == TH_OK) != (d != NULL)) abort();
  for (int i = 0; d && d->store[0].labels && i < d->store[0].count; i++)
    if (d->store[0].labels[i] < 0 || d->store[0].labels[i] >= d->classes) abort();
  th_dataset_close(d);
  th_error_clear();
  return 0;
}
