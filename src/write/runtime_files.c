/* A linker of texts: a set of names grows from the source on; a file that defines one of them comes in, with its names.
 *
 * Names begin with thr_. A source file mentions all that it names; a header only what stands in the
 * inline functions that are themselves mentioned, since declaring is not needing; and a macro's value is mentioned once
 * the macro is, whatever #if surrounds it: so every variant that kernel/select.h may choose for a used kernel comes
 * along. SPDX-License-Identifier: Apache-2.0 */
#include "write/runtime_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "write/ctoken.h"
#include "write/includes.h"

enum { SLOTS = 1 << 13, NAME_BYTES = 100 }; /* the whole runtime has some 1500 names */

typedef struct linker {
  const th_target *target; /* NULL: any */
  bool *needed;            /* per embedded file */
  uint64_t *slot;
  int n_names;
  bool changed;
} linker;

/* --- the set of mentioned names, by their hashes --- */

static uint64_t *place_of(const linker *l, const char *name, size_t bytes) {
  const uint64_t hash = th_hash64(name, bytes) | 1;
  size_t i = (hash >> 20) % SLOTS;
  while (l->slot[i] != 0 && l->slot[i] != hash) i = (i + 1) % SLOTS;
  return &l->slot[i];
}

static bool is_mentioned(const linker *l, const th_ctoken *t) {
  return *place_of(l, t->at, t->bytes) != 0;
}

static void mention(linker *l, const th_ctoken *t) {
  uint64_t *place = place_of(l, t->at, t->bytes);
  if (*place != 0 || l->n_names >= SLOTS / 2) return;
  *place = th_hash64(t->at, t->bytes) | 1;
  l->n_names++;
  l->changed = true;
}

static bool is_ours(const th_ctoken *t) {
  return t->is_name && th_ctoken_starts(t, "thr_");
}

/* --- what a file mentions --- */

static void mention_line(linker *l, const char *line, size_t bytes) {
  th_cscan scan = th_cscan_begin(line, bytes);
  for (th_ctoken t; (t = th_cscan_next(&scan)).at;)
    if (is_ours(&t)) mention(l, &t);
}

/* Whether `name` is a variant, thr_..._<folder of rt/kernel>, that the target does not run. */
static bool is_foreign(const th_target *target, const th_ctoken *name) {
  char path[64];
  size_t n = 0;
  while (n < name->bytes && name->at[name->bytes - 1 - n] != '_') n++;
  const int length = snprintf(path, sizeof path, "rt/kernel/%.*s/", (int)n, name->at + name->bytes - n);
  if (!target || length >= (int)sizeof path || th_str_eq(path, "rt/kernel/ref/")) return false;
  bool is_folder = false;
  for (int i = 0; i < th_embedded_count && !is_folder; i++) is_folder = th_str_starts(th_embedded_files[i].path, path);
  path[length - 1] = 0;
  return is_folder && !th_target_runs(target, th_path_base(path));
}

/* #define A B: B, once A is mentioned, unless it is for other processors. */
static void mention_macro(linker *l, const char *line, size_t bytes) {
  th_cscan scan = th_cscan_begin(line, bytes);
  th_cscan_next(&scan); /* # */
  const th_ctoken define = th_cscan_next(&scan), name = th_cscan_next(&scan);
  if (!th_ctoken_is(&define, "define") || !is_ours(&name) || !is_mentioned(l, &name)) return;
  for (th_ctoken t; (t = th_cscan_next(&scan)).at;)
    if (is_ours(&t) && !is_foreign(l->target, &t)) mention(l, &t);
}

static void need_headers(linker *l, const char *path, const char *text, size_t bytes) {
  for (size_t at = 0, n; at < bytes; at += n) {
    char name[TH_INCLUDE_NAME];
    n = th_line_bytes(text + at, bytes - at);
    const th_embedded_file *file = th_include_line(text + at, n, name) ? th_include_find(path, name) : NULL;
    if (!file || l->needed[file - th_embedded_files]) continue;
    l->needed[file - th_embedded_files] = true;
    l->changed = true;
  }
}

/* The name that a statement outside of braces declares: the first before a parenthesis or a bracket. */
static void find_declared(const th_cscan *scan, const th_ctoken *t, const th_ctoken *last, th_ctoken *name) {
  if (t->in_directive) return;
  if (scan->depth == 0 && (*t->at == ';' || *t->at == '}'))
    *name = (th_ctoken){0};
  else if (scan->depth == 0 && !name->at && (*t->at == '(' || *t->at == '[') && is_ours(last))
    *name = *last;
}

static void mention_header(linker *l, const char *text, size_t bytes) {
  th_cscan scan = th_cscan_begin(text, bytes);
  th_ctoken last = {0}, name = {0};
  for (th_ctoken t; (t = th_cscan_next(&scan)).at; last = t) {
    find_declared(&scan, &t, &last, &name);
    if (scan.depth > 0 && name.at && is_ours(&t) && is_mentioned(l, &name)) mention(l, &t);
  }
  for (size_t at = 0, n; at < bytes; at += n) {
    n = th_line_bytes(text + at, bytes - at);
    if (text[at] == '#') mention_macro(l, text + at, n);
  }
}

static void mention_file(linker *l, const th_embedded_file *file) {
  const char *text = (const char *)file->data;
  need_headers(l, file->path, text, file->bytes);
  if (th_str_ends(file->path, ".c"))
    mention_line(l, text, file->bytes);
  else
    mention_header(l, text, file->bytes);
}

/* --- what a source file defines --- */

/* Whether it defines a mentioned name: of a statement outside all braces that ends in an opening one (a function's
 * body, a table's values) and is not static, the first name before a parenthesis or bracket. */
static bool defines_mentioned(const linker *l, const th_embedded_file *file) {
  th_cscan scan = th_cscan_begin((const char *)file->data, file->bytes);
  th_ctoken last = {0}, name = {0};
  bool is_static = false;
  for (th_ctoken t; (t = th_cscan_next(&scan)).at; last = t) {
    if (t.in_directive) continue;
    if (scan.depth == 1 && *t.at == '{' && name.at && !is_static && is_mentioned(l, &name)) return true;
    find_declared(&scan, &t, &last, &name);
    is_static = scan.depth == 0 && *t.at != ';' && *t.at != '}' && (is_static || th_ctoken_is(&t, "static"));
  }
  return false;
}

static bool is_source(const th_embedded_file *file) {
  return th_str_starts(file->path, "rt/") && th_str_ends(file->path, ".c");
}

static void link_all(linker *l) {
  do {
    l->changed = false;
    for (int i = 0; i < th_embedded_count; i++) {
      const th_embedded_file *file = &th_embedded_files[i];
      if (!l->needed[i] && is_source(file)) l->needed[i] = defines_mentioned(l, file);
      if (l->needed[i]) mention_file(l, file);
    }
  } while (l->changed);
}

th_status th_runtime_files_find(const char *source, size_t bytes, const th_target *target, th_arena *arena,
                                th_runtime_files *files) {
  linker l = {
      .target = target, .needed = TH_ARRAY(arena, bool, th_embedded_count), .slot = TH_ARRAY(arena, uint64_t, SLOTS)};
  files->file = TH_ARRAY(arena, const th_embedded_file *, th_embedded_count);
  files->n = 0;
  if (!l.needed || !l.slot || !files->file) return TH_ERR_RESOURCE;
  need_headers(&l, "", source, bytes);
  mention_line(&l, source, bytes);
  link_all(&l);
  for (int i = 0; i < th_embedded_count; i++)
    if (l.needed[i]) files->file[files->n++] = &th_embedded_files[i];
  return TH_OK;
}
