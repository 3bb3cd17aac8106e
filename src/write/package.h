/* The forms in which a compiled model is handed out: the rows of packages.def. Each is a function that puts files into
 * a folder; what they share is here. The model is always NAME.h and NAME.c as csource.h prints them, the runtime the
 * files that it needs (runtime_files.h); the rest comes from templates with these placeholders:
 *
 *   @lower@ @UPPER@                        the model's name
 *   @target@ @compiler@ @flags@             the target, its compiler and that one's flags
 *   @flash@ @ram@                           its memory, for the linker
 *   @rt_sources@                            the runtime's sources, one a line, as paths from the package's folder
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_PACKAGE_H
#define TH_WRITE_PACKAGE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "eval/lower.h"
#include "format/zip.h"
#include "write/embedded.h"
#include "write/runtime_files.h"
#include "write/targets.h"

enum { TH_PACKAGE_NAME = 64 };

typedef struct th_package {
  const th_program *program;
  th_arena *arena;
  const char *dir;
  const th_target *target;
  bool any_processor; /* a package for the host other than a project: its compiler is not known */
  const char *flags;  /* of the compiler, for the target */
  char lower[TH_PACKAGE_NAME], upper[TH_PACKAGE_NAME];
  const char *header, *source; /* the texts of NAME.h and NAME.c */
  size_t header_bytes, source_bytes;
  const char *rt_sources; /* known once the runtime is put */
  th_zip_entry *kept;     /* NULL, or all files that were put, for an archive */
  int n_kept;
} th_package;

/* Writes `program` (lowered, coded or raw, planned) to folder `dir` in the form `as`, a row of packages.def, for
 * `target`, a row of targets.def. */
th_status th_package_write(const th_program *program, const char *as, const char *name, const char *target,
                           const char *dir);

/* Name and description of row `i`; NULL past the last. */
const char *th_package_list(int i, const char **what);

/* --- for the functions of the rows --- */

#define TH_PACKAGE(name, function, what) th_status th_package_##function(th_package *k);
#include "write/packages.def"
#undef TH_PACKAGE

typedef struct th_placeholder {
  const char *name, *value; /* a list of them ends with NULL */
} th_placeholder;

typedef struct th_package_file {
  const char *template, *path; /* a list of them ends with NULL */
} th_package_file;

/* How files name each other: by the include folders ".", "rt" and "rt/include"; or relative to the file that includes,
 * for builders that know no include folders. */
typedef enum th_include_style { TH_INCLUDE_BY_FOLDER, TH_INCLUDE_RELATIVE } th_include_style;

th_status th_package_put(th_package *k, const char *path, const void *data, size_t bytes);
/* From now on `kept` has what is put, below a folder of the model's name. */
th_status th_package_keep(th_package *k);
/* The runtime's files that NAME.c needs. */
th_status th_package_runtime(const th_package *k, th_runtime_files *files);
/* Copies templates to paths, which may hold placeholders, too; unknown @...@ stays as it is. */
th_status th_package_put_templates(th_package *k, const th_package_file *files);
/* Copies all templates of a folder of src/write/templates ("": those outside of folders) under their own names. */
th_status th_package_put_folder(th_package *k, const char *folder, const th_placeholder *more);
/* Removes from the package's folder what templates of that folder have left there for another target: files of their
 * names that begin as they do. */
th_status th_package_drop_folder(const th_package *k, const char *folder);
/* NAME.h to folder `headers`, NAME.c to `sources`; "." is the package's own folder. */
th_status th_package_put_model(th_package *k, const char *headers, const char *sources, th_include_style style);
th_status th_package_put_runtime(th_package *k, const char *folder, th_include_style style);
const th_embedded_file *th_package_embedded(const char *path);

#endif
