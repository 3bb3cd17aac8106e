/* Package "arduino": a library in folder NAME, and the same as NAME.zip for the IDE's "Add .ZIP Library". The IDE
 * compiles all of src/ and knows no other include folder, so files name each other relatively. Layout: Arduino CLI
 * documentation, "Library specification".
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "format/zip.h"
#include "write/package.h"

static th_status put_library(th_package *k) {
  static const th_package_file files[] = {
      {"arduino/library.properties", "library.properties"},
      {"arduino/example.ino", "examples/@lower@/@lower@.ino"},
      {NULL, NULL},
  };
  TH_TRY(th_package_put_model(k, "src", "src", TH_INCLUDE_RELATIVE));
  TH_TRY(th_package_put_runtime(k, "src", TH_INCLUDE_RELATIVE));
  return th_package_put_templates(k, files);
}

th_status th_package_arduino(th_package *k) {
  th_package library = *k; /* the same package, a folder below */
  const char *zip = th_arena_printf(k->arena, "%s.zip", k->lower);
  library.dir = th_path_join(k->arena, k->dir, k->lower);
  if (!library.dir || !zip || th_package_keep(&library) != TH_OK) return TH_ERR_RESOURCE;
  TH_TRY(put_library(&library));
  th_buf archive = {0};
  th_status status = th_zip_write(library.kept, library.n_kept, &archive);
  if (status == TH_OK) status = th_package_put(k, zip, archive.data, archive.size);
  th_buf_free(&archive);
  return status;
}
