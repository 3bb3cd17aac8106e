/* net TEXT OUT.thim: makes a model file of a graph in its text form (docs/design/graph-text.md), in which bench/costs
 * states layers of integers with all their numbers. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/arena.h"
#include "base/file.h"
#include "lib/model.h"
#include "op/op.h"

static th_status make(const char *text_path, const char *out_path) {
  th_arena *arena = th_arena_create();
  th_graph *graph = NULL;
  th_model *model = NULL;
  uint8_t *text = NULL;
  size_t size = 0;
  th_status status = arena ? th_file_read(arena, text_path, (size_t)64 << 20, &text, &size) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = th_graph_parse((const char *)text, size, text_path, NULL, NULL, &graph);
  if (status == TH_OK) status = th_op_infer_all(graph);
  if (status == TH_OK) status = th_model_from_graph(graph, "thim", &model);
  if (status == TH_OK) status = th_model_save(model, out_path);
  th_model_close(model);
  th_arena_destroy(arena);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  if (make(argv[1], argv[2]) == TH_OK) return 0;
  fprintf(stderr, "%s\n", th_error_message());
  return 3;
}
