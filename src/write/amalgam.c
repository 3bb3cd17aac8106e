/* Joining sources. See amalgam.h.
 *
 * A header with an include guard is written once, ahead of the first source that includes it; inside #if it is written
 * in its place each time, and its guard decides. Files without guard (lists, .def) are written wherever they are
 * included. SPDX-License-Identifier: Apache-2.0 */
#include "write/amalgam.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "write/ctoken.h"
#include "write/includes.h"

enum { MOST_PRIVATE = 1500, MOST_DEPTH = 12 };

typedef struct private_name {
  const char *at;
  size_t bytes;
  int file; /* the one that has it without a number */
} private_name;

typedef struct amalgam {
  th_arena *arena;
  th_buf *out;
  bool *written; /* per embedded file: a guarded header that is there, outside of any #if */
  private_name *names;
  int n_names, file;
  const char *name;
} amalgam;

/* --- includes --- */

static bool has_guard(const th_embedded_file *file) {
  th_cscan scan = th_cscan_begin((const char *)file->data, file->bytes);
  th_cscan_next(&scan);
  const th_ctoken word = th_cscan_next(&scan);
  return th_ctoken_is(&word, "ifndef");
}

/* +1 for #if, #ifdef, #ifndef, -1 for #endif. */
static int condition(const char *line, size_t bytes) {
  if (bytes > 3 && memcmp(line, "#if", 3) == 0) return 1;
  return bytes > 6 && memcmp(line, "#endif", 6) == 0 ? -1 : 0;
}

/* The text of a file with its includes resolved, to `body`; guarded headers that stand outside of any #if go to a->out
 * before it. `conditions`: of the #ifs around; a header's own guard is none. */
static th_status expand(amalgam *a, const char *path, const char *text, size_t bytes, int conditions, int depth,
                        th_buf *body) {
  if (depth > MOST_DEPTH) return th_fail(TH_ERR_INTERNAL, "%s: includes itself", path);
  for (size_t at = 0, n; at < bytes; at += n) {
    char name[TH_INCLUDE_NAME];
    n = th_line_bytes(text + at, bytes - at);
    conditions += condition(text + at, n);
    const th_embedded_file *file = th_include_line(text + at, n, name) ? th_include_find(path, name) : NULL;
    if (!file) {
      th_buf_append(body, text + at, n);
      continue;
    }
    bool *written = &a->written[file - th_embedded_files];
    const bool guard = has_guard(file), first = guard && conditions == 0 && !*written;
    if (guard && *written) continue;
    if (first) *written = true;
    TH_TRY(expand(a, file->path, (const char *)file->data, file->bytes, guard ? conditions - 1 : conditions, depth + 1,
                  first ? a->out : body));
  }
  return TH_OK;
}

/* --- private names --- */

static bool is_private(const th_ctoken *t) {
  static const char *const words[] = {"defined", "sizeof", "if", "while", "for", "switch", "return"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (th_ctoken_is(t, words[i])) return false;
  return t->is_name && !th_ctoken_starts(t, "thr_") && !th_ctoken_starts(t, "THR_") && !th_ctoken_starts(t, "__");
}

static private_name *find_name(const amalgam *a, const th_ctoken *t) {
  for (int i = 0; i < a->n_names; i++)
    if (a->names[i].bytes == t->bytes && !memcmp(a->names[i].at, t->at, t->bytes)) return &a->names[i];
  return NULL;
}

static void claim(amalgam *a, const th_ctoken *t) {
  if (!is_private(t) || find_name(a, t) || a->n_names == MOST_PRIVATE) return;
  a->names[a->n_names++] = (private_name){t->at, t->bytes, a->file};
}

/* Names that a source declares outside of braces: before ( [ = ; , or { of a tagged type; and constants of an enum. */
static void claim_all(amalgam *a, const char *text, size_t bytes) {
  th_cscan scan = th_cscan_begin(text, bytes);
  th_ctoken last = {0}, before = {0};
  bool in_enum = false, in_value = false;
  int parentheses = 0;
  for (th_ctoken t; (t = th_cscan_next(&scan)).at; before = last, last = t) {
    if (t.in_directive) continue;
    if (scan.depth == 0 || (scan.depth == 1 && *t.at == '{')) {
      const bool tag = *t.at == '{' && (th_ctoken_is(&before, "struct") || th_ctoken_is(&before, "union") ||
                                        th_ctoken_is(&before, "enum"));
      if (last.is_name && (tag || (parentheses == 0 && strchr("([=;,", *t.at)))) claim(a, &last);
      parentheses += (*t.at == '(') - (*t.at == ')');
      in_enum = *t.at == '{' && (th_ctoken_is(&last, "enum") || th_ctoken_is(&before, "enum"));
      in_value = false;
    } else if (in_enum && scan.depth == 1) {
      if (t.is_name && !in_value && (*last.at == '{' || *last.at == ',')) claim(a, &t);
      in_value = *t.at == '=' || (in_value && *t.at != ',');
    }
  }
}

/* Whether `t` names a member: after . or ->, or declared in the body of a struct. */
static bool is_member(const th_ctoken *t, const th_ctoken *last, const th_cscan *scan, bool in_struct) {
  if (last->at && (*last->at == '.' || (*last->at == '>' && last->at[-1] == '-'))) return true;
  th_cscan ahead = *scan;
  const th_ctoken next = th_cscan_next(&ahead);
  return in_struct && next.at && strchr(";,[", *next.at) && t->is_name;
}

static bool begins_struct(const th_ctoken *t, const th_ctoken *last, const th_ctoken *before) {
  return *t->at == '{' && (th_ctoken_is(before, "struct") || th_ctoken_is(before, "union") ||
                           th_ctoken_is(last, "struct") || th_ctoken_is(last, "union"));
}

/* Appends a source with the names of the runtime prefixed and, if `number`, private names of other files numbered. */
static void rename_all(amalgam *a, const char *text, size_t bytes, bool number, th_buf *out) {
  th_cscan scan = th_cscan_begin(text, bytes);
  const char *done = text;
  th_ctoken last = {0}, before = {0};
  bool in_struct = false;
  for (th_ctoken t; (t = th_cscan_next(&scan)).at; before = last, last = t) {
    in_struct = begins_struct(&t, &last, &before) || (in_struct && scan.depth > 0);
    const bool ours = t.is_name && th_ctoken_starts(&t, "thr_");
    const private_name *other = number && t.is_name && !ours ? find_name(a, &t) : NULL;
    if (other && (other->file == a->file || is_member(&t, &last, &scan, in_struct))) other = NULL;
    if (!ours && !other) continue;
    th_buf_append(out, done, (size_t)(t.at - done));
    if (ours) th_buf_printf(out, "%s_", a->name);
    th_buf_append(out, t.at, t.bytes);
    if (other) th_buf_printf(out, "_%d", a->file);
    done = t.at + t.bytes;
  }
  th_buf_append(out, done, (size_t)(text + bytes - done));
}

/* What the source has defined as macros must not reach the next one. */
static void forget_macros(const char *text, size_t bytes, th_buf *out) {
  for (size_t at = 0, n; at < bytes; at += n) {
    n = th_line_bytes(text + at, bytes - at);
    th_cscan scan = th_cscan_begin(text + at, n);
    th_cscan_next(&scan);
    const th_ctoken define = th_cscan_next(&scan), name = th_cscan_next(&scan);
    if (text[at] == '#' && th_ctoken_is(&define, "define") && name.at)
      th_buf_printf(out, "#undef %.*s\n", (int)name.bytes, name.at);
  }
}

/* --- files --- */

static th_status add_source(amalgam *a, const char *path, const char *text, size_t bytes, bool last) {
  th_buf body = {0}, headers = {0}, *const out = a->out;
  a->file++;
  a->out = &headers;
  th_status status = expand(a, path, text, bytes, 0, 0, &body);
  a->out = out;
  if (status == TH_OK) status = th_buf_status(&body);
  if (status == TH_OK) status = th_buf_status(&headers);
  if (status == TH_OK) {
    char *kept = th_arena_strdup(a->arena, th_buf_cstr(&body)); /* the names point into it */
    if (!kept) status = TH_ERR_RESOURCE;
    if (kept) claim_all(a, kept, body.size);
    rename_all(a, th_buf_cstr(&headers), headers.size, false, out);
    if (kept) rename_all(a, kept, body.size, true, out);
    if (kept && !last) forget_macros(kept, body.size, out);
    th_buf_printf(out, "\n");
  }
  th_buf_free(&body);
  th_buf_free(&headers);
  return status;
}

th_status th_amalgam_write(const char *source, size_t bytes, const th_runtime_files *files, const char *name,
                           th_arena *arena, th_buf *out) {
  amalgam a = {.arena = arena, .out = out, .name = name};
  a.written = TH_ARRAY(arena, bool, th_embedded_count);
  a.names = TH_ARRAY(arena, private_name, MOST_PRIVATE);
  if (!a.written || !a.names) return TH_ERR_RESOURCE;
  for (int i = 0; i < files->n; i++) {
    const th_embedded_file *f = files->file[i];
    if (th_str_ends(f->path, ".c")) TH_TRY(add_source(&a, f->path, (const char *)f->data, f->bytes, false));
  }
  TH_TRY(add_source(&a, "", source, bytes, true));
  return th_buf_status(out);
}
