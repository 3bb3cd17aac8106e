/* Finding and rewriting includes. See includes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/includes.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

size_t th_line_bytes(const char *text, size_t left) {
  const char *end = memchr(text, '\n', left);
  return end ? (size_t)(end - text) + 1 : left;
}

bool th_include_line(const char *line, size_t bytes, char name[TH_INCLUDE_NAME]) {
  static const char start[] = "#include \"";
  if (bytes < sizeof start || memcmp(line, start, sizeof start - 1) != 0) return false;
  const char *from = line + sizeof start - 1, *end = memchr(from, '"', bytes - (sizeof start - 1));
  if (!end || end - from >= TH_INCLUDE_NAME) return false;
  memcpy(name, from, (size_t)(end - from));
  name[end - from] = 0;
  return true;
}

/* The length of the folder's part of a path, its last '/' included. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* folder + name without "..": "rt/core/" + "../kernel/x.h" is "rt/kernel/x.h". False when it leads outside. */
static bool join(const char *folder, size_t folder_bytes, const char *name, char out[TH_INCLUDE_NAME]) {
  if (folder_bytes >= TH_INCLUDE_NAME) return false;
  memcpy(out, folder, folder_bytes);
  size_t n = folder_bytes;
  for (; th_str_starts(name, "../"); name += 3) {
    if (n == 0) return false;
    for (n--; n > 0 && out[n - 1] != '/';) n--;
  }
  if (n + strlen(name) >= TH_INCLUDE_NAME) return false;
  memcpy(out + n, name, strlen(name) + 1);
  return true;
}

static const th_embedded_file *find_in(const char *folder, size_t folder_bytes, const char *name) {
  char path[TH_INCLUDE_NAME];
  if (!join(folder, folder_bytes, name, path) || !th_str_starts(path, "rt/")) return NULL;
  for (int i = 0; i < th_embedded_count; i++)
    if (th_str_eq(th_embedded_files[i].path, path)) return &th_embedded_files[i];
  return NULL;
}

const th_embedded_file *th_include_find(const char *path, const char *name) {
  const th_embedded_file *file = find_in(path, folder_length(path), name);
  if (!file) file = find_in("rt/", 3, name);
  return file ? file : find_in("rt/include/", 11, name);
}

/* Appends the way from the folder of `path` to `target`: up to what they share, then down. */
static void put_relative(const char *path, const char *target, th_buf *out) {
  size_t shared = 0;
  for (size_t i = 0; path[i] && path[i] == target[i]; i++)
    if (path[i] == '/') shared = i + 1;
  for (const char *p = path + shared; (p = strchr(p, '/')) != NULL; p++) th_buf_append(out, "../", 3);
  th_buf_append(out, target + shared, strlen(target + shared));
}

th_status th_includes_relative(const char *path, const char *text, size_t bytes, th_buf *out) {
  for (size_t at = 0, n; at < bytes; at += n) {
    char name[TH_INCLUDE_NAME];
    n = th_line_bytes(text + at, bytes - at);
    const th_embedded_file *file = th_include_line(text + at, n, name) ? th_include_find(path, name) : NULL;
    if (!file) {
      th_buf_append(out, text + at, n);
      continue;
    }
    th_buf_printf(out, "#include \"");
    put_relative(path, file->path, out);
    th_buf_printf(out, "\"\n");
  }
  return th_buf_status(out);
}
