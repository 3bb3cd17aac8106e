/* base/arena.h for test programs without a heap: one arena at a time, in a fixed piece of RAM.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <string.h>

enum { BYTES = 1 << 20, ALIGNMENT = 16 };

static _Alignas(ALIGNMENT) uint8_t memory[BYTES];
static size_t used;

th_arena *th_arena_create(void) {
  used = 0;
  return (th_arena *)memory;
}

void th_arena_destroy(th_arena *arena) {}

void *th_arena_alloc(th_arena *arena, size_t bytes) {
  uint8_t *p = memory + used;
  if (bytes > BYTES - ALIGNMENT - used) return NULL; /* the test then faults, which ends it */
  used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return memset(p, 0, bytes);
}

void *th_arena_array(th_arena *arena, size_t count, size_t elem_bytes) {
  return th_arena_alloc(arena, count * elem_bytes);
}

void *th_arena_copy(th_arena *arena, const void *src, size_t bytes) {
  void *p = th_arena_alloc(arena, bytes);
  return p ? memcpy(p, src, bytes) : NULL;
}

/* Newlib's vsnprintf links malloc, which asks here for memory and never gets any. */
void *_sbrk(ptrdiff_t bytes);
void *_sbrk(ptrdiff_t bytes) {
  return (void *)(intptr_t)-1;
}
