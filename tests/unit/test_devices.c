/* The rows of devices.def against targets.def, names whatever their spelling, and needs against sizes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib/devices.h"
#include "write/targets.h"

static void test_rows_are_sound(void **state) {
  (void)state;
  const th_device *d;
  int n = 0;
  for (; (d = th_device_list(n)) != NULL; n++) {
    assert_ptr_equal(th_device_find(d->name), d); /* no two of one name */
    assert_in_range(d->flash_bytes, 8 * 1024, 16 * 1024 * 1024);
    assert_in_range(d->ram_bytes, 1024, 8 * 1024 * 1024);
    assert_in_range(d->clock_hz, 8 * 1000 * 1000, 1000 * 1000 * 1000);
    assert_true(*d->part && *d->core && *d->source);
    if (*d->target)
      assert_false(th_target_is_host(th_target_find(d->target)));
    else
      assert_true(*d->note); /* why */
  }
  assert_true(n >= 35);
}

static void test_names(void **state) {
  (void)state;
  assert_string_equal(th_device_find("ESP32_C3")->name, "esp32-c3");
  assert_string_equal(th_device_find("nRF52840")->name, "nrf52840");
  assert_null(th_device_find(""));
  assert_null(th_device_find("---"));
  th_error_clear();
  char longest[300];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  assert_null(th_device_find(longest));
  th_error_clear();
}

static void test_settings_keep_device_and_target_together(void **state) {
  (void)state;
  th_settings *s, *copy;
  assert_int_equal(th_settings_create("compile", &s), TH_OK);
  assert_null(th_device_of(s));
  assert_int_equal(th_settings_set(s, "device", "RP2040"), TH_OK);
  assert_string_equal(th_settings_text(s, "target"), "cortex-m0plus");
  assert_int_equal(th_settings_set(s, "target", "cortex-m7"), TH_ERR_INPUT);
  th_error_clear();
  assert_string_equal(th_settings_text(s, "target"), "cortex-m0plus");
  assert_int_equal(th_settings_set(s, "device", "nrf52840"), TH_ERR_INPUT); /* the target is said */
  th_error_clear();
  assert_int_equal(th_settings_copy(s, &copy), TH_OK);
  assert_string_equal(th_device_of(copy)->name, "rp2040");
  assert_int_equal(th_settings_set(s, "device", ""), TH_OK);
  assert_int_equal(th_settings_set(s, "target", "cortex-m7"), TH_OK);
  th_settings_free(copy);
  th_settings_free(s);
}

static void test_needs(void **state) {
  (void)state;
  const th_device *d = th_device_find("stm32f030r8");
  const th_needs exact = {64 * 1024, 8 * 1024, false}, flash = {64 * 1024 + 1, 1, true}, ram = {1, 8 * 1024 + 1, false};
  assert_int_equal(th_needs_check(&exact, d, ""), TH_OK);
  assert_int_equal(th_needs_check(&flash, d, "; less"), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "needs at least 65,537 bytes of flash, and it has 65,536"));
  assert_null(strstr(th_error_message(), "less"));
  th_error_clear();
  assert_int_equal(th_needs_check(&ram, d, "; less"), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "needs 8,193 bytes of RAM, and it has 8,192; less"));
  th_error_clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_are_sound),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_settings_keep_device_and_target_together),
      cmocka_unit_test(test_needs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
