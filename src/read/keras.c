/* The containers of Keras models, and where each keeps the weights of a layer.
 *
 *   .h5     root attributes model_config, keras_version; a group model_weights/<layer of the outermost model> with an
 *           attribute weight_names: its datasets in order. Layers of inner models are found by their names in these.
 *   .keras  config.json, metadata.json; model.weights.h5 has layers/<class in snake case>[_<number>]/vars/<index>, and
 *           the same again below a layer that is a model.
 *
 * Sources: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py (facts of the formats).
 * SPDX-License-Identifier: Apache-2.0 */
#include "read/keras.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "format/hdf5.h"
#include "format/zip.h"
#include "read/keras_internal.h"

#define MAX_H5 ((size_t)1 << 29)
#define MAX_CONFIG ((size_t)4 << 20) /* the parsed form takes up to a hundred times as much */

typedef struct store {
  th_h5 h5;
} store;

static void give(const th_h5_dataset *d, kr_found *f) {
  f->rank = d->rank;
  memcpy(f->dim, d->dim, sizeof f->dim);
  f->data = d->data;
}

/* --- .h5 --- */

/* A list that is too long for one attribute is kept as name0, name1, ... */
static const th_h5_text *names_part(const store *s, const char *group, int part) {
  char name[32];
  const th_h5_text *whole = th_h5_find_text(&s->h5, group, "weight_names");
  if (whole) return part == 0 ? whole : NULL;
  snprintf(name, sizeof name, "weight_names%d", part);
  return th_h5_find_text(&s->h5, group, name);
}

/* Is `part` one of the components of a path before the last? */
static bool has_component(const char *path, const char *part) {
  size_t n = strlen(part);
  for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
    if (strncmp(p, part, n) == 0 && p[n] == '/') return true;
  return false;
}

static const kr_layer *outermost(const kr_layer *l) {
  while (l->parent && l->parent->self) l = l->parent->self;
  return l;
}

static th_status find_in_h5(void *user, kr_reader *r, const kr_layer *l, int index, const kr_found *want, kr_found *f) {
  const store *s = user;
  const kr_layer *top = outermost(l);
  const char *group = th_arena_printf(r->scratch, "model_weights/%s", top->name), *chosen = NULL;
  const th_h5_text *names;
  if (!group) return TH_ERR_RESOURCE;
  if (!names_part(s, group, 0)) return th_keras_fail(r, l, "the file has no weights for it (no group %.100s)", group);
  for (int part = 0; (names = names_part(s, group, part)) != NULL; part++)
    for (int i = 0; i < names->count; i++) {
      if (l != top && !has_component(names->value[i], l->name)) continue;
      if (f->count++ == index) chosen = names->value[i];
    }
  if (!chosen) return TH_OK; /* the caller compares the count */
  const char *path = th_arena_printf(r->scratch, "%s/%s", group, chosen);
  if (!path) return TH_ERR_RESOURCE;
  const th_h5_dataset *d = th_h5_find(&s->h5, path);
  if (!d) return th_keras_fail(r, l, "weight %.100s is missing, or is not a plain dataset of numbers", chosen);
  give(d, f);
  return TH_OK;
}

static int major_of(const char *version) {
  return version && version[0] >= '3' && version[0] <= '9' ? 3 : 2;
}

static th_status parse_config(const char *text, size_t size, const char *what, th_json **root) {
  if (size > MAX_CONFIG)
    return th_fail(TH_ERR_INPUT, "%s: a config of %zu bytes is too large; at most %zu are read", what, size,
                   MAX_CONFIG);
  return th_json_parse(text, size, what, root);
}

static th_status read_h5(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  static const char *const skip[] = {"optimizer_weights", NULL};
  store s = {0};
  th_json *root;
  TH_TRY(th_h5_load(arena, data, size, skip, what, &s.h5));
  const th_h5_text *config = th_h5_find_text(&s.h5, "", "model_config");
  const th_h5_text *version = th_h5_find_text(&s.h5, "", "keras_version");
  if (!config)
    return th_fail(
        TH_ERR_INPUT,
        "%s: an HDF5 file without a model_config: it holds weights alone, or no Keras model; write the whole "
        "model with model.save()",
        what);
  if (!version) version = th_h5_find_text(&s.h5, "model_weights", "keras_version");
  kr_source source = {find_in_h5, &s, major_of(version ? version->value[0] : NULL)};
  TH_TRY(parse_config(config->value[0], strlen(config->value[0]), what, &root));
  th_status status = th_keras_read_config(root, &source, what, graph);
  th_json_free(root);
  return status;
}

/* --- .keras --- */

static th_status find_in_zip(void *user, kr_reader *r, const kr_layer *l, int index, const kr_found *want,
                             kr_found *f) {
  const store *s = user;
  th_buf path = {0};
  const th_h5_dataset *d = NULL, *chosen = NULL;
  do {
    path.size = 0;
    th_buf_printf(&path, "%s/vars/%d", l->store, f->count);
    TH_TRY(th_buf_status(&path));
    d = th_h5_find(&s->h5, th_buf_cstr(&path));
    if (d && f->count == index) chosen = d;
  } while (d && ++f->count < 64);
  th_buf_free(&path);
  if (!f->count) return th_keras_fail(r, l, "the file has no weights for it (no group %.100s/vars)", l->store);
  if (chosen) give(chosen, f);
  return TH_OK;
}

static bool has_prefix(const th_h5 *h5, const char *prefix) {
  for (int i = 0; i < h5->n_datasets; i++)
    if (th_str_starts(h5->datasets[i].path, prefix)) return true;
  return false;
}

/* Keras 2.13 named the group of layers after another attribute. Paths are brought to the usual form. */
static th_status rename_layers(th_arena *arena, th_h5 *h5) {
  static const char old[] = "_layer_checkpoint_dependencies";
  if (has_prefix(h5, "layers/") || !has_prefix(h5, old)) return TH_OK;
  for (int i = 0; i < h5->n_datasets; i++) {
    char *path = th_arena_strdup(arena, h5->datasets[i].path), *at;
    if (!path) return TH_ERR_RESOURCE;
    while ((at = strstr(path, old)) != NULL) {
      memcpy(at, "layers", 6);
      memmove(at + 6, at + sizeof old - 1, strlen(at + sizeof old - 1) + 1);
    }
    h5->datasets[i].path = path;
  }
  th_h5_sort(h5);
  return TH_OK;
}

static bool has(const th_zip *zip, const char *name) {
  return th_zip_find(zip, name) >= 0;
}

static th_status take(th_zip *zip, th_arena *arena, const char *what, const char *name, size_t limit, uint8_t **data,
                      size_t *size) {
  int i = th_zip_find(zip, name);
  if (i < 0) return th_fail(TH_ERR_INPUT, "%s: the archive has no entry %s", what, name);
  return th_zip_read(zip, i, arena, limit, data, size);
}

static th_status load_weights(th_arena *arena, th_zip *zip, const char *what, store *s) {
  static const char *const skip[] = {"optimizer", NULL};
  uint8_t *data;
  size_t size;
  if (!has(zip, "model.weights.h5") && (has(zip, "model.weights.npz") || has(zip, "model.weights.json")))
    return th_fail(TH_ERR_INPUT, "%s: its weights are not in one model.weights.h5; save it again with model.save()",
                   what);
  TH_TRY(take(zip, arena, what, "model.weights.h5", MAX_H5, &data, &size));
  if (!th_h5_probe(data, size)) return th_fail(TH_ERR_INPUT, "%s: its model.weights.h5 is no HDF5 file", what);
  TH_TRY(th_h5_load(arena, data, size, skip, what, &s->h5));
  return rename_layers(arena, &s->h5);
}

static th_status version_of(th_arena *arena, th_zip *zip, const char *what, int *major) {
  uint8_t *text;
  size_t size;
  th_json *root;
  *major = 3;
  if (!has(zip, "metadata.json")) return TH_OK;
  TH_TRY(take(zip, arena, what, "metadata.json", 1 << 16, &text, &size));
  TH_TRY(parse_config((const char *)text, size, what, &root));
  *major = major_of(th_json_string(th_json_get(root, "keras_version"), "3"));
  th_json_free(root);
  return TH_OK;
}

static th_status read_archive(th_arena *arena, th_zip *zip, const char *what, th_graph **graph) {
  store s = {0};
  uint8_t *text;
  size_t size;
  th_json *root;
  int major;
  if (!has(zip, "config.json"))
    return th_fail(TH_ERR_INPUT, "%s: a zip archive without config.json, so no Keras model", what);
  TH_TRY(take(zip, arena, what, "config.json", MAX_CONFIG, &text, &size));
  TH_TRY(version_of(arena, zip, what, &major));
  TH_TRY(parse_config((const char *)text, size, what, &root));
  th_status status = load_weights(arena, zip, what, &s);
  kr_source source = {find_in_zip, &s, major};
  if (status == TH_OK) status = th_keras_read_config(root, &source, what, graph);
  th_json_free(root);
  return status;
}

static th_status read_zip(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  th_zip *zip;
  TH_TRY(th_zip_open(data, size, what, &zip));
  th_status status = read_archive(arena, zip, what, graph);
  th_zip_close(zip);
  return status;
}

/* --- the interface --- */

/* Messages quote names from the file; what could steer a terminal, or is no text, becomes '?'. */
static void clean_message(const char *what) {
  char text[1024];
  snprintf(text, sizeof text, "%s", th_error_message());
  size_t own = th_str_starts(text, what) ? strlen(what) : 0;
  for (char *c = text + own; *c; c++)
    if (*c < ' ' || *c > '~') *c = '?';
  th_error_set(th_error_status(), text);
}

static th_status read_with(th_status (*fn)(th_arena *, const uint8_t *, size_t, const char *, th_graph **),
                           const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  *graph = NULL;
  if (size > MAX_H5) return th_fail(TH_ERR_INPUT, "%s: %zu bytes are too many for a Keras model", what, size);
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = fn(arena, data, size, what, graph);
  th_arena_destroy(arena);
  if (status != TH_OK) clean_message(what);
  return status;
}

bool th_read_keras_h5_probe(const uint8_t *data, size_t size) {
  return th_h5_probe(data, size);
}

bool th_read_keras_zip_probe(const uint8_t *data, size_t size) {
  return th_zip_probe(data, size);
}

th_status th_read_keras_h5_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  return read_with(read_h5, data, size, what, graph);
}

th_status th_read_keras_zip_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  return read_with(read_zip, data, size, what, graph);
}
