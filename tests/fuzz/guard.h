/* Blocks whose end, or begin, touches memory that must not be touched: a read or write one byte outside ends the
 * program in every build, also where no sanitizer looks (hand-written kernels, intrinsics). SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_FUZZ_GUARD_H
#define TH_FUZZ_GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded {
  uint8_t *data;
  uint8_t *map;
  size_t map_bytes;
} guarded;

/* `size` bytes whose end lies against a forbidden page, but for at most `align` - 1 bytes (a power of two). */
static inline guarded guard_end(size_t size, size_t align) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (size + align - 1) / align * align;
  const size_t room = (body + page - 1) / page * page;
  guarded g = {.map_bytes = room + 2 * page};
  g.map = mmap(NULL, g.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (g.map == MAP_FAILED || (room && mprotect(g.map + page, room, PROT_READ | PROT_WRITE))) abort();
  g.data = g.map + page + room - body;
  return g;
}

/* `size` bytes that begin right behind a forbidden page. */
static inline guarded guard_begin(size_t size) {
  guarded g = guard_end(size, 1);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  g.data = g.map + page;
  return g;
}

/* A copy that can only be read. */
static inline guarded guard_copy(const uint8_t *data, size_t size, size_t align) {
  guarded g = guard_end(size, align);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (size) memcpy(g.data, data, size);
  if (g.map_bytes > 2 * page && mprotect(g.map + page, g.map_bytes - 2 * page, PROT_READ)) abort();
  return g;
}

static inline void guard_free(guarded *g) {
  munmap(g->map, g->map_bytes);
}

#endif
