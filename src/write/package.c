/* What the packages share: files, templates, the model's sources, the runtime's. See package.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/package.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "write/avr.h"
#include "write/csource.h"
#include "write/includes.h"

typedef th_status package_fn(th_package *k);

static const struct {
  const char *name, *what;
  package_fn *write;
} PACKAGES[] = {
#define TH_PACKAGE(name, function, what) {name, what, th_package_##function},
#include "write/packages.def"
#undef TH_PACKAGE
};
enum { PACKAGE_COUNT = sizeof PACKAGES / sizeof *PACKAGES };

const char *th_package_list(int i, const char **what) {
  if (i < 0 || i >= PACKAGE_COUNT) return NULL;
  if (what) *what = PACKAGES[i].what;
  return PACKAGES[i].name;
}

/* --- files --- */

enum { MOST_KEPT = 1000 };

th_status th_package_keep(th_package *k) {
  k->kept = TH_ARRAY(k->arena, th_zip_entry, MOST_KEPT);
  return k->kept ? TH_OK : TH_ERR_RESOURCE;
}

static th_status keep(th_package *k, const char *path, const void *data, size_t bytes) {
  if (k->n_kept == MOST_KEPT) return th_fail(TH_ERR_INTERNAL, "a package of more than %d files", MOST_KEPT);
  th_zip_entry *e = &k->kept[k->n_kept++];
  uint8_t *copy = th_arena_alloc(k->arena, bytes + 1);
  *e = (th_zip_entry){th_arena_printf(k->arena, "%s/%s", k->lower, path), copy, bytes};
  if (!copy || !e->name) return TH_ERR_RESOURCE;
  if (bytes > 0) memcpy(copy, data, bytes);
  return TH_OK;
}

th_status th_package_put(th_package *k, const char *path, const void *data, size_t bytes) {
  const char *whole = th_path_join(k->arena, k->dir, path);
  if (!whole) return TH_ERR_RESOURCE;
  const char *slash = strrchr(whole, '/');
  char *parent = th_arena_strdup(k->arena, whole);
  if (!parent) return TH_ERR_RESOURCE;
  if (slash) parent[slash - whole] = 0;
  TH_TRY(th_dir_create(parent));
  if (k->kept) TH_TRY(keep(k, path, data, bytes));
  return th_file_write(whole, data, bytes);
}

const th_embedded_file *th_package_embedded(const char *path) {
  for (int i = 0; i < th_embedded_count; i++)
    if (th_str_eq(th_embedded_files[i].path, path)) return &th_embedded_files[i];
  return NULL;
}

/* --- templates --- */

static const th_placeholder *match(const th_placeholder *list, const char *text, size_t left) {
  for (; list && list->name; list++)
    if (strlen(list->name) <= left && !memcmp(text, list->name, strlen(list->name))) return list;
  return NULL;
}

static void expand(const th_package *k, const char *text, size_t bytes, const th_placeholder *more, th_buf *out) {
  const th_placeholder own[] = {{"@lower@", k->lower},
                                {"@UPPER@", k->upper},
                                {"@target@", k->target->name},
                                {"@flags@", k->flags},
                                {"@flash@", k->target->flash},
                                {"@ram@", k->target->ram},
                                {"@compiler@", th_target_family(k->target)->compiler},
                                {"@rt_sources@", k->rt_sources ? k->rt_sources : ""},
                                {NULL, NULL}};
  for (size_t i = 0; i < bytes;) {
    const th_placeholder *hit = text[i] == '@' ? match(own, text + i, bytes - i) : NULL;
    if (!hit && text[i] == '@') hit = match(more, text + i, bytes - i);
    if (hit)
      th_buf_append(out, hit->value, strlen(hit->value));
    else
      th_buf_append(out, text + i, 1);
    i += hit ? strlen(hit->name) : 1;
  }
}

static th_status put_template(th_package *k, const th_embedded_file *file, const char *path,
                              const th_placeholder *more) {
  th_buf text = {0}, to = {0};
  expand(k, (const char *)file->data, file->bytes, more, &text);
  expand(k, path, strlen(path), more, &to);
  th_status status = th_buf_status(&text);
  if (status == TH_OK) status = th_buf_status(&to);
  if (status == TH_OK) status = th_package_put(k, th_buf_cstr(&to), text.data, text.size);
  th_buf_free(&text);
  th_buf_free(&to);
  return status;
}

th_status th_package_put_templates(th_package *k, const th_package_file *files) {
  for (; files->template; files++) {
    const char *path = th_arena_printf(k->arena, "src/write/templates/%s.in", files->template);
    const th_embedded_file *file = path ? th_package_embedded(path) : NULL;
    if (!file) return th_fail(TH_ERR_INTERNAL, "template %s is not part of this build", files->template);
    TH_TRY(put_template(k, file, files->path, NULL));
  }
  return TH_OK;
}

th_status th_package_put_folder(th_package *k, const char *folder, const th_placeholder *more) {
  const char *path = th_arena_printf(k->arena, "src/write/templates/%s%s", folder, *folder ? "/" : "");
  if (!path) return TH_ERR_RESOURCE;
  for (int i = 0; i < th_embedded_count; i++) {
    const th_embedded_file *e = &th_embedded_files[i];
    if (!th_str_starts(e->path, path) || strchr(e->path + strlen(path), '/')) continue;
    const char *base = th_path_base(e->path); /* without ".in" */
    const char *name = th_arena_printf(k->arena, "%.*s", (int)strlen(base) - 3, base);
    if (!name) return TH_ERR_RESOURCE;
    TH_TRY(put_template(k, e, name, more));
  }
  return TH_OK;
}

/* Whether a file begins as the template does, up to its first placeholder or line end. */
static bool begins_as(const th_package *k, const char *path, const th_embedded_file *e) {
  enum { FEWEST = 16 };
  size_t n = 0, bytes;
  uint8_t *data;
  while (n < e->bytes && e->data[n] != '@' && e->data[n] != '\n') n++;
  if (n < FEWEST || !th_file_exists(path) || th_file_read(k->arena, path, 1 << 20, &data, &bytes) != TH_OK) {
    th_error_clear();
    return false;
  }
  return bytes >= n && !memcmp(data, e->data, n);
}

th_status th_package_drop_folder(const th_package *k, const char *folder) {
  const char *from = th_arena_printf(k->arena, "src/write/templates/%s/", folder);
  if (!from) return TH_ERR_RESOURCE;
  for (int i = 0; i < th_embedded_count; i++) {
    const th_embedded_file *e = &th_embedded_files[i];
    if (!th_str_starts(e->path, from)) continue;
    const char *base = th_path_base(e->path);
    const char *path = th_arena_printf(k->arena, "%s/%.*s", k->dir, (int)strlen(base) - 3, base);
    if (!path) return TH_ERR_RESOURCE;
    if (begins_as(k, path, e)) remove(path);
  }
  return TH_OK;
}

/* --- sources --- */

static const char *in_folder(const th_package *k, const char *folder, const char *name) {
  return th_str_eq(folder, ".") ? name : th_arena_printf(k->arena, "%s/%s", folder, name);
}

/* The texts of NAME.h and NAME.c, in the arena. */
static th_status print_model(th_package *k) {
  th_buf header = {0}, source = {0};
  th_status status = th_csource_write(k->program, k->lower, &header, &source);
  if (status == TH_OK) {
    k->header_bytes = header.size;
    k->source_bytes = source.size;
    k->header = th_arena_strdup(k->arena, th_buf_cstr(&header));
    k->source = th_arena_strdup(k->arena, th_buf_cstr(&source));
  }
  th_buf_free(&header);
  th_buf_free(&source);
  return status == TH_OK && !(k->header && k->source) ? TH_ERR_RESOURCE : status;
}

th_status th_package_put_model(th_package *k, const char *headers, const char *sources, th_include_style style) {
  const char *h = th_arena_printf(k->arena, "%s.h", k->lower), *c = th_arena_printf(k->arena, "%s.c", k->lower);
  if (!h || !c) return TH_ERR_RESOURCE;
  TH_TRY(th_package_put(k, in_folder(k, headers, h), k->header, k->header_bytes));
  if (style == TH_INCLUDE_BY_FOLDER) return th_package_put(k, in_folder(k, sources, c), k->source, k->source_bytes);
  th_buf text = {0};
  th_status status = th_includes_relative("", k->source, k->source_bytes, &text);
  if (status == TH_OK) status = th_package_put(k, in_folder(k, sources, c), text.data, text.size);
  th_buf_free(&text);
  return status;
}

static th_status put_runtime_file(th_package *k, const char *path, const th_embedded_file *e, th_include_style style) {
  if (style == TH_INCLUDE_BY_FOLDER) return th_package_put(k, path, e->data, e->bytes);
  th_buf text = {0};
  th_status status = th_includes_relative(e->path, (const char *)e->data, e->bytes, &text);
  if (status == TH_OK) status = th_package_put(k, path, text.data, text.size);
  th_buf_free(&text);
  return status;
}

static th_status put_runtime_files(th_package *k, const th_runtime_files *files, const char *folder,
                                   th_include_style style) {
  th_buf sources = {0};
  th_status status = TH_OK;
  for (int i = 0; i < files->n && status == TH_OK; i++) {
    const char *path = in_folder(k, folder, files->file[i]->path);
    status = path ? put_runtime_file(k, path, files->file[i], style) : TH_ERR_RESOURCE;
    if (path && th_str_ends(path, ".c")) th_buf_printf(&sources, "%s%s", sources.size ? "\n  " : "", path);
  }
  if (status == TH_OK) status = th_buf_status(&sources);
  k->rt_sources = status == TH_OK ? th_arena_strdup(k->arena, th_buf_cstr(&sources)) : NULL;
  th_buf_free(&sources);
  return status == TH_OK && !k->rt_sources ? TH_ERR_RESOURCE : status;
}

th_status th_package_runtime(const th_package *k, th_runtime_files *files) {
  return th_runtime_files_find(k->source, k->source_bytes, k->any_processor ? NULL : k->target, k->arena, files);
}

th_status th_package_put_runtime(th_package *k, const char *folder, th_include_style style) {
  th_runtime_files files;
  TH_TRY(th_package_runtime(k, &files));
  TH_TRY(put_runtime_files(k, &files, folder, style));
  const th_embedded_file *license = th_package_embedded("LICENSE");
  return license ? th_package_put(k, in_folder(k, folder, "rt/LICENSE"), license->data, license->bytes) : TH_OK;
}

/* --- the rows --- */

static package_fn *find(const char *as) {
  const char *known[PACKAGE_COUNT];
  for (int i = 0; i < PACKAGE_COUNT; i++) {
    if (th_str_eq(PACKAGES[i].name, as)) return PACKAGES[i].write;
    known[i] = PACKAGES[i].name;
  }
  const char *near = th_str_closest(as, known, PACKAGE_COUNT);
  th_fail(TH_ERR_USAGE, "unknown package \"%s\"%s%s%s", as, near ? "; did you mean \"" : "", near ? near : "",
          near ? "\"?" : "");
  return NULL;
}

th_status th_package_write(const th_program *program, const char *as, const char *name, const char *target,
                           const char *dir) {
  th_package k = {.program = program, .dir = dir, .target = th_target_find(target)};
  package_fn *write = k.target ? find(as) : NULL;
  if (!write) return TH_ERR_USAGE;
  if (th_str_eq(k.target->family, "avr")) TH_TRY(th_avr_check(program));
  k.any_processor = th_target_is_host(k.target) && !th_str_eq(as, "c");
  th_csource_identifier(name, false, k.lower, sizeof k.lower);
  th_csource_identifier(name, true, k.upper, sizeof k.upper);
  k.arena = th_arena_create();
  if (!k.arena) return TH_ERR_RESOURCE;
  k.flags = th_arena_printf(k.arena, "%s %s", th_goal_flag(program->goal), k.target->flags);
  th_status status =
      !k.flags ? TH_ERR_RESOURCE
               : print_model(&k); /* first: only this can fail on what the program holds; nothing is written yet */
  if (status == TH_OK) status = write(&k);
  th_arena_destroy(k.arena);
  return status;
}

th_status th_csource_write_folder(const th_program *program, const char *name, const char *target, const char *dir) {
  return th_package_write(program, "c", name, target, dir);
}
