/* The folder of larger test data, as scripts/test-data says: $THIMBLE_TEST_DATA, else what it was when this was built.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TESTS_TEST_DATA_H
#define TH_TESTS_TEST_DATA_H

#include <stdlib.h>

static inline const char *test_data(void) {
  const char *given = getenv("THIMBLE_TEST_DATA");
  return given && given[0] ? given : THIMBLE_TEST_DATA;
}

#endif
