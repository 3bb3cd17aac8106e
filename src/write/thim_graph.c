/* .thim files of kind "graph": the text form of a graph, followed by its constants, found by their hashes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../rt/core/parse.h"
#include "base/str.h"
#include "write/thim.h"
#include "write/thim_parts.h"

/* What a file keeps of a tensor: the values of a constant, or those a variable begins with. */
static const void *kept_data(const th_tensor *t) {
  return t->dead ? NULL : t->data ? t->data : t->initial;
}

/* The first constant with this hash before `tensor`, or -1. */
static int find_hash(const uint64_t *hash, const th_graph *g, int tensor) {
  for (int i = 0; i < tensor; i++)
    if (kept_data(&g->tensors[i]) && hash[i] == hash[tensor]) return i;
  return -1;
}

/* Equal constants are stored once. */
static th_status put_constants(const th_graph *g, uint64_t *hash, th_buf *out) {
  uint32_t count = 0;
  const size_t count_at = out->size;
  th_buf_u32(out, 0);
  for (int i = 0; i < g->n_tensors; i++) {
    const th_tensor *t = &g->tensors[i];
    const void *data = kept_data(t);
    if (!data) continue;
    const size_t bytes = th_tensor_bytes(t);
    hash[i] = th_hash64(data, bytes);
    const int twin = find_hash(hash, g, i);
    const th_tensor *o = twin < 0 ? NULL : &g->tensors[twin];
    if (o && (th_tensor_bytes(o) != bytes || memcmp(kept_data(o), data, bytes) != 0))
      return th_fail(TH_ERR_INPUT, "%s and %s differ but have the same hash; a .thim file cannot hold both", o->name,
                     t->name);
    if (o) continue;
    th_buf_u64(out, hash[i]);
    th_buf_u64(out, bytes);
    th_buf_append(out, data, bytes);
    count++;
  }
  TH_TRY(th_buf_status(out));
  th_buf_set_u32(out, count_at, count);
  return TH_OK;
}

th_status th_write_thim_graph(const th_graph *graph, th_buf *out) {
  const size_t start = out->size;
  th_thim_put_header(out, THR_KIND_GRAPH, 0);
  const size_t length_at = out->size;
  th_buf_u32(out, 0);
  TH_TRY(th_graph_print(graph, -1, out));
  TH_TRY(th_buf_status(out));
  th_buf_set_u32(out, length_at, (uint32_t)(out->size - length_at - 4));
  uint64_t *hash = th_alloc(((size_t)graph->n_tensors + 1) * sizeof *hash);
  if (!hash) return TH_ERR_RESOURCE;
  const th_status status = put_constants(graph, hash, out);
  th_free(hash);
  return status == TH_OK ? th_thim_finish(out, start) : status;
}
