/* Packages: a model that uses every kernel is written in each form and built as the form's own build system would build
 * it, with the compilers that are here; what can run on this machine gives the same bytes as the kernels called one by
 * one. Build systems that are not here are stood in for by CMake functions of the same names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "format/json.h"
#include "format/zip.h"
#include "thimble/thimble.h"
#include "write/package.h"
#include "write/process.h"
#include "write/runtime_files.h"
#include "write/thim_model.h"

#define ROOT THIMBLE_BINARY_DIR "/test_packages"

enum { INPUT_BYTES = 12 * 10 * 3 + 48, OUTPUT_BYTES = 10 + 48 * 4 + 48 };

static fixture f;

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

/* Runs a shell command in a folder below ROOT; what it prints is the message when it fails. */
static void sh(const char *dir, const char *command) {
  const char *const argv[] = {"sh", "-c", command, NULL};
  char where[300];
  th_buf text = {0};
  int code = 1;
  snprintf(where, sizeof where, "%s/%s", ROOT, dir);
  must(th_process_run(argv, where, 300, NULL, NULL, &text, &code));
  if (code != 0) fail_msg("%s: %s\n%s", where, command, th_buf_cstr(&text));
  th_buf_free(&text);
}

static void need_program(const char *name) {
  if (th_process_available(name)) return;
  print_message("skipped: %s is not installed\n", name);
  skip();
}

/* An empty folder ROOT/dir, and the model in it as `as`. */
static void write_as(const char *as, const char *name, const char *dir) {
  char path[300];
  must(th_dir_create(ROOT));
  snprintf(path, sizeof path, "rm -rf %s", dir);
  sh(".", path);
  snprintf(path, sizeof path, "%s/%s", ROOT, dir);
  must(th_dir_create(path));
  must(th_package_write(f.coded, as, name, "host", path));
}

static void write_text(const char *path, const char *text) {
  char whole[300];
  snprintf(whole, sizeof whole, "%s/%s", ROOT, path);
  must(th_file_write(whole, text, strlen(text)));
}

static uint8_t input_byte(size_t i) {
  return (uint8_t)(i * 37 + i / 7);
}

/* input.bin in `dir`, and what the kernels make of it, called one by one. */
static void write_input(const char *dir, uint8_t want[OUTPUT_BYTES]) {
  uint8_t in[INPUT_BYTES];
  char path[300];
  for (size_t i = 0; i < sizeof in; i++) in[i] = input_byte(i);
  snprintf(path, sizeof path, "%s/%s/input.bin", ROOT, dir);
  must(th_file_write(path, in, sizeof in));
  void **value = run_plain(f.raw, f.arena, (const void *[]){in, in + 360});
  for (int i = 0, at = 0; i < f.raw->n_outputs; i++) {
    const th_value *v = &f.raw->values[f.raw->outputs[i]];
    memcpy(want + at, value[f.raw->outputs[i]], v->bytes);
    at += (int)v->bytes;
  }
}

static void check_output(const char *dir, const uint8_t want[OUTPUT_BYTES]) {
  uint8_t *got;
  size_t bytes;
  char path[300];
  snprintf(path, sizeof path, "%s/%s/output.bin", ROOT, dir);
  must(th_file_read(f.arena, path, 1 << 20, &got, &bytes));
  assert_int_equal(bytes, OUTPUT_BYTES);
  assert_memory_equal(got, want, OUTPUT_BYTES);
}

/* --- tests --- */

static void command_line_offers_every_package(void **state) {
  th_param p;
  char list[300] = "";
  const char *name;
  for (int i = 0; (name = th_package_list(i, NULL)) != NULL; i++)
    snprintf(list + strlen(list), sizeof list - strlen(list), "%s|", name);
  strcat(list, "tflite|tflite-decode|thim");
  for (int i = 0; th_stage_param("compile", i, &p); i++)
    if (th_str_eq(p.name, "as")) assert_string_equal(p.value, list);
}

static void unknown_packages_are_refused(void **state) {
  assert_int_equal(th_package_write(f.coded, "ardiuno", "net", "host", ROOT "/none"), TH_ERR_USAGE);
  assert_string_equal(th_error_message(), "unknown package \"ardiuno\"; did you mean \"arduino\"?");
  th_error_clear();
  assert_false(th_dir_exists(ROOT "/none"));
}

static bool has_file(const th_runtime_files *files, const char *path) {
  int hits = 0;
  for (int i = 0; i < files->n; i++) hits += th_str_eq(files->file[i]->path, path);
  assert_in_range(hits, 0, 1);
  return hits == 1;
}

/* A source that names one kernel needs that kernel's file, the tables and headers behind it, and no other. */
static void runtime_files_are_those_that_are_named(void **state) {
  static const char source[] = "#include \"kernel/select.h\"\nvoid f(void) { thr_softmax_s16(0, 0, 0); }\n";
  static const char *const there[] = {"rt/kernel/ref/softmax_s16.c", "rt/kernel/ref/softmax_table.c",
                                      "rt/kernel/select.h", "rt/include/thr_kernels.h"};
  static const char *const absent[] = {"rt/kernel/ref/softmax_s8.c", "rt/kernel/ref/conv2d_s8.c", "rt/decode/code.c",
                                       "rt/kernel/ref/sigmoid_table.c", "rt/core/run.c"};
  th_runtime_files files;
  must(th_runtime_files_find(source, sizeof source - 1, NULL, f.arena, &files));
  for (size_t k = 0; k < sizeof there / sizeof *there; k++)
    if (!has_file(&files, there[k])) fail_msg("%s is missing", there[k]);
  for (size_t k = 0; k < sizeof absent / sizeof *absent; k++)
    if (has_file(&files, absent[k])) fail_msg("%s is not needed", absent[k]);
}

/* Where the processor is known, variants for others stay away. */
static void runtime_files_are_those_of_the_target(void **state) {
  static const char source[] = "#include \"kernel/select.h\"\nvoid f(void) { thr_depthwise_conv2d_s8(0, 0, 0, 0); }\n";
  static const struct {
    const char *target, *file;
    bool there;
  } cases[] = {{"cortex-m4", "rt/kernel/dsp/depthwise_conv2d_s8.c", true},
               {"cortex-m4", "rt/kernel/small/depthwise_conv2d_s8.c", false},
               {"cortex-m0plus", "rt/kernel/small/depthwise_conv2d_s8.c", true},
               {"cortex-m0plus", "rt/kernel/dsp/depthwise_conv2d_s8.c", false},
               {"cortex-m0plus", "rt/kernel/dsp/dsp.h", false},
               {NULL, "rt/kernel/dsp/depthwise_conv2d_s8.c", true},
               {NULL, "rt/kernel/small/depthwise_conv2d_s8.c", true},
               {NULL, "rt/kernel/ref/depthwise_conv2d_s8.c", true}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const th_target *target = cases[k].target ? th_target_find(cases[k].target) : NULL;
    th_runtime_files files;
    must(th_runtime_files_find(source, sizeof source - 1, target, f.arena, &files));
    if (has_file(&files, cases[k].file) != cases[k].there)
      fail_msg("%s: %s is %sthere", cases[k].target ? cases[k].target : "any", cases[k].file,
               cases[k].there ? "not " : "");
  }
}

static void single_file_compiles_alone(void **state) {
  static const char *const compilers[] = {"gcc", "clang", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb",
                                          "arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb",
                                          "riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32 --specs=picolibc.specs"};
  write_as("single-file", "net", "single");
  char command[300], program[60];
  int tried = 0;
  for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
    snprintf(program, sizeof program, "%.*s", (int)strcspn(compilers[i], " "), compilers[i]);
    if (!th_process_available(program)) continue;
    snprintf(command, sizeof command,
             "%s -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror -O1 -c net.c -o net%zu.o", compilers[i], i);
    sh("single", command);
    tried++;
  }
  assert_true(tried > 0);
  sh("single", "test \"$(ls *.c *.h | tr '\\n' ' ')\" = 'net.c net.h '");
}

/* Two models in one program, and their bytes. */
static void single_files_go_together(void **state) {
  uint8_t want[OUTPUT_BYTES];
  write_as("c", "net", "pair");
  sh("pair", "rm -r rt net.c net.h");
  must(th_package_write(f.coded, "single-file", "net", "host", ROOT "/pair"));
  must(th_package_write(f.coded, "single-file", "other", "host", ROOT "/pair"));
  write_input("pair", want);
  sh("pair", "cc -std=c99 -O1 *.c -o run && ./run input.bin output.bin");
  check_output("pair", want);
}

static void cmake_library_is_installed_and_found(void **state) {
  uint8_t want[OUTPUT_BYTES];
  need_program("cmake");
  write_as("cmake", "net", "cmake");
  sh("cmake",
     "cmake -S . -B build -DCMAKE_INSTALL_PREFIX=$PWD/../installed -DCMAKE_C_FLAGS='-Wall -Wextra -Werror' && "
     "cmake --build build && ./build/net_example | grep -q '^output 2:' && cmake --install build");
  write_as("c", "net", "user"); /* for its main.c */
  sh("user", "rm -r rt net.c net.h");
  write_text("user/CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.16)\nproject(user C)\nfind_package(net REQUIRED)\n"
             "add_executable(run main.c)\ntarget_link_libraries(run PRIVATE net::net)\n");
  write_input("user", want);
  sh("user",
     "cmake -S . -B build -DCMAKE_PREFIX_PATH=$PWD/../installed && cmake --build build && "
     "./build/run input.bin output.bin");
  check_output("user", want);
}

/* What Arduino's builder does: every source of src/, with src as the only include folder. */
static void build_library(const char *dir) {
  static const char *const compilers[] = {"avr-gcc -mmcu=atmega2560", "arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb",
                                          "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb"};
  char command[400], program[60];
  for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
    snprintf(program, sizeof program, "%.*s", (int)strcspn(compilers[i], " "), compilers[i]);
    if (!th_process_available(program)) {
      print_message("not built with %s, which is not installed\n", program);
      continue;
    }
    snprintf(command, sizeof command,
             "mkdir -p objects && cd objects && %s -std=gnu11 -Os -Wall -Wextra -I../src -c $(find ../src -name '*.c') "
             "&& ls *.o",
             compilers[i]);
    sh(dir, command);
  }
}

static void arduino_library_builds(void **state) {
  write_as("arduino", "net", "arduino");
  build_library("arduino/net");
  sh("arduino/net",
     "for key in name version author maintainer sentence paragraph category url architectures; do "
     "grep -q \"^$key=.\" library.properties || { echo $key; exit 1; }; done");
  must(th_dir_create(ROOT "/arduino/core"));
  write_text(
      "arduino/core/Arduino.h",
      "#include <stdint.h>\nstruct serial { void begin(long); void print(int); void print(char); void print(unsigned "
      "long); void println(); void println(const char *); };\nextern serial Serial;\nunsigned long micros();\nvoid "
      "delay(unsigned long);\n");
  if (th_process_available("g++"))
    sh("arduino/net", "g++ -Wall -Wextra -Werror -x c++ -Isrc -I../core -fsyntax-only examples/net/net.ino");
}

/* The archive holds the files of the folder, below a folder of the library's name. */
static void arduino_archive_is_the_folder(void **state) {
  uint8_t *archive, *inside, *beside;
  size_t bytes, n, m;
  th_zip *zip;
  char path[300];
  write_as("arduino", "net", "arduino");
  must(th_file_read(f.arena, ROOT "/arduino/net.zip", 1 << 24, &archive, &bytes));
  must(th_zip_open(archive, bytes, "net.zip", &zip));
  assert_true(th_zip_find(zip, "net/library.properties") >= 0 && th_zip_find(zip, "net/src/net.h") >= 0 &&
              th_zip_find(zip, "net/examples/net/net.ino") >= 0);
  for (int i = 0; i < th_zip_count(zip); i++) {
    snprintf(path, sizeof path, "%s/arduino/%s", ROOT, th_zip_name(zip, i));
    must(th_zip_read(zip, i, f.arena, 1 << 24, &inside, &n));
    must(th_file_read(f.arena, path, 1 << 24, &beside, &m));
    assert_int_equal(n, m);
    assert_memory_equal(inside, beside, n);
  }
  snprintf(path, sizeof path, "test $(find net -type f | wc -l) = %d", th_zip_count(zip));
  sh("arduino", path);
  th_zip_close(zip);
  write_as("arduino", "net", "arduino"); /* again: the same bytes */
  must(th_file_read(f.arena, ROOT "/arduino/net.zip", 1 << 24, &inside, &n));
  assert_int_equal(n, bytes);
  assert_memory_equal(inside, archive, n);
}

static void platformio_library_has_the_same_sources(void **state) {
  uint8_t *text;
  size_t bytes;
  write_as("platformio", "net", "platformio");
  write_as("arduino", "net", "arduino"); /* whose sources are built above, in the same way */
  sh(".", "diff -r platformio/src arduino/net/src");
  must(th_file_read(f.arena, ROOT "/platformio/library.json", 1 << 20, &text, &bytes));
  th_json *json;
  must(th_json_parse((const char *)text, bytes, "library.json", &json));
  assert_string_equal(th_json_string(th_json_get(json, "name"), ""), "net");
  assert_string_equal(th_json_string(th_json_get(json, "headers"), ""), "net.h");
  th_json_free(json);
  sh("platformio",
     "test -f src/net.h && test -f examples/net/src/main.cpp && grep -q '^\\[env:' "
     "examples/net/platformio.ini");
}

#define CROSS(compiler)                                                                                     \
  "-DCMAKE_SYSTEM_NAME=Generic -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY -DCMAKE_C_COMPILER=" compiler \
  " -DCMAKE_C_FLAGS="

/* idf_component_register() makes a library of the component, as Espressif's project.cmake does; for the ESP32-C3's
 * core.
 */
static void esp_idf_component_builds(void **state) {
  need_program("cmake");
  need_program("riscv64-unknown-elf-gcc");
  write_as("esp-idf", "net", "esp");
  must(th_dir_create(ROOT "/esp-user"));
  write_text("esp-user/CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.16)\nproject(user C)\nfunction(idf_component_register)\n"
             "  cmake_parse_arguments(A \"\" \"\" \"SRCS;INCLUDE_DIRS;PRIV_INCLUDE_DIRS;REQUIRES\" ${ARGN})\n"
             "  if(A_UNPARSED_ARGUMENTS)\n    message(FATAL_ERROR \"${A_UNPARSED_ARGUMENTS}\")\n  endif()\n"
             "  add_library(component STATIC ${A_SRCS})\n"
             "  target_include_directories(component PUBLIC ${A_INCLUDE_DIRS} PRIVATE ${A_PRIV_INCLUDE_DIRS})\n"
             "endfunction()\nadd_subdirectory(../esp component)\n");
  sh("esp-user", "rm -rf build && cmake -S . -B build " CROSS(
                     "riscv64-unknown-elf-gcc") "'-march=rv32imc -mabi=ilp32 --specs=picolibc.specs -Wall -Wextra "
                                                "-Werror -Os' && cmake --build build && test -f "
                                                "build/component/libcomponent.a");
  sh("esp",
     "test -f idf_component.yml && test -f examples/net/main/main.c && grep -q 'override_path: \"../../..\"' "
     "examples/net/main/idf_component.yml && grep -q '^version: \"1.0.0\"' idf_component.yml");
}

static void zephyr_module_builds(void **state) {
  need_program("cmake");
  need_program("arm-none-eabi-gcc");
  write_as("zephyr", "net", "zephyr");
  must(th_dir_create(ROOT "/zephyr-user"));
  write_text("zephyr-user/CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.20)\nproject(user C)\nadd_library(zephyr_interface INTERFACE)\n"
             "macro(zephyr_library_named name)\n  set(current ${name})\n  add_library(${name} STATIC)\n"
             "  target_link_libraries(${name} PUBLIC zephyr_interface)\nendmacro()\n"
             "macro(zephyr_include_directories)\n  foreach(d ${ARGN})\n    target_include_directories(zephyr_interface "
             "INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/${d})\n  endforeach()\nendmacro()\n"
             "macro(zephyr_library_include_directories)\n  target_include_directories(${current} PRIVATE "
             "${ARGN})\nendmacro()\n"
             "macro(zephyr_library_sources)\n  target_sources(${current} PRIVATE ${ARGN})\nendmacro()\n"
             "add_subdirectory(../zephyr module)\n");
  sh("zephyr-user", "rm -rf build && cmake -S . -B build -DCONFIG_NET_MODEL=y " CROSS(
                        "arm-none-eabi-gcc") "'-mcpu=cortex-m4 -mthumb -Wall -Wextra -Werror -Os' && cmake --build build "
                                             "&& test -f build/module/libnet.a");
  sh("zephyr-user",
     "rm -rf off && cmake -S . -B off " CROSS("arm-none-eabi-gcc") "'' && ! test -f off/module/libnet.a");
  sh("zephyr",
     "test -f zephyr/module.yml && grep -q 'config NET_MODEL' Kconfig && grep -q CONFIG_NET_MODEL=y "
     "samples/net/prj.conf");
}

static int open_model(void **state) {
  return fixture_open(&f) == TH_OK ? 0 : -1;
}

static int close_model(void **state) {
  fixture_close(&f);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(command_line_offers_every_package),
      cmocka_unit_test(unknown_packages_are_refused),
      cmocka_unit_test(runtime_files_are_those_that_are_named),
      cmocka_unit_test(runtime_files_are_those_of_the_target),
      cmocka_unit_test(single_file_compiles_alone),
      cmocka_unit_test(single_files_go_together),
      cmocka_unit_test(cmake_library_is_installed_and_found),
      cmocka_unit_test(arduino_library_builds),
      cmocka_unit_test(arduino_archive_is_the_folder),
      cmocka_unit_test(platformio_library_has_the_same_sources),
      cmocka_unit_test(esp_idf_component_builds),
      cmocka_unit_test(zephyr_module_builds),
  };
  return cmocka_run_group_tests(tests, open_model, close_model);
}
