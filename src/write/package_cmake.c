/* Package "cmake": a library for programs that build with CMake, used in place by add_subdirectory() or installed and
 * found by find_package(). The user's toolchain gives the compiler flags.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/package.h"

th_status th_package_cmake(th_package *k) {
  static const th_package_file files[] = {
      {"cmake/CMakeLists.txt", "CMakeLists.txt"}, {"cmake/example.c", "example/example.c"}, {NULL, NULL}};
  TH_TRY(th_package_put_model(k, "include", "src", TH_INCLUDE_BY_FOLDER));
  TH_TRY(th_package_put_runtime(k, ".", TH_INCLUDE_BY_FOLDER));
  return th_package_put_templates(k, files);
}
