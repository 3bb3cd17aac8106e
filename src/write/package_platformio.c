/* Package "platformio": a library with a library.json manifest. Builders of libraries know no include folders but src,
 * so files name each other relatively. Layout: PlatformIO documentation, "library.json".
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/package.h"

th_status th_package_platformio(th_package *k) {
  static const th_package_file files[] = {
      {"platformio/library.json", "library.json"},
      {"platformio/platformio.ini", "examples/@lower@/platformio.ini"},
      {"arduino/example.ino", "examples/@lower@/src/main.cpp"},
      {NULL, NULL},
  };
  TH_TRY(th_package_put_model(k, "src", "src", TH_INCLUDE_RELATIVE));
  TH_TRY(th_package_put_runtime(k, "src", TH_INCLUDE_RELATIVE));
  return th_package_put_templates(k, files);
}
