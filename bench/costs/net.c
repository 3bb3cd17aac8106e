/* net make TEXT OUT.thim: makes a model file of a graph in its text form (docs/design/graph-text.md), in which
 * bench/costs states layers of integers with all their numbers. net work MODEL TARGET OPTIMIZE FORMS CODER: prints what
 * its layers' costs depend on (src/lib/work.def) and the names of their rows in costs.def. SPDX-License-Identifier:
 * Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "lib/compile.h"
#include "lib/cost.h"
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

static th_status print(const th_deployed *d, const th_target *target) {
  th_json *root = th_json_object(), *layers = th_json_add_array(root, "layers");
  th_buf text = {0};
  for (int i = 0; i < d->program->n_steps; i++) {
    const th_cost_rows rows = th_cost_rows_of(target, d->program, i);
    const th_work work = th_work_of(d->program, &d->program->steps[i]);
    th_json *o = th_json_add_object(layers, NULL);
    th_json_add_string(o, "name", d->program->steps[i].name);
    th_json_add_string(o, "cost", rows.run);
    if (*rows.decode) th_json_add_string(o, "decode_cost", rows.decode);
    th_work_write(&work, o);
  }
  const th_status status = th_json_print(root, false, &text);
  if (status == TH_OK) puts(th_buf_cstr(&text));
  th_buf_free(&text);
  th_json_free(root);
  return status;
}

static th_status work(char **words) {
  static const char *const names[] = {"target", "optimize", "forms", "coder"};
  th_model *model = NULL;
  th_settings *settings = NULL;
  th_deployed d = {0};
  th_status status = th_settings_create("compile", &settings);
  for (int i = 0; i < 4 && status == TH_OK; i++) status = th_settings_set(settings, names[i], words[1 + i]);
  if (status == TH_OK) status = th_model_open(words[0], &model);
  if (status == TH_OK) status = th_compile_deploy(model, settings, &d);
  if (status == TH_OK) status = print(&d, th_target_find(words[1]));
  th_deployed_free(&d);
  th_model_close(model);
  th_settings_free(settings);
  return status;
}

int main(int argc, char **argv) {
  const bool makes = argc == 4 && strcmp(argv[1], "make") == 0, works = argc == 7 && strcmp(argv[1], "work") == 0;
  if (!makes && !works) return 2;
  if ((makes ? make(argv[2], argv[3]) : work(argv + 2)) == TH_OK) return 0;
  fprintf(stderr, "%s\n", th_error_message());
  return 3;
}
