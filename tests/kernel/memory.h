/* Memory that shows what a kernel does outside its own: blocks between guard bytes (guards.h), and blocks that end
 * where memory ends. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNEL_MEMORY_H
#define TESTS_KERNEL_MEMORY_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guards.h"

typedef struct cliff { /* memory that ends */
  uint8_t *map;
  size_t bytes, map_bytes;
} cliff;

static cliff cliff_open(size_t n) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  cliff c = {.bytes = n, .map_bytes = (n + page - 1) / page * page + page};
  c.map = mmap(NULL, c.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(c.map != MAP_FAILED);
  assert_int_equal(mprotect(c.map + c.map_bytes - page, page, PROT_NONE), 0);
  return c;
}

static uint8_t *cliff_data(const cliff *c) {
  return c->map + c->map_bytes - (size_t)sysconf(_SC_PAGESIZE) - c->bytes;
}

static void cliff_close(const cliff *c) {
  munmap(c->map, c->map_bytes);
}

#endif
