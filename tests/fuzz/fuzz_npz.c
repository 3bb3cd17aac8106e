/* Fuzzes .npz data sets. Archives guard their members by checksums that mutations break, so an input that begins like
 * an array is taken for one: its header, samples and answers. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "data/array.h"
#include "memory_file.h"

static void try_archive(const uint8_t *data, size_t size) {
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
}

static void try_array(uint8_t *own, size_t size) {
  th_array a;
  th_store store = {0};
  th_shape shape;
  th_dataset d = {.arena = th_arena_create()};
  if (!d.arena) abort();
  if (th_array_from_npy(own, size, "fuzz", &a) == TH_OK && a.rank > 0) {
    if (th_array_samples(d.arena, &a, 0, &store, &shape) == TH_OK && store.count != a.dim[0]) abort();
    th_error_clear();
    store.count = a.dim[0] < 1 << 20 ? (int)a.dim[0] : 0;
    if (th_array_answers(&d, &a, &store, a.dim[0]) == TH_OK)
      for (int i = 0; store.labels && i < store.count; i++)
        if (store.labels[i] < 0 || store.labels[i] >= d.classes) abort();
  }
  th_arena_destroy(d.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size && data[0] == 0x93) {
    uint8_t *own = malloc(size); /* of exactly this size, so that a read behind it is seen */
    if (!own) abort();
    for (size_t i = 0; i < size; i++) own[i] = data[i];
    try_array(own, size);
    free(own);
  } else {
    try_archive(data, size);
  }
  th_error_clear();
  return 0;
}
