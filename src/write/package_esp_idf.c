/* Package "esp-idf": a component for Espressif's IoT Development Framework, to be put into a project's components/
 * folder. Layout: ESP-IDF Programming Guide, "Build System", and the IDF Component Manager's "Manifest File".
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/package.h"

th_status th_package_esp_idf(th_package *k) {
  static const th_package_file files[] = {
      {"esp-idf/CMakeLists.txt", "CMakeLists.txt"},
      {"esp-idf/idf_component.yml", "idf_component.yml"},
      {"esp-idf/example_CMakeLists.txt", "examples/@lower@/CMakeLists.txt"},
      {"esp-idf/main_CMakeLists.txt", "examples/@lower@/main/CMakeLists.txt"},
      {"esp-idf/main_idf_component.yml", "examples/@lower@/main/idf_component.yml"},
      {"esp-idf/main.c", "examples/@lower@/main/main.c"},
      {NULL, NULL},
  };
  TH_TRY(th_package_put_model(k, "include", "src", TH_INCLUDE_BY_FOLDER));
  TH_TRY(th_package_put_runtime(k, ".", TH_INCLUDE_BY_FOLDER));
  return th_package_put_templates(k, files);
}
