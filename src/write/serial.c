/* See serial.h. A HEX file has a record a line: length, address, type, data, and the sum that makes all of it 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/serial.h"

#include <stdio.h>
#include <string.h>

enum { DATA = 0, END = 1, HIGH_ADDRESS = 4, PER_RECORD = 32 };

static void add_record(th_buf *hex, uint8_t type, uint16_t address, const uint8_t *data, size_t n) {
  unsigned sum = (unsigned)n + (address >> 8) + (address & 255u) + type;
  th_buf_printf(hex, ":%02X%04X%02X", (unsigned)n, (unsigned)address, (unsigned)type);
  for (size_t i = 0; i < n; i++) {
    th_buf_printf(hex, "%02X", data[i]);
    sum += data[i];
  }
  th_buf_printf(hex, "%02X\n", (0u - sum) & 255u);
}

th_status th_serial_input(const uint8_t *sample, size_t bytes, th_buf *hex) {
  static const uint8_t eeprom[] = {0x00, 0x81}; /* where the tools for AVR place the EEPROM: 0x810000 */
  if (bytes > TH_SERIAL_EEPROM_BYTES)
    return th_fail(TH_ERR_INPUT,
                   "an input of %zu bytes does not fit into the EEPROM of %d, which brings it to the board", bytes,
                   TH_SERIAL_EEPROM_BYTES);
  add_record(hex, HIGH_ADDRESS, 0, eeprom, sizeof eeprom);
  for (size_t at = 0; at < bytes; at += PER_RECORD)
    add_record(hex, DATA, (uint16_t)at, sample + at, bytes - at < PER_RECORD ? bytes - at : PER_RECORD);
  add_record(hex, END, 0, NULL, 0);
  return th_buf_status(hex);
}

th_status th_serial_output(const char *text, th_buf *bytes) {
  while ((text = strchr(text, '<')) != NULL) {
    unsigned byte;
    for (text++; *text != '>'; text += 2) {
      if (strspn(text, "0123456789abcdef") < 2 || sscanf(text, "%2x", &byte) != 1)
        return th_fail(TH_ERR_CHECK, "the board's serial port sent \"%.40s\" for outputs", text);
      th_buf_u8(bytes, (uint8_t)byte);
    }
  }
  return th_buf_status(bytes);
}
