/* Blocks between guard bytes: what a kernel writes outside its own is seen. For the host, and for the emulated targets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNEL_GUARDS_H
#define TESTS_KERNEL_GUARDS_H

#include <string.h>

#include "base/arena.h"

enum { GUARD = 64, FILL = 0xA5 };

/* A block of `n` bytes between guards, all of it FILL. */
static uint8_t *guarded(th_arena *arena, size_t n) {
  uint8_t *p = th_arena_alloc(arena, n + 2 * GUARD);
  memset(p, FILL, n + 2 * GUARD);
  return p + GUARD;
}

static void check_guards(const uint8_t *p, size_t n) {
  for (int i = 0; i < GUARD; i++) {
    assert_int_equal(p[i - GUARD], FILL);
    assert_int_equal(p[n + (size_t)i], FILL);
  }
}

#endif
