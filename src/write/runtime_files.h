/* The runtime's files that a C source needs, found as a linker would: those that define what it names, those that
 * define what these name in turn, and the headers of all. Nobody keeps a list of which kernel is in which file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_RUNTIME_FILES_H
#define TH_WRITE_RUNTIME_FILES_H

#include "base/arena.h"
#include "base/status.h"
#include "write/embedded.h"
#include "write/targets.h"

typedef struct th_runtime_files {
  const th_embedded_file **file; /* in the order of the embedded ones */
  int n;
} th_runtime_files;

/* `source`: C text that includes the runtime's headers. `target`: variants of kernels for other processors are left
 * out; NULL: whatever kernel/select.h may choose is there, so that the files compile for any. The list lives in
 * `arena`. */
th_status th_runtime_files_find(const char *source, size_t bytes, const th_target *target, th_arena *arena,
                                th_runtime_files *files);

#endif
