/* Files, read and written whole.
 *
 * Reading checks the size against a limit before allocating. Writing goes to a temporary file in the same folder,
 * then fsync and rename, so a failed run leaves neither a half file nor a changed one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_FILE_H
#define TH_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define TH_FILE_LIMIT ((size_t)1 << 31) /* default: nothing a microcontroller model needs is larger than 2 GiB */

/* The bytes live in `arena`, followed by one NUL byte that is not counted. */
th_status th_file_read(th_arena *arena, const char *path, size_t limit, uint8_t **data, size_t *size);
th_status th_file_write(const char *path, const void *data, size_t size);
bool th_file_exists(const char *path);
bool th_dir_exists(const char *path);
th_status th_dir_create(const char *path);         /* with parents; an existing folder is fine */
th_status th_dir_check_writable(const char *path); /* makes a file there and removes it */
/* Sorted names (not paths) of the entries of a folder, without "." and "..". */
th_status th_dir_list(th_arena *arena, const char *path, char ***names, int *count);
const char *th_path_join(th_arena *arena, const char *dir, const char *name);
const char *th_path_base(const char *path);      /* after the last '/' */
const char *th_path_extension(const char *path); /* ".tflite", or "" */

#endif
