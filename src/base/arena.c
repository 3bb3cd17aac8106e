/* Arena: a list of blocks, newest first. A block is a header followed by its memory; allocation bumps `used`. Blocks
 * double in size up to 1 MiB, and a request larger than that gets a block of its own. See arena.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define ALIGNMENT ((size_t)64) /* a cache line and the widest vector */
#define FIRST_BLOCK ((size_t)16 << 10)
#define LARGEST_BLOCK ((size_t)1 << 20)

typedef struct block {
  struct block *older;
  size_t used, size; /* of the memory, which starts at the next multiple of ALIGNMENT */
} block;

struct th_arena {
  block *newest;
  size_t total, limit; /* bytes handed out; 0 = no limit */
  size_t next_size;
};

static _Thread_local long fail_after = -1;

void th_alloc_fail_after(long n) {
  fail_after = n;
}

static bool must_fail(void) {
  if (fail_after < 0) return false;
  return fail_after-- == 0;
}

static void *out_of_memory(size_t bytes) {
  th_fail(TH_ERR_RESOURCE, "out of memory: %zu bytes asked for", bytes);
  return NULL;
}

static size_t round_up(size_t n) {
  return (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}
static uint8_t *block_memory(block *b) {
  return (uint8_t *)b + round_up(sizeof(block));
}

th_arena *th_arena_create(void) {
  th_arena *arena = th_alloc(sizeof *arena);
  if (arena) arena->next_size = FIRST_BLOCK;
  return arena;
}

void th_arena_destroy(th_arena *arena) {
  if (!arena) return;
  for (block *b = arena->newest; b;) {
    block *older = b->older;
    free(b);
    b = older;
  }
  free(arena);
}

void th_arena_limit(th_arena *arena, size_t max_bytes) {
  arena->limit = max_bytes;
}

static bool add_block(th_arena *arena, size_t bytes) {
  size_t size = bytes > arena->next_size ? bytes : arena->next_size;
  block *b = must_fail() ? NULL : aligned_alloc(ALIGNMENT, round_up(sizeof(block)) + size);
  if (!b) return false;
  *b = (block){.older = arena->newest, .size = size};
  arena->newest = b;
  if (arena->next_size < LARGEST_BLOCK) arena->next_size *= 2;
  return true;
}

void *th_arena_alloc(th_arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX / 2) return out_of_memory(bytes);
  size_t need = round_up(bytes ? bytes : 1);
  if (arena->limit && need > arena->limit - (arena->total < arena->limit ? arena->total : arena->limit)) {
    th_fail(TH_ERR_RESOURCE, "%zu more bytes would exceed the limit of %zu", bytes, arena->limit);
    return NULL;
  }
  block *b = arena->newest;
  if (!b || b->size - b->used < need) {
    if (!add_block(arena, need)) return out_of_memory(bytes);
    b = arena->newest;
  }
  uint8_t *p = block_memory(b) + b->used;
  b->used += need;
  arena->total += need;
  memset(p, 0, need);
  return p;
}

void *th_arena_array(th_arena *arena, size_t count, size_t elem_bytes) {
  if (elem_bytes && count > SIZE_MAX / 2 / elem_bytes) return out_of_memory(SIZE_MAX);
  return th_arena_alloc(arena, count * elem_bytes);
}

void *th_arena_copy(th_arena *arena, const void *src, size_t bytes) {
  void *p = th_arena_alloc(arena, bytes);
  if (p && bytes) memcpy(p, src, bytes);
  return p;
}

char *th_arena_strdup(th_arena *arena, const char *s) {
  return th_arena_copy(arena, s, strlen(s) + 1);
}

char *th_arena_printf(th_arena *arena, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  char *s = n < 0 ? NULL : th_arena_alloc(arena, (size_t)n + 1);
  if (s) vsnprintf(s, (size_t)n + 1, fmt, again);
  va_end(again);
  return s;
}

th_arena_pos th_arena_mark(const th_arena *arena) {
  return (th_arena_pos){arena->newest, arena->newest ? arena->newest->used : 0};
}

void th_arena_release(th_arena *arena, th_arena_pos pos) {
  while (arena->newest && arena->newest != pos.block) {
    block *b = arena->newest;
    arena->total -= b->used;
    arena->newest = b->older;
    free(b);
  }
  if (arena->newest) {
    arena->total -= arena->newest->used - pos.used;
    arena->newest->used = pos.used;
  }
}

size_t th_arena_bytes(const th_arena *arena) {
  return arena->total;
}

void *th_alloc(size_t bytes) {
  void *p = must_fail() ? NULL : calloc(1, bytes ? bytes : 1);
  return p ? p : out_of_memory(bytes);
}

void *th_realloc(void *p, size_t bytes) {
  void *q = must_fail() ? NULL : realloc(p, bytes ? bytes : 1);
  return q ? q : out_of_memory(bytes);
}

void th_free(void *p) {
  free(p);
}
