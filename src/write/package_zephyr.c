/* Package "zephyr": a module, found by west or named in ZEPHYR_EXTRA_MODULES, switched on by a Kconfig option of the
 * model's name. Layout: Zephyr Project documentation, "Modules (External projects)".
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/package.h"

th_status th_package_zephyr(th_package *k) {
  static const th_package_file files[] = {
      {"zephyr/module.yml", "zephyr/module.yml"},
      {"zephyr/CMakeLists.txt", "CMakeLists.txt"},
      {"zephyr/Kconfig", "Kconfig"},
      {"zephyr/sample_CMakeLists.txt", "samples/@lower@/CMakeLists.txt"},
      {"zephyr/prj.conf", "samples/@lower@/prj.conf"},
      {"zephyr/sample.yaml", "samples/@lower@/sample.yaml"},
      {"zephyr/main.c", "samples/@lower@/src/main.c"},
      {NULL, NULL},
  };
  TH_TRY(th_package_put_model(k, "include", "src", TH_INCLUDE_BY_FOLDER));
  TH_TRY(th_package_put_runtime(k, ".", TH_INCLUDE_BY_FOLDER));
  return th_package_put_templates(k, files);
}
