/* Compile and link; what that needs. See firmware.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/firmware.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "write/command.h"
#include "write/targets.h"

enum { BUILD_SECONDS = 300 };

/* --- tools --- */

bool th_firmware_available(const char *target, bool run, const char **why) {
  const th_target *t = th_target_find(target);
  const th_family *f = t ? th_target_family(t) : NULL;
  const char *missing = NULL;
  if (!f)
    missing = "unknown target";
  else if (!th_process_available(f->compiler))
    missing = f->no_compiler;
  else if (run && *f->emulator && !th_process_available(f->emulator))
    missing = f->no_emulator;
  if (why) *why = missing;
  return !missing;
}

const char *th_firmware_file(const char *target, th_firmware_kind kind) {
  const th_target *t = th_target_find(target);
  if (t && th_target_is_host(t)) return "firmware";
  return kind == TH_FIRMWARE_PROFILE ? "profile.elf" : "firmware.elf";
}

/* --- building --- */

/* All C sources below `dir`/`at`, in name order, as paths relative to `dir`. */
static th_status push_sources(th_command *c, th_arena *arena, const char *dir, const char *at) {
  char **names;
  int count;
  const char *full = *at ? th_path_join(arena, dir, at) : dir;
  if (!full) return TH_ERR_RESOURCE;
  TH_TRY(th_dir_list(arena, full, &names, &count));
  for (int i = 0; i < count; i++) {
    const char *relative = *at ? th_path_join(arena, at, names[i]) : names[i];
    const char *path = relative ? th_path_join(arena, dir, relative) : NULL;
    if (!path) return TH_ERR_RESOURCE;
    if (th_dir_exists(path)) {
      if (*at || th_str_eq(names[i], "rt")) TH_TRY(push_sources(c, arena, dir, relative));
    } else if (th_str_ends(names[i], ".c")) {
      if (c->n >= TH_COMMAND_WORDS - 20) return th_fail(TH_ERR_INPUT, "%s holds too many C files", dir);
      th_command_push(c, relative);
    }
  }
  return TH_OK;
}

/* Linkers say "region `RAM' overflowed by 18 bytes", or of an AVR "address 0x80089a of firmware.elf section `.bss' is
 * not within region `data'". Regions are FLASH and RAM, there text and data. */
static bool too_large(const th_target *t, const char *text) {
  static const char overflowed[] = "' overflowed by ";
  const char *over = strstr(text, overflowed), *end = strstr(text, "address 0x"), *region = strstr(text, "region `");
  if (!region || (!over && !end)) return false;
  const bool in_ram = region[strlen("region `")] == 'R' || region[strlen("region `")] == 'd';
  const char *memory = in_ram ? t->ram : t->flash;
  const int64_t room = th_target_memory(memory, "LENGTH");
  const int64_t needed = over ? room + strtoll(over + strlen(overflowed), NULL, 10)
                              : strtoll(end + strlen("address "), NULL, 16) - th_target_memory(memory, "ORIGIN");
  if (needed <= room) return false;
  th_fail(TH_ERR_INPUT, "does not fit %s: the linked firmware needs %lld bytes of %s, and it has %lld", t->name,
          (long long)needed, in_ram ? "RAM" : "flash", (long long)room);
  return true;
}

static th_status compile(th_arena *arena, const char *dir, const th_target *t, th_goal goal, th_firmware_kind kind) {
  const th_family *f = th_target_family(t);
  th_command c = {0};
  th_command_push(&c, f->compiler);
  th_command_push(&c, th_goal_flag(goal));
  TH_TRY(th_command_words(&c, arena, t->flags));
  TH_TRY(th_command_words(&c, arena, "-std=c99 -Wall -Wextra -I. -Irt -Irt/include"));
  TH_TRY(th_command_words(&c, arena, "-ffunction-sections -fdata-sections"));
  if (kind == TH_FIRMWARE_PROFILE) th_command_push(&c, "-DTHIMBLE_PROFILE");
  TH_TRY(push_sources(&c, arena, dir, ""));
  TH_TRY(th_command_words(&c, arena, f->link_flags));
  TH_TRY(th_command_words(&c, arena, "-o"));
  th_command_push(&c, th_firmware_file(t->name, kind));
  th_buf text = {0};
  int code = 0;
  th_status status = th_process_run(th_command_argv(&c), dir, BUILD_SECONDS, NULL, NULL, &text, &code);
  if (status == TH_OK && code != 0 && too_large(t, th_buf_cstr(&text)))
    status = TH_ERR_INPUT;
  else if (status == TH_OK && code != 0)
    status =
        th_fail(TH_ERR_RESOURCE, "%s failed with code %d in %s:\n%.2000s", f->compiler, code, dir, th_buf_cstr(&text));
  th_buf_free(&text);
  return status;
}

th_status th_firmware_build(const char *dir, const char *target, th_goal goal, th_firmware_kind kind,
                            th_firmware_result *result) {
  const th_target *t = th_target_find(target);
  th_arena *arena = t ? th_arena_create() : NULL;
  if (!arena) return t ? TH_ERR_RESOURCE : TH_ERR_USAGE;
  *result = (th_firmware_result){0};
  const char *path = th_path_join(arena, dir, th_firmware_file(target, kind));
  th_status status = path ? compile(arena, dir, t, goal, kind) : TH_ERR_RESOURCE;
  if (status == TH_OK && !th_target_is_host(t)) status = th_firmware_sizes(arena, path, dir, result);
  th_arena_destroy(arena);
  return status;
}
