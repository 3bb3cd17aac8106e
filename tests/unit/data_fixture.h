/* A folder for the files of a data test, and opening sets in it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_DATA_FIXTURE_H
#define TESTS_UNIT_DATA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/file.h"
#include "data/dataset.h"

static char fx_folder[256];

static inline int fx_setup(void **state) {
  (void)state;
  snprintf(fx_folder, sizeof fx_folder, "%s/test_data_XXXXXX", THIMBLE_BINARY_DIR);
  return mkdtemp(fx_folder) ? 0 : -1;
}

static inline int fx_teardown(void **state) {
  (void)state;
  char command[300];
  snprintf(command, sizeof command, "rm -r '%s'", fx_folder);
  return system(command);
}

static inline const char *fx_path(const char *name) {
  static char path[4][1200];
  static int next;
  next = (next + 1) % 4;
  snprintf(path[next], sizeof path[next], "%s/%s", fx_folder, name);
  return path[next];
}

/* Folders in the name are made. */
static inline void fx_save(const char *name, const void *data, size_t size) {
  char folder[1200];
  strcpy(folder, fx_path(name));
  *strrchr(folder, '/') = 0;
  assert_int_equal(th_dir_create(folder), TH_OK);
  assert_int_equal(th_file_write(fx_path(name), data, size), TH_OK);
}

static inline void fx_save_text(const char *name, const char *text) {
  fx_save(name, text, strlen(text));
}

static inline th_dataset *fx_open(const char *spec) {
  th_dataset *d;
  if (th_dataset_open(fx_path(spec), 1, &d) != TH_OK) fail_msg("%s: %s", spec, th_error_message());
  return d;
}

static inline void fx_refused(const char *spec, th_status status, const char *message) {
  th_dataset *d = NULL;
  th_status found = th_dataset_open(fx_path(spec), 1, &d);
  if (found != status) fail_msg("%s: status %d instead of %d: %s", spec, found, status, th_error_message());
  assert_null(d);
  if (!strstr(th_error_message(), message)) fail_msg("%s: '%s' does not say '%s'", spec, th_error_message(), message);
  th_error_clear();
}

/* Sample `which` of a split and its label. */
static inline int32_t fx_fetch(const th_dataset *d, th_split_id split, int32_t which, float *x) {
  int32_t label = -1;
  assert_true(which < d->split[split].count);
  th_dataset_fetch(d, split, &which, 1, NULL, 0, 0, x, &label);
  return label;
}

#endif
