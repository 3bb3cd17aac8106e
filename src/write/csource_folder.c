/* The project folder of a compiled model: generated sources, the runtime files they need, and from templates a main
 * program and a build description. Placeholders of the templates: @lower@ @UPPER@ (the model's name), @target@,
 * @flags@,
 * @prefix@, @executable@, @toolchain_option@.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "../../rt/core/parse.h"
#include "base/file.h"
#include "base/str.h"
#include "write/csource.h"
#include "write/embedded.h"
#include "write/targets.h"

enum { IDENTIFIER = 64 };

typedef struct folder {
  const th_program *p;
  th_arena *arena;
  const char *dir;
  const th_target *target;
  char lower[IDENTIFIER], upper[IDENTIFIER];
} folder;

static const th_target TARGETS[] = {
#define TH_TARGET(name, what, prefix, flags, machine, tick) {name, what, prefix, flags, machine, tick},
#include "write/targets.def"
#undef TH_TARGET
};
enum { TARGET_COUNT = sizeof TARGETS / sizeof *TARGETS };

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

/* --- files --- */

static th_status put(const folder *f, const char *name, const void *data, size_t bytes) {
  const char *path = th_path_join(f->arena, f->dir, name);
  if (!path) return TH_ERR_RESOURCE;
  const char *slash = strrchr(path, '/');
  char *parent = th_arena_strdup(f->arena, path);
  if (!parent) return TH_ERR_RESOURCE;
  if (slash) parent[slash - path] = 0;
  TH_TRY(th_dir_create(parent));
  return th_file_write(path, data, bytes);
}

static const th_embedded_file *embedded(const char *path) {
  for (int i = 0; i < th_embedded_count; i++)
    if (th_str_eq(th_embedded_files[i].path, path)) return &th_embedded_files[i];
  return NULL;
}

typedef struct placeholder {
  const char *name, *value;
} placeholder;

/* Copies a template to the folder with its placeholders replaced; unknown @...@ stays as it is. */
static th_status put_template(const folder *f, const char *template, const char *name, const placeholder *more) {
  const char *path = th_arena_printf(f->arena, "src/write/templates/%s.in", template);
  const th_embedded_file *file = path ? embedded(path) : NULL;
  if (!file) return th_fail(TH_ERR_INTERNAL, "template %s is not part of this build", template);
  const placeholder own[] = {{"@lower@", f->lower},           {"@UPPER@", f->upper},
                             {"@target@", f->target->name},   {"@flags@", f->target->flags},
                             {"@prefix@", f->target->prefix}, {NULL, NULL}};
  const placeholder *const lists[] = {own, more};
  th_buf text = {0};
  for (unsigned long i = 0; i < file->bytes;) {
    const placeholder *hit = NULL;
    for (int l = 0; l < 2 && !hit && file->data[i] == '@'; l++)
      for (const placeholder *p = lists[l]; p && p->name && !hit; p++)
        if (strlen(p->name) <= file->bytes - i && !memcmp(file->data + i, p->name, strlen(p->name))) hit = p;
    if (hit)
      th_buf_append(&text, hit->value, strlen(hit->value));
    else
      th_buf_append(&text, file->data + i, 1);
    i += hit ? strlen(hit->name) : 1;
  }
  th_status status = th_buf_status(&text);
  if (status == TH_OK) status = put(f, name, text.data, text.size);
  th_buf_free(&text);
  return status;
}

/* --- the runtime files a program needs --- */

static bool uses_kernel(const th_program *p, thr_kernel_id id) {
  for (int i = 0; i < p->n_steps; i++)
    if (p->steps[i].step.kernel == id) return true;
  return false;
}

static bool uses_decoder(const th_program *p, thr_decode_fn *decode) {
  for (int i = 0; i < p->n_steps; i++) {
    thr_step step = p->steps[i].step;
    const thr_weights *w = thr_step_weights(&step);
    if (w && w->decode == decode) return true;
  }
  return false;
}

/* A source file named after a kernel or a coder is needed when that one is; other sources and all headers always. */
static bool needs_file(const th_program *p, const char *path) {
  if (!th_str_starts(path, "rt/") || th_str_starts(path, "rt/core/")) return false; /* core: the interpreter */
  if (!th_str_ends(path, ".c")) return true;
  if (th_str_eq(path, "rt/decode/coder.c")) return false;
  const char *base = th_path_base(path);
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) \
  if (th_str_eq(base, #name ".c")) return uses_kernel(p, THR_KERNEL_##id);
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
  bool decodes = false;
#define THR_CODER(id, name, function)                                                  \
  if (THR_CODER_##id != THR_CODER_RAW) {                                               \
    bool used = uses_decoder(p, (thr_decode_fn *)(function));                          \
    if (th_str_starts(path, "rt/decode/") && th_str_eq(base, #name ".c")) return used; \
    decodes = decodes || used;                                                         \
  }
#include "../../rt/decode/coders.def"
#undef THR_CODER
  if (th_str_starts(path, "rt/decode/") && !th_str_eq(base, "stream.c")) return decodes;
  return true;
}

static th_status put_runtime(const folder *f) {
  for (int i = 0; i < th_embedded_count; i++) {
    const th_embedded_file *e = &th_embedded_files[i];
    if (needs_file(f->p, e->path)) TH_TRY(put(f, e->path, e->data, e->bytes));
  }
  const th_embedded_file *license = embedded("LICENSE");
  return license ? put(f, "rt/LICENSE", license->data, license->bytes) : TH_OK;
}

/* --- the project --- */

static th_status put_model(const folder *f) {
  th_buf header = {0}, source = {0};
  const char *h = th_arena_printf(f->arena, "%s.h", f->lower), *c = th_arena_printf(f->arena, "%s.c", f->lower);
  th_status status = h && c ? th_csource_write(f->p, f->lower, &header, &source) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = put(f, h, header.data, header.size);
  if (status == TH_OK) status = put(f, c, source.data, source.size);
  th_buf_free(&header);
  th_buf_free(&source);
  return status;
}

static th_status put_host_program(const folder *f) {
  const char *executable = th_arena_printf(f->arena,
                                           "add_executable(%s_run main.c)\n"
                                           "target_link_libraries(%s_run PRIVATE %s)",
                                           f->lower, f->lower, f->lower);
  if (!executable) return TH_ERR_RESOURCE;
  const placeholder more[] = {{"@executable@", executable}, {"@toolchain_option@", ""}, {NULL, NULL}};
  TH_TRY(put_template(f, "main_host.c", "main.c", NULL));
  return put_template(f, "CMakeLists.txt", "CMakeLists.txt", more);
}

static th_status put_firmware(const folder *f) {
  const char *executable =
      th_arena_printf(f->arena,
                      "add_executable(firmware.elf main.c startup.c)\n"
                      "target_link_libraries(firmware.elf PRIVATE %s)\n"
                      "target_link_options(firmware.elf PRIVATE ${FLAGS} " TH_FIRMWARE_LINK_FLAGS
                      " -T${CMAKE_SOURCE_DIR}/link.ld)\n"
                      "# Run it: input.bin in the current folder -> output.bin, report.txt\n"
                      "#   qemu-system-arm -M %s -nographic -semihosting -kernel build/firmware.elf",
                      f->lower, f->target->machine);
  if (!executable) return TH_ERR_RESOURCE;
  const placeholder more[] = {
      {"@executable@", executable}, {"@toolchain_option@", " -DCMAKE_TOOLCHAIN_FILE=toolchain.cmake"}, {NULL, NULL}};
  TH_TRY(put_template(f, "main_cortex-m.c", "main.c", NULL));
  TH_TRY(put_template(f, "semihost.h", "semihost.h", NULL));
  TH_TRY(put_template(f, "startup.c", "startup.c", NULL));
  TH_TRY(put_template(f, "link.ld", "link.ld", NULL));
  TH_TRY(put_template(f, "toolchain.cmake", "toolchain.cmake", NULL));
  return put_template(f, "CMakeLists.txt", "CMakeLists.txt", more);
}

static th_status write_folder(folder *f) {
  TH_TRY(put_model(f)); /* first: it can fail on what the program holds, and then nothing has been written */
  TH_TRY(put_runtime(f));
  return *f->target->prefix ? put_firmware(f) : put_host_program(f);
}

th_status th_csource_write_folder(const th_program *program, const char *name, const char *target, const char *dir) {
  folder f = {.p = program, .dir = dir, .target = th_target_find(target)};
  if (!f.target) return TH_ERR_USAGE;
  th_csource_identifier(name, false, f.lower, sizeof f.lower);
  th_csource_identifier(name, true, f.upper, sizeof f.upper);
  f.arena = th_arena_create();
  if (!f.arena) return TH_ERR_RESOURCE;
  th_status status = write_folder(&f);
  th_arena_destroy(f.arena);
  return status;
}
