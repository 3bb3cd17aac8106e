/* One number that tells data sets apart. See dataset.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "data/dataset.h"

static uint64_t mix(uint64_t h, const void *data, size_t bytes) {
  uint64_t both[2] = {h, data && bytes ? th_hash64(data, bytes) : 0};
  return th_hash64(both, sizeof both);
}

uint64_t th_dataset_hash(const th_dataset *d) {
  uint64_t h = mix(0, &d->shape.dim, (size_t)d->shape.rank * sizeof d->shape.dim[0]);
  size_t elems = (size_t)th_dataset_sample_elems(d);
  for (int s = 0; s < 2; s++) {
    const th_store *store = &d->store[s];
    h = mix(h, store->samples, (size_t)store->count * elems * th_dtype_bytes(store->dtype));
    h = mix(h, store->labels, store->labels ? (size_t)store->count * sizeof *store->labels : 0);
    if (store->targets) h = mix(h, store->targets, (size_t)store->count * (size_t)d->target_elems * sizeof(float));
  }
  for (int s = 0; s < TH_SPLIT_COUNT; s++) {
    const th_split *split = &d->split[s];
    h = mix(h, split->index, split->index ? (size_t)split->count * sizeof *split->index : 0);
    h = mix(h, &split->count, sizeof split->count);
  }
  if (!d->own) h = mix(h, &d->scale, sizeof d->scale); /* otherwise of whichever model looked at it last */
  if (d->zero != 0 && !d->own) h = mix(h, &d->zero, sizeof d->zero);
  h = mix(h, d->mean, sizeof d->mean);
  h = mix(h, d->std, sizeof d->std);
  return mix(h, d->augment, d->augment ? sizeof *d->augment : 0);
}
