/* What the runtime's code takes in flash and on the stack, piece by piece, as bench/code measured it with the compilers
 * of the targets. A piece is a kernel, a form, a decoder or what several of them share; asking for one brings along
 * those that it needs, each once. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_CODE_H
#define TH_LIB_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "encode/encode.h"
#include "eval/lower.h"
#include "write/targets.h"

typedef struct th_code_piece {
  int32_t bytes; /* in flash, of itself alone */
  int32_t stack; /* on its deepest path */
  int32_t call;  /* ... to a call through a pointer; -1 when it makes none */
} th_code_piece;

/* A firmware's code as it grows. */
typedef struct th_code {
  const char *target;
  th_goal goal;
  bool *used; /* per row of code.def */
  uint32_t bytes;
  const char *unknown; /* the first piece that nobody has measured for the target; NULL: none */
} th_code;

th_status th_code_begin(const th_target *target, th_goal goal, th_arena *arena, th_code *code);
void th_code_add(th_code *code, const char *piece);
/* False when nobody has measured it. */
bool th_code_find(const th_target *target, th_goal goal, const char *piece, th_code_piece *found);
/* Of the decoders of each set of coders (encode/encode.h), with what they share once; as on a Cortex-M4 where nobody
 * has measured them. */
void th_code_decoders(const char *target, th_goal goal, uint32_t bytes[TH_CODER_SETS]);

#endif
