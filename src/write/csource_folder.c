/* The project folder of a compiled model: generated sources, the runtime files they need, and from templates a main
 * program and a build description. Placeholders of the templates: @lower@ @UPPER@ (the model's name), those of `own`
 * in put_template(), @executable@, @toolchain_option@.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../rt/core/parse.h"
#include "base/file.h"
#include "base/str.h"
#include "write/csource.h"
#include "write/embedded.h"
#include "write/targets.h"

enum { IDENTIFIER = 64, TEMPLATE_FOLDERS = 100 };

typedef struct folder {
  const th_program *p;
  th_arena *arena;
  const char *dir;
  const th_target *target;
  char lower[IDENTIFIER], upper[IDENTIFIER];
} folder;

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
static th_status put_template(const folder *f, const th_embedded_file *file, const placeholder *more) {
  const th_target *t = f->target;
  const th_family *family = th_target_family(t);
  const placeholder own[] = {{"@lower@", f->lower},
                             {"@UPPER@", f->upper},
                             {"@target@", t->name},
                             {"@flags@", th_arena_printf(f->arena, TH_TARGET_LEVEL " %s", t->flags)},
                             {"@flash@", t->flash},
                             {"@ram@", t->ram},
                             {"@compiler@", family->compiler},
                             {NULL, NULL}};
  if (!own[3].value) return TH_ERR_RESOURCE;
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
  const char *base = th_path_base(file->path); /* without ".in" */
  const char *name = th_arena_printf(f->arena, "%.*s", (int)strlen(base) - 3, base);
  th_status status = name ? th_buf_status(&text) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = put(f, name, text.data, text.size);
  th_buf_free(&text);
  return status;
}

/* All templates of a folder; "" holds those of every project. */
static th_status put_templates(const folder *f, const char *name, const placeholder *more) {
  const char *path = th_arena_printf(f->arena, "src/write/templates/%s%s", name, *name ? "/" : "");
  if (!path) return TH_ERR_RESOURCE;
  for (int i = 0; i < th_embedded_count; i++) {
    const th_embedded_file *e = &th_embedded_files[i];
    if (th_str_starts(e->path, path) && !strchr(e->path + strlen(path), '/')) TH_TRY(put_template(f, e, more));
  }
  return TH_OK;
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

/* What CMakeLists.txt says of the program beside the model. */
static const char *executable_text(const folder *f) {
  const th_family *family = th_target_family(f->target);
  if (th_target_is_host(f->target))
    return th_arena_printf(f->arena,
                           "add_executable(%s_run main.c)\n"
                           "target_link_libraries(%s_run PRIVATE %s)",
                           f->lower, f->lower, f->lower);
  const char *command = th_target_command(f->target, "build/firmware.elf", false, f->arena);
  if (!command) return NULL;
  return th_arena_printf(f->arena,
                         "file(GLOB EXAMPLE main.c startup.c)\n"
                         "add_executable(firmware.elf ${EXAMPLE})\n"
                         "target_link_libraries(firmware.elf PRIVATE %s)\n"
                         "separate_arguments(LINK_FLAGS UNIX_COMMAND \"%s\")\n"
                         "target_link_options(firmware.elf PRIVATE ${FLAGS} ${LINK_FLAGS} -L${CMAKE_SOURCE_DIR})\n"
                         "# Run it: input.bin in the current folder -> output.bin, report.txt\n"
                         "#   %s",
                         f->lower, family->link_flags, command);
}

static th_status put_project(const folder *f) {
  const bool host = th_target_is_host(f->target);
  const placeholder more[] = {{"@executable@", executable_text(f)},
                              {"@toolchain_option@", host ? "" : " -DCMAKE_TOOLCHAIN_FILE=toolchain.cmake"},
                              {NULL, NULL}};
  if (!more[0].value) return TH_ERR_RESOURCE;
  TH_TRY(put_templates(f, "", more));
  if (!host) TH_TRY(put_templates(f, "cross", more));
  char folders[TEMPLATE_FOLDERS], *rest = folders;
  snprintf(folders, sizeof folders, "%s", th_target_family(f->target)->folders);
  while (*rest) {
    char *end = rest + strcspn(rest, " ");
    const bool last = !*end;
    *end = 0;
    TH_TRY(put_templates(f, rest, more));
    rest = last ? end : end + 1;
  }
  return TH_OK;
}

static th_status write_folder(folder *f) {
  TH_TRY(put_model(f)); /* first: it can fail on what the program holds, and then nothing has been written */
  TH_TRY(put_runtime(f));
  return put_project(f);
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
