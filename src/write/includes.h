/* The #include "..." lines of the runtime's sources: which file they mean, and how to say it without include folders.
 * Files are named by their path in the project, as in embedded.h ("rt/kernel/ref/add_s8.c"); "" is a generated source,
 * which lies beside the folder rt. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_INCLUDES_H
#define TH_WRITE_INCLUDES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "write/embedded.h"

enum { TH_INCLUDE_NAME = 200 };

/* The name between the quotes when the line that begins at `line` includes a file so; else false. */
bool th_include_line(const char *line, size_t bytes, char name[TH_INCLUDE_NAME]);

/* What file `path` means by `name`: looked for beside it, then in rt and rt/include. NULL when it is not the runtime's.
 */
const th_embedded_file *th_include_find(const char *path, const char *name);

/* Bytes of the line at `text`, its end included. */
size_t th_line_bytes(const char *text, size_t left);

/* Appends the text of file `path` with every include of the runtime's files made relative to it. */
th_status th_includes_relative(const char *path, const char *text, size_t bytes, th_buf *out);

#endif
