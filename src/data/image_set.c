/* Folders of pictures, a folder per class. See data/source.h and data/tree.h.
 *
 * size= and channels= say what all become; without them the first picture of the training set decides, and one that
 * differs is refused. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "data/resize.h"
#include "data/tree.h"
#include "format/image.h"

static const char extensions[] = ".png .jpg .jpeg .bmp ";

enum { CHUNK = 16, MOST_FILE = 1 << 28 };

bool th_source_probe_image(const th_source_place *place) {
  return th_tree_probe(place, extensions);
}

static th_status load(th_arena *arena, const char *path, int channels, th_image *image) {
  uint8_t *data;
  size_t size;
  TH_TRY(th_file_read(arena, path, MOST_FILE, &data, &size));
  return th_image_decode(arena, data, size, path, channels, image);
}

typedef struct job {
  const th_dataset *d;
  const th_tree *tree;
  int which;
  bool resizes;
  int channels; /* as asked for; 0: all must be as the first */
} job;

static th_status load_sample(const job *j, int i, th_arena *arena) {
  const th_shape *s = &j->d->shape;
  const char *path = j->tree->file[j->which][i].path;
  size_t elems = (size_t)th_dataset_sample_elems(j->d);
  uint8_t *out = (uint8_t *)(uintptr_t)j->d->store[j->which].samples + (size_t)i * elems;
  th_image image;
  TH_TRY(load(arena, path, j->channels, &image));
  if (image.c != s->dim[2])
    return th_fail(TH_ERR_INPUT, "%s: has %d channel(s), the first picture has %d; channels=1 or channels=3 converts",
                   path, image.c, s->dim[2]);
  if (image.y == s->dim[0] && image.x == s->dim[1]) {
    memcpy(out, image.pixels, elems);
    return TH_OK;
  }
  if (!j->resizes)
    return th_fail(TH_ERR_INPUT, "%s: is %d x %d, the first picture is %d x %d; size=%dx%d resizes", path, image.y,
                   image.x, s->dim[0], s->dim[1], s->dim[0], s->dim[1]);
  return th_resize(arena, &image, s->dim[0], s->dim[1], out);
}

static th_status load_chunk(void *arg, int chunk, int thread) {
  const job *j = arg;
  (void)thread;
  th_status status = TH_OK;
  int end = (chunk + 1) * CHUNK < j->tree->count[j->which] ? (chunk + 1) * CHUNK : j->tree->count[j->which];
  for (int i = chunk * CHUNK; i < end && status == TH_OK; i++) {
    th_arena *arena = th_arena_create();
    status = arena ? load_sample(j, i, arena) : TH_ERR_RESOURCE;
    th_arena_destroy(arena);
  }
  return status;
}

static th_status first_shape(th_dataset *d, const th_tree *tree, const th_data_spec *spec) {
  th_image image;
  th_arena_pos pos = th_arena_mark(d->arena);
  TH_TRY(load(d->arena, tree->file[0][0].path, spec->channels, &image));
  d->shape = th_shape_make(3, spec->size_y ? spec->size_y : image.y, spec->size_y ? spec->size_x : image.x, image.c);
  th_arena_release(d->arena, pos);
  return TH_OK;
}

th_status th_source_read_image(th_dataset *d, const char *dir, const th_data_spec *spec) {
  th_tree tree;
  TH_TRY(th_tree_read(d->arena, dir, extensions, spec, &tree));
  TH_TRY(first_shape(d, &tree, spec));
  TH_TRY(th_tree_stores(d, dir, &tree, TH_DTYPE_U8, 1));
  for (int which = 0; which < 2; which++) {
    job j = {d, &tree, which, spec->size_y > 0, spec->channels};
    TH_TRY(th_parallel_for((tree.count[which] + CHUNK - 1) / CHUNK, load_chunk, &j));
  }
  return TH_OK;
}
