/* Package "c": a project that builds and runs on the target. Besides the placeholders of package.h its templates have
 * @executable@, @specs@ and @toolchain_option@.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "write/package.h"

/* What CMakeLists.txt says of the program beside the model. */
static const char *executable_text(th_package *k) {
  const th_family *family = th_target_family(k->target);
  if (th_target_is_host(k->target))
    return th_arena_printf(k->arena,
                           "add_executable(%s_run main.c)\n"
                           "target_link_libraries(%s_run PRIVATE %s)",
                           k->lower, k->lower, k->lower);
  const char *command = th_target_command(k->target, "build/firmware.elf", false, k->arena);
  if (!command) return NULL;
  return th_arena_printf(k->arena,
                         "file(GLOB EXAMPLE main.c startup.c)\n"
                         "add_executable(firmware.elf ${EXAMPLE})\n"
                         "target_link_libraries(firmware.elf PRIVATE %s)\n"
                         "separate_arguments(LINK_FLAGS UNIX_COMMAND \"%s\")\n"
                         "target_link_options(firmware.elf PRIVATE ${FLAGS} ${LINK_FLAGS} -L${CMAKE_SOURCE_DIR})\n"
                         "# Run it: %s\n"
                         "#   %s",
                         k->lower, family->link_flags,
                         th_target_has_files(k->target)
                             ? "input.bin in the current folder -> output.bin, report.txt"
                             : "input.hex, a sample as the EEPROM holds it (thimble bench makes it) -> serial port",
                         command);
}

/* Which C library it is, the compiler must know as well as the linker: its headers are there. */
static const char *specs_text(const th_package *k) {
  const char *flags = th_target_family(k->target)->link_flags, *specs = strstr(flags, "--specs=");
  return specs ? th_arena_printf(k->arena, " %.*s", (int)strcspn(specs, " "), specs) : "";
}

typedef th_status folder_fn(th_package *k, const char *folder, void *user);

/* Calls `f` with each folder of templates of a family. */
static th_status each_folder(th_package *k, const th_family *family, folder_fn *f, void *user) {
  for (const char *word = family->folders; *word; word += strspn(word, " ")) {
    const size_t n = strcspn(word, " ");
    const char *folder = th_arena_printf(k->arena, "%.*s", (int)n, word);
    if (!folder) return TH_ERR_RESOURCE;
    TH_TRY(f(k, folder, user));
    word += n;
  }
  return TH_OK;
}

static th_status put_folder(th_package *k, const char *folder, void *more) {
  return th_package_put_folder(k, folder, more);
}

static th_status drop_folder(th_package *k, const char *folder, void *user) {
  (void)user;
  return th_package_drop_folder(k, folder);
}

/* A folder that held the project for another target would else build that one's files, too. */
static th_status drop_other_targets(th_package *k) {
  const th_target *t;
  for (int i = 0; (t = th_target_list(i)) != NULL; i++) TH_TRY(each_folder(k, th_target_family(t), drop_folder, NULL));
  return th_package_drop_folder(k, "cross");
}

static th_status put_project(th_package *k) {
  const bool host = th_target_is_host(k->target);
  th_placeholder more[] = {{"@executable@", executable_text(k)},
                           {"@specs@", specs_text(k)},
                           {"@toolchain_option@", host ? "" : " -DCMAKE_TOOLCHAIN_FILE=toolchain.cmake"},
                           {NULL, NULL}};
  if (!more[0].value || !more[1].value) return TH_ERR_RESOURCE;
  TH_TRY(drop_other_targets(k));
  TH_TRY(th_package_put_folder(k, "", more));
  if (!host) TH_TRY(th_package_put_folder(k, "cross", more));
  return each_folder(k, th_target_family(k->target), put_folder, more);
}

th_status th_package_c(th_package *k) {
  TH_TRY(th_package_put_model(k, ".", ".", TH_INCLUDE_BY_FOLDER));
  TH_TRY(th_package_put_runtime(k, ".", TH_INCLUDE_BY_FOLDER));
  return put_project(k);
}
