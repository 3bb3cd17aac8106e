/* Whole files and folders. See file.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static th_status read_open(th_arena *arena, int fd, const char *path, size_t limit, uint8_t **data, size_t *size) {
  struct stat st;
  if (fstat(fd, &st) != 0) return th_fail(TH_ERR_INPUT, "%s: %s", path, strerror(errno));
  if (S_ISDIR(st.st_mode)) return th_fail(TH_ERR_INPUT, "%s: is a folder, a file was expected", path);
  if (!S_ISREG(st.st_mode)) return th_fail(TH_ERR_INPUT, "%s: not a regular file", path);
  if ((unsigned long long)st.st_size > limit)
    return th_fail(TH_ERR_INPUT, "%s: %lld bytes, at most %zu can be read", path, (long long)st.st_size, limit);
  size_t total = (size_t)st.st_size, got = 0;
  uint8_t *p = th_arena_alloc(arena, total + 1);
  if (!p) return TH_ERR_RESOURCE;
  while (got < total) {
    ssize_t n = read(fd, p + got, total - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return th_fail(TH_ERR_INPUT, "%s: %s", path, strerror(errno));
    if (n == 0) break; /* shrank while being read: what is there is what is parsed */
    got += (size_t)n;
  }
  *data = p;
  *size = got;
  return TH_OK;
}

th_status th_file_read(th_arena *arena, const char *path, size_t limit, uint8_t **data, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return th_fail(TH_ERR_INPUT, "%s: %s", path, strerror(errno));
  th_status status = read_open(arena, fd, path, limit, data, size);
  close(fd);
  return status;
}

static bool write_all(int fd, const uint8_t *data, size_t size) {
  while (size) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data += n;
    size -= (size_t)n;
  }
  return true;
}

/* Devices and pipes (say, /dev/stdout) cannot be replaced by a rename: they are written directly. */
static bool is_special(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static th_status write_special(const char *path, const void *data, size_t size) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write_all(fd, data, size);
  int error = errno;
  if (fd >= 0) close(fd);
  return ok ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: %s", path, strerror(error));
}

th_status th_file_write(const char *path, const void *data, size_t size) {
  if (is_special(path)) return write_special(path, data, size);
  size_t length = strlen(path) + 16;
  char *temporary = th_alloc(length);
  if (!temporary) return TH_ERR_RESOURCE;
  snprintf(temporary, length, "%s.XXXXXX", path);
  int fd = mkstemp(temporary);
  bool ok = fd >= 0 && write_all(fd, data, size) && fchmod(fd, 0644) == 0 && fsync(fd) == 0;
  int error = errno;
  if (fd >= 0 && close(fd) != 0 && ok) ok = false, error = errno;
  if (ok && rename(temporary, path) != 0) ok = false, error = errno;
  if (!ok && fd >= 0) unlink(temporary);
  th_free(temporary);
  return ok ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: cannot write %zu bytes: %s", path, size, strerror(error));
}

bool th_file_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool th_dir_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

th_status th_dir_create(const char *path) {
  char *copy = th_alloc(strlen(path) + 1);
  if (!copy) return TH_ERR_RESOURCE;
  strcpy(copy, path);
  for (char *p = copy + 1; *p; p++) {
    if (*p != '/') continue;
    *p = '\0';
    mkdir(copy, 0777); /* a failure shows up at the last one */
    *p = '/';
  }
  bool ok = mkdir(copy, 0777) == 0 || (errno == EEXIST && th_dir_exists(copy));
  int error = errno;
  th_free(copy);
  return ok ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: cannot create the folder: %s", path, strerror(error));
}

th_status th_dir_check_writable(const char *path) {
  static const char name[] = "/.thimble.XXXXXX";
  const size_t length = strlen(path);
  char *probe = th_alloc(length + sizeof name);
  if (!probe) return TH_ERR_RESOURCE;
  memcpy(probe, path, length);
  memcpy(probe + length, name, sizeof name);
  int fd = mkstemp(probe);
  const int error = errno;
  if (fd >= 0) close(fd), unlink(probe);
  th_free(probe);
  return fd >= 0 ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: nothing can be written there: %s", path, strerror(error));
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

th_status th_dir_list(th_arena *arena, const char *path, char ***names, int *count) {
  DIR *dir = opendir(path);
  if (!dir) return th_fail(TH_ERR_INPUT, "%s: %s", path, strerror(errno));
  int n = 0, capacity = 0;
  char **list = NULL;
  th_status status = TH_OK;
  for (struct dirent *e; status == TH_OK && (e = readdir(dir));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (n == capacity) {
      capacity = capacity ? 2 * capacity : 64;
      char **more = th_realloc(list, (size_t)capacity * sizeof *list);
      if (!more)
        status = TH_ERR_RESOURCE;
      else
        list = more;
    }
    if (status == TH_OK && !(list[n++] = th_arena_strdup(arena, e->d_name))) status = TH_ERR_RESOURCE;
  }
  closedir(dir);
  if (status == TH_OK) {
    if (n) qsort(list, (size_t)n, sizeof *list, compare_names);
    *names = th_arena_copy(arena, list, (size_t)n * sizeof *list);
    *count = n;
    if (!*names) status = TH_ERR_RESOURCE;
  }
  th_free(list);
  return status;
}

const char *th_path_join(th_arena *arena, const char *dir, const char *name) {
  size_t n = strlen(dir);
  return th_arena_printf(arena, "%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
}

const char *th_path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *th_path_extension(const char *path) {
  const char *base = th_path_base(path), *dot = strrchr(base, '.');
  return dot && dot != base ? dot : base + strlen(base);
}
