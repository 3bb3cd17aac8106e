/* What the kernel tests use of cmocka, for programs without an operating system: a failed assertion is written to the
 * host's file report.txt and ends the program. One test program is one translation unit with this header.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TARGET_CMOCKA_H
#define TESTS_TARGET_CMOCKA_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "board.h"

struct CMUnitTest {
  const char *name;
  void (*run)(void **state);
};

#define cmocka_unit_test(f) \
  { #f, f }

static inline void print_message(const char *format, ...) {
  char text[200];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  (void)board_report(text, n < (int)sizeof text ? (uint32_t)n : (uint32_t)sizeof text - 1);
}

#define fail_msg(...)                                   \
  do {                                                  \
    print_message("%s, line %d: ", __FILE__, __LINE__); \
    print_message(__VA_ARGS__);                         \
    print_message("\n");                                \
    board_leave(0);                                     \
  } while (0)

#define assert_true(x)                     \
  do {                                     \
    if (!(x)) fail_msg("%s is false", #x); \
  } while (0)
#define assert_false(x) assert_true(!(x))
#define assert_int_equal(a, b)                                                  \
  do {                                                                          \
    const long long a_ = (long long)(a), b_ = (long long)(b);                   \
    if (a_ != b_) fail_msg("%s is %ld, %s is %ld", #a, (long)a_, #b, (long)b_); \
  } while (0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)

#define cmocka_run_group_tests(tests, setup, teardown) run_group(tests, sizeof(tests) / sizeof(tests)[0])
static inline int run_group(const struct CMUnitTest *tests, size_t n) {
  if (!board_open()) board_leave(0);
  for (size_t i = 0; i < n; i++) {
    print_message("%s\n", tests[i].name);
    tests[i].run(NULL);
  }
  print_message("passed %u\n", (unsigned)n);
  board_leave(1);
  return 0;
}

#endif
