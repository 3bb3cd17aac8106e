/* C99 source from a planned program: constant tables and a straight list of direct kernel calls.
 *
 * Direct calls let the linker drop every kernel and decoder that the model does not name; a table of function pointers
 * would keep them all. The source needs only the runtime's kernels (rt/kernel, rt/decode), not its interpreter, and is
 * free of warnings with -std=c99 -Wall -Wextra -Wpedantic -Wconversion.
 *
 * For a model called `net` the interface is: NET_ARENA_BYTES, NET_INPUTS, NET_OUTPUTS and for each input and output its
 * bytes, offset, scale and zero; net_input(arena, i), net_output(arena, i), net_run(arena).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_CSOURCE_H
#define TH_WRITE_CSOURCE_H

#include "base/bytes.h"
#include "eval/lower.h"

/* `program`: lowered, its weights coded or raw (steps[].step.p.*.weights), planned. `name` becomes part of identifiers;
 * characters that C does not allow there become '_'. Appends the texts of NAME.h and NAME.c. */
th_status th_csource_write(const th_program *program, const char *name, th_buf *header, th_buf *source);

/* Makes `name` an identifier in lower (or upper) case; buf holds `size` bytes. Never empty, never starts with a digit.
 */
void th_csource_identifier(const char *name, bool upper, char *buf, size_t size);

/* Everything needed to build and run the model, written to folder `dir`: NAME.h, NAME.c, the runtime files it needs
 * under rt/, main.c, CMakeLists.txt, and for a microcontroller its start-up code and linker script. `target`: a row of
 * targets.def ("host", "cortex-m4"). The same files make the firmware that write/firmware.h measures. */
th_status th_csource_write_folder(const th_program *program, const char *name, const char *target, const char *dir);

#endif
