/* One C source from several: the generated one and the runtime's files that it needs, includes resolved, so that it
 * compiles alone.
 *
 * Files may use the same private names (static functions, constants): where one has been taken by a file above, it gets
 * a number. All names of the runtime get the model's name in front, so that two such sources can be linked together.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_AMALGAM_H
#define TH_WRITE_AMALGAM_H

#include "base/bytes.h"
#include "write/runtime_files.h"

/* `source`: the generated C; `name`: the model's, as a C identifier. Appends the text. */
th_status th_amalgam_write(const char *source, size_t bytes, const th_runtime_files *files, const char *name,
                           th_arena *arena, th_buf *out);

#endif
