/* Fuzzes .npz data sets: archive, array headers, conversion, answers. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "data/dataset.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  th_dataset *d = NULL;
  th_status status = th_dataset_open(memory_file(data, size), 1, &d);
  if ((status == TH_OK) != (d != NULL)) abort();
  if (d && d->split[TH_SPLIT_TEST].count && th_dataset_sample_elems(d) < 1 << 16) {
    float *x = malloc((size_t)th_dataset_sample_elems(d) * sizeof *x);
    int32_t y, last = d->split[TH_SPLIT_TEST].count - 1;
    if (!x) abort();
    th_dataset_fetch(d, TH_SPLIT_TEST, &last, 1, NULL, 0, 0, x, &y);
    if (d->classes && (y < 0 || y >= d->classes)) abort();
    free(x);
  }
  th_dataset_close(d);
  th_error_clear();
  return 0;
}
