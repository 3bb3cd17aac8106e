/* The rows of targets.def: each target is a choice of `compile --target` and belongs to a family that can start it; the
 * command lines are those of the emulators' manuals; and a linked file that is none is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "thimble/thimble.h"
#include "write/firmware.h"
#include "write/targets.h"

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

static void every_target_can_be_chosen(void **state) {
  th_settings *s;
  const th_target *t;
  int n = 0;
  must(th_settings_create("compile", &s));
  for (; (t = th_target_list(n)) != NULL; n++) {
    must(th_settings_set(s, "target", t->name));
    const th_family *f = th_target_family(t);
    assert_string_equal(f->name, t->family);
    assert_true(*f->compiler && *f->folders);
    assert_true(th_target_is_host(t) || (*t->machine && t->hertz > 0 && *f->unit));
  }
  assert_true(n >= 8);
  th_settings_free(s);
}

static void commands_are_those_of_the_manuals(void **state) {
  th_arena *arena = th_arena_create();
  const th_target *m4 = th_target_find("cortex-m4"), *avr = th_target_find("avr");
  assert_string_equal(
      th_target_command(m4, "x.elf", true, arena),
      "qemu-system-arm -nographic -monitor none -serial none -semihosting-config enable=on,target=native -M "
      "mps2-an386 -kernel x.elf -icount shift=0");
  assert_null(strstr(th_target_command(m4, "x.elf", false, arena), "icount"));
  assert_string_equal(th_target_command(avr, "x.elf", true, arena), "simavr -m atmega328p -f 16000000 x.elf input.hex");
  assert_true(th_target_has_files(m4) && !th_target_has_files(avr));
  th_arena_destroy(arena);
}

static void what_is_no_linked_file_is_refused(void **state) {
  static const struct {
    const char *bytes;
    size_t n;
  } files[] = {{"", 0},
               {"\177ELF\1\1", 6},
               {"\177ELF\2\1 a file of 64 bits, or something else that is long enough", 60},
               /* a table of 3 sections, far behind the end */
               {"\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\50\0\1\0\0\0\0\0\0\0\0\0\0\0\377\377\377\177\0\0\0\0\64\0\0\0\0\0"
                "\50\0\3\0\2\0",
                52}};
  th_arena *arena = th_arena_create();
  const char *path = THIMBLE_BINARY_DIR "/test_targets.elf";
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    th_firmware_result r = {0};
    must(th_file_write(path, files[i].bytes, files[i].n));
    assert_int_equal(th_firmware_sizes(arena, path, THIMBLE_BINARY_DIR, &r), TH_ERR_INPUT);
    assert_non_null(strstr(th_error_message(), "test_targets.elf"));
    th_error_clear();
  }
  th_arena_destroy(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_target_can_be_chosen),
      cmocka_unit_test(commands_are_those_of_the_manuals),
      cmocka_unit_test(what_is_no_linked_file_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
