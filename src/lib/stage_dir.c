/* Keeping the stages of one run only. See stage_dir.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/stage_dir.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "lib/settings.h"

static bool is_stage(const char *name) {
  bool known = th_str_eq(name, "given") || th_str_eq(name, "lossless");
  for (int i = 0; th_stage_name(i) && !known; i++) known = th_str_eq(th_stage_name(i), name);
  return known;
}

/* `stem`: room for the file's name without its extension. */
static bool is_of_shrink(const char *file, char *stem) {
  const char *extension = th_path_extension(file);
  snprintf(stem, strlen(file) + 1, "%.*s", (int)(extension - file), file);
  return strspn(stem, "0123456789") == 2 && stem[2] == '-' && is_stage(stem + 3) &&
         th_str_in_list(".thim,.id,.checkpoint", extension);
}

static th_status tidy_file(th_arena *arena, const char *dir, const char *file, const char *mine) {
  char *stem = TH_ARRAY(arena, char, strlen(file) + 1);
  if (!stem) return TH_ERR_RESOURCE;
  if (!is_of_shrink(file, stem)) return TH_OK;
  const char *graph = th_arena_printf(arena, TH_STAGE_DIR "/%s.thim", stem), *path = th_path_join(arena, dir, file);
  if (!graph || !path) return TH_ERR_RESOURCE;
  if (th_str_in_list(mine, graph)) return TH_OK;
  return remove(path) == 0 ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: cannot be removed", path);
}

th_status th_stage_dir_tidy(th_arena *arena, const char *result_dir, const char *mine) {
  const char *dir = th_path_join(arena, result_dir, TH_STAGE_DIR);
  char **names;
  int n;
  if (!dir) return TH_ERR_RESOURCE;
  TH_TRY(th_dir_list(arena, dir, &names, &n));
  for (int i = 0; i < n; i++) TH_TRY(tidy_file(arena, dir, names[i], mine));
  return TH_OK;
}
