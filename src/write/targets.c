/* The rows of targets.def as tables. See targets.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/targets.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/status.h"
#include "base/str.h"

#define TH_TARGET(...)
#define MISSING(program, packages) "no " program " (Debian: " packages ")"
#define TH_FAMILY(name, compiler, link, folders, emulator, arguments, counting, unit, c_packages, e_packages) \
  {name,                                                                                                      \
   compiler,                                                                                                  \
   link,                                                                                                      \
   folders,                                                                                                   \
   emulator,                                                                                                  \
   arguments,                                                                                                 \
   counting,                                                                                                  \
   unit,                                                                                                      \
   MISSING(compiler, c_packages),                                                                             \
   MISSING(emulator, e_packages)},
static const th_family FAMILIES[] = {
#include "write/targets.def"
};
#undef TH_FAMILY
#undef TH_TARGET
#undef MISSING
#define TH_FAMILY(...)
#define TH_TARGET(...) {__VA_ARGS__},
static const th_target TARGETS[] = {
#include "write/targets.def"
};
#undef TH_FAMILY
#undef TH_TARGET
enum { FAMILY_COUNT = sizeof FAMILIES / sizeof *FAMILIES, TARGET_COUNT = sizeof TARGETS / sizeof *TARGETS };

const th_target *th_target_list(int i) {
  return i >= 0 && i < TARGET_COUNT ? &TARGETS[i] : NULL;
}

const th_target *th_target_find(const char *name) {
  const char *known[TARGET_COUNT];
  for (int i = 0; i < TARGET_COUNT; i++) {
    if (th_str_eq(TARGETS[i].name, name)) return &TARGETS[i];
    known[i] = TARGETS[i].name;
  }
  const char *near = th_str_closest(name, known, TARGET_COUNT);
  th_fail(TH_ERR_USAGE, "unknown target \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "",
          near ? "\"?" : "");
  return NULL;
}

const th_family *th_target_family(const th_target *target) {
  int i = 0;
  while (i < FAMILY_COUNT - 1 && !th_str_eq(FAMILIES[i].name, target->family)) i++;
  assert(th_str_eq(FAMILIES[i].name, target->family));
  return &FAMILIES[i];
}

bool th_target_is_host(const th_target *target) {
  return !*th_target_family(target)->emulator;
}

int64_t th_target_memory(const char *memory, const char *what) {
  const char *at = strstr(memory, what);
  char *unit;
  if (!at) return 0;
  const int64_t n = strtoll(at + strlen(what) + strlen(" = "), &unit, 0);
  return *unit == 'M' ? n << 20 : *unit == 'K' ? n << 10 : n;
}

/* Appends `words`, those that stand for something replaced. */
static void append_words(th_buf *text, const char *words, const char *machine, const char *firmware) {
  while (*words) {
    const size_t length = strcspn(words, " ");
    const char *value = th_str_starts(words, "@machine@")    ? machine
                        : th_str_starts(words, "@firmware@") ? firmware
                                                             : NULL;
    th_buf_append(text, " ", 1);
    th_buf_append(text, value ? value : words, value ? strlen(value) : length);
    words += length + (words[length] == ' ');
  }
}

bool th_target_has_files(const th_target *target) {
  return !strstr(th_target_family(target)->arguments, "input.hex");
}

const char *th_target_command(const th_target *target, const char *firmware, bool count, th_arena *arena) {
  const th_family *f = th_target_family(target);
  th_buf text = {0};
  th_buf_append(&text, f->emulator, strlen(f->emulator));
  append_words(&text, f->arguments, target->machine, firmware);
  if (count) append_words(&text, f->counting, target->machine, firmware);
  const char *command = th_buf_status(&text) == TH_OK ? th_arena_strdup(arena, th_buf_cstr(&text)) : NULL;
  th_buf_free(&text);
  return command;
}

bool th_target_runs(const th_target *target, const char *folder) {
  const size_t n = strlen(folder);
  for (const char *word = target->kernels; *word; word += strspn(word, " ")) {
    const size_t length = strcspn(word, " ");
    if (length == n && memcmp(word, folder, n) == 0) return true;
    word += length;
  }
  return false;
}

const char *th_goal_flag(th_goal goal) {
  return goal == TH_FOR_SPEED ? "-O2" : "-Os";
}
