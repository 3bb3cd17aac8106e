/* Walking class folders. See tree.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/tree.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

static bool has_extension(const char *name, const char *extensions) {
  char lower[12];
  const char *extension = th_path_extension(name);
  size_t n = strlen(extension);
  if (n < 2 || n + 2 > sizeof lower) return false;
  for (size_t i = 0; i < n; i++) lower[i] = (char)tolower((unsigned char)extension[i]);
  strcpy(lower + n, " ");
  return strstr(extensions, lower) != NULL;
}

static bool is_hidden(const char *name) {
  return name[0] == '.' || name[0] == '_';
}

typedef struct listing {
  const char *path;
  char **names;
  int count;
} listing;

static th_status list(th_arena *arena, const char *dir, const char *name, listing *l) {
  l->path = th_path_join(arena, dir, name);
  if (!l->path) return TH_ERR_RESOURCE;
  return th_dir_list(arena, l->path, &l->names, &l->count);
}

static bool holds_files(th_arena *arena, const char *dir, const char *name, const char *extensions) {
  listing l = {0};
  const char *path = th_path_join(arena, dir, name);
  if (is_hidden(name) || !path || !th_dir_exists(path) || list(arena, dir, name, &l) != TH_OK) return false;
  for (int i = 0; i < l.count; i++)
    if (has_extension(l.names[i], extensions)) return true;
  return false;
}

bool th_tree_probe(const th_source_place *place, const char *extensions) {
  bool found = false;
  for (int i = 0; place->names && i < place->count && !found; i++) {
    listing l = {0};
    const char *path = th_path_join(place->arena, place->path, place->names[i]);
    found = holds_files(place->arena, place->path, place->names[i], extensions);
    if (found || is_hidden(place->names[i]) || !path || !th_dir_exists(path)) continue;
    if (list(place->arena, place->path, place->names[i], &l) != TH_OK) continue;
    for (int k = 0; k < l.count && !found; k++) found = holds_files(place->arena, l.path, l.names[k], extensions);
  }
  th_error_clear();
  return found;
}

/* The folders in `dir`, and for each its files. */
typedef struct part {
  int n_classes;
  const char **names;
  listing *files;
} part;

static th_status read_part(th_arena *arena, const char *dir, const char *extensions, part *p) {
  listing l;
  TH_TRY(list(arena, dir, ".", &l));
  p->names = TH_ARRAY(arena, const char *, l.count);
  p->files = TH_ARRAY(arena, listing, l.count);
  if (!p->names || !p->files) return TH_ERR_RESOURCE;
  for (int i = 0; i < l.count; i++) {
    const char *path = th_path_join(arena, dir, l.names[i]);
    if (!path) return TH_ERR_RESOURCE;
    if (is_hidden(l.names[i]) || !th_dir_exists(path)) continue;
    listing *f = &p->files[p->n_classes];
    TH_TRY(list(arena, dir, l.names[i], f));
    int kept = 0;
    for (int k = 0; k < f->count; k++)
      if (!is_hidden(f->names[k]) && has_extension(f->names[k], extensions)) f->names[kept++] = f->names[k];
    f->count = kept;
    p->names[p->n_classes++] = l.names[i];
  }
  return TH_OK;
}

/* Both lists are sorted: a merge. */
static th_status merge_classes(th_arena *arena, const part parts[2], th_tree *tree) {
  int a = 0, b = 0;
  tree->classes = TH_ARRAY(arena, const char *, parts[0].n_classes + parts[1].n_classes);
  if (!tree->classes) return TH_ERR_RESOURCE;
  while (a < parts[0].n_classes || b < parts[1].n_classes) {
    int order = a == parts[0].n_classes   ? 1
                : b == parts[1].n_classes ? -1
                                          : strcmp(parts[0].names[a], parts[1].names[b]);
    tree->classes[tree->n_classes++] = order <= 0 ? parts[0].names[a] : parts[1].names[b];
    a += order <= 0;
    b += order >= 0;
  }
  return TH_OK;
}

static int class_of(const th_tree *tree, const char *name) {
  int c = 0;
  while (!th_str_eq(tree->classes[c], name)) c++;
  return c;
}

static th_status take_turns(th_arena *arena, const part *p, int which, int limit, th_tree *tree) {
  int64_t all = 0;
  for (int c = 0; c < p->n_classes; c++) all += p->files[c].count;
  if (limit && limit < all) all = limit;
  if (all > INT32_MAX) return th_fail(TH_ERR_RESOURCE, "%lld files are too many", (long long)all);
  tree->file[which] = TH_ARRAY(arena, th_tree_file, all);
  if (!tree->file[which]) return TH_ERR_RESOURCE;
  for (int turn = 0; tree->count[which] < all; turn++)
    for (int c = 0; c < p->n_classes && tree->count[which] < all; c++) {
      const listing *l = &p->files[c];
      if (turn >= l->count) continue;
      const char *path = th_path_join(arena, l->path, l->names[turn]);
      if (!path) return TH_ERR_RESOURCE;
      tree->file[which][tree->count[which]++] = (th_tree_file){path, class_of(tree, p->names[c])};
    }
  return TH_OK;
}

th_status th_tree_read(th_arena *arena, const char *dir, const char *extensions, const th_data_spec *spec,
                       th_tree *tree) {
  part parts[2] = {{0}};
  const char *train = th_path_join(arena, dir, "train"), *test = th_path_join(arena, dir, "test");
  if (!train || !test) return TH_ERR_RESOURCE;
  bool has_train = th_dir_exists(train);
  *tree = (th_tree){0};
  TH_TRY(read_part(arena, has_train ? train : dir, extensions, &parts[0]));
  if (has_train && spec->test <= 0 && th_dir_exists(test)) TH_TRY(read_part(arena, test, extensions, &parts[1]));
  TH_TRY(merge_classes(arena, parts, tree));
  if (tree->n_classes > TH_MAX_CLASSES)
    return th_fail(TH_ERR_INPUT, "%s: %d class folders, at most %d are supported", dir, tree->n_classes,
                   TH_MAX_CLASSES);
  for (int which = 0; which < 2; which++) TH_TRY(take_turns(arena, &parts[which], which, spec->limit, tree));
  if (tree->count[0]) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: no class folder holds a file that ends in one of: %s", has_train ? train : dir,
                 extensions);
}

th_status th_tree_stores(th_dataset *d, const char *dir, const th_tree *tree, th_dtype dtype, int samples_per_file) {
  d->classes = tree->n_classes;
  d->class_names = tree->classes;
  for (int which = 0; which < 2; which++) {
    th_store *store = &d->store[which];
    int64_t count = (int64_t)tree->count[which] * samples_per_file;
    if (!count) continue;
    TH_TRY(th_source_room(dir, count, &d->shape, dtype));
    size_t elems = (size_t)count * (size_t)th_dataset_sample_elems(d);
    void *samples = th_arena_array(d->arena, elems, th_dtype_bytes(dtype));
    int32_t *labels = TH_ARRAY(d->arena, int32_t, count);
    int32_t *groups = samples_per_file > 1 ? TH_ARRAY(d->arena, int32_t, count) : NULL;
    if (!samples || !labels || (samples_per_file > 1 && !groups)) return TH_ERR_RESOURCE;
    for (int i = 0; i < count; i++) {
      labels[i] = tree->file[which][i / samples_per_file].label;
      if (groups) groups[i] = i / samples_per_file;
    }
    *store = (th_store){.count = (int)count, .dtype = dtype, .samples = samples, .labels = labels, .groups = groups};
  }
  return TH_OK;
}
