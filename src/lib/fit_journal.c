/* The journal of a search: a line of JSON for every job that ended, on disk before anything follows from it. A line
 * that is not whole was being written when the machine or the process died; it is cut off. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "lib/fit.h"

typedef struct entry {
  uint64_t key;
  th_fit_outcome outcome;
} entry;

typedef struct th_fit_journal {
  th_arena *arena;
  const char *path;
  int fd;
  entry *entry;
  int n, room;
} th_fit_journal;

static th_status remember(th_fit_journal *j, uint64_t key, const th_json *json) {
  if (j->n == j->room) {
    const int room = j->room ? 2 * j->room : 64;
    entry *bigger = th_realloc(j->entry, (size_t)room * sizeof *bigger);
    if (!bigger) return TH_ERR_RESOURCE;
    j->entry = bigger;
    j->room = room;
  }
  entry *e = &j->entry[j->n];
  *e = (entry){.key = key};
  if (th_fit_read_outcome(j->arena, json, &e->outcome)) j->n++;
  return TH_OK;
}

static th_status read_line(th_fit_journal *j, const char *line, size_t n) {
  th_json *json;
  if (th_json_parse(line, n, j->path, &json) != TH_OK) { /* damaged: that job is done again */
    th_error_clear();
    return TH_OK;
  }
  const char *key = th_json_string(th_json_get(json, "key"), "");
  th_status status = TH_OK;
  if (strlen(key) == 16) status = remember(j, strtoull(key, NULL, 16), th_json_get(json, "outcome"));
  th_json_free(json);
  return status;
}

/* *whole: bytes up to the end of the last whole line. */
static th_status read_all(th_fit_journal *j, size_t *whole) {
  uint8_t *text;
  size_t size, begin = 0;
  *whole = 0;
  if (!th_file_exists(j->path)) return TH_OK;
  TH_TRY(th_file_read(j->arena, j->path, TH_FILE_LIMIT, &text, &size));
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '\n') continue;
    TH_TRY(read_line(j, (const char *)text + begin, i - begin));
    *whole = begin = i + 1;
  }
  return TH_OK;
}

static th_status open_at(th_fit_journal *j, size_t whole) {
  j->fd = open(j->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* this process's own: children do not hold it */
  if (j->fd >= 0 && fcntl(j->fd, F_SETLK, &all) != 0 && (errno == EACCES || errno == EAGAIN))
    return th_fail(TH_ERR_RESOURCE, "%s: another search is writing it", j->path);
  if (j->fd >= 0 && ftruncate(j->fd, (off_t)whole) == 0 && lseek(j->fd, 0, SEEK_END) >= 0) return TH_OK;
  return th_fail(TH_ERR_RESOURCE, "%s: %s", j->path, strerror(errno));
}

th_status th_fit_journal_open(const char *path, th_fit_journal **journal, int *kept) {
  th_fit_journal *j = th_alloc(sizeof *j);
  if (!j) return TH_ERR_RESOURCE;
  size_t whole = 0;
  j->fd = -1;
  j->arena = th_arena_create();
  j->path = j->arena ? th_arena_strdup(j->arena, path) : NULL;
  th_status status = j->path ? read_all(j, &whole) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = open_at(j, whole);
  *kept = j->n;
  *journal = j;
  if (status != TH_OK) {
    th_fit_journal_close(j);
    *journal = NULL;
  }
  return status;
}

void th_fit_journal_close(th_fit_journal *j) {
  if (!j) return;
  if (j->fd >= 0) close(j->fd);
  th_arena_destroy(j->arena);
  th_free(j->entry);
  th_free(j);
}

const th_fit_outcome *th_fit_journal_find(const th_fit_journal *j, uint64_t key) {
  for (int i = 0; i < j->n; i++)
    if (j->entry[i].key == key) return &j->entry[i].outcome;
  return NULL;
}

static th_status write_whole(th_fit_journal *j, const uint8_t *p, size_t size) {
  while (size) {
    const ssize_t n = write(j->fd, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return th_fail(TH_ERR_RESOURCE, "%s: %s", j->path, n < 0 ? strerror(errno) : "nothing is written");
    p += n;
    size -= (size_t)n;
  }
  return fsync(j->fd) == 0 ? TH_OK : th_fail(TH_ERR_RESOURCE, "%s: %s", j->path, strerror(errno));
}

th_status th_fit_journal_add(th_fit_journal *j, uint64_t key, const th_fit_job *job, const char *outcome) {
  static const char *const kinds[] = {"probe", "size", "trial"};
  th_json *line = th_json_object(), *parsed = NULL;
  th_buf text = {0};
  char hex[20];
  snprintf(hex, sizeof hex, "%016" PRIx64, key);
  th_json_add_string(line, "key", hex);
  th_json_add_string(line, "kind", kinds[job->kind]);
  th_json_add_string(line, "recipe", job->recipe);
  th_status status = th_json_print(line, false, &text);
  if (status == TH_OK) { /* the outcome is JSON as it came from the worker */
    text.size -= 2;      /* "}" and the line's end */
    th_buf_printf(&text, ",\"outcome\":%s}\n", outcome);
    status = th_buf_status(&text);
  }
  if (status == TH_OK) status = write_whole(j, text.data, text.size);
  if (status == TH_OK) status = th_json_parse(outcome, strlen(outcome), "a job's outcome", &parsed);
  if (status == TH_OK) status = remember(j, key, parsed);
  th_json_free(parsed);
  th_json_free(line);
  th_buf_free(&text);
  return status;
}
