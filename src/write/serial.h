/* What a board without files of the host exchanges with it: a sample of input as an Intel HEX file for its EEPROM, and
 * lines on a serial port that the emulator prints.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_SERIAL_H
#define TH_WRITE_SERIAL_H

#include "base/bytes.h"

enum { TH_SERIAL_EEPROM_BYTES = 1024 };

/* Appends the text of the HEX file. TH_ERR_INPUT when the sample does not fit. */
th_status th_serial_input(const uint8_t *sample, size_t bytes, th_buf *hex);
/* Appends the bytes that `text` holds in hexadecimal between < and >. TH_ERR_CHECK when there is something else. */
th_status th_serial_output(const char *text, th_buf *bytes);

#endif
