/* Bytes of a file: one bounds-checked cursor for reading, one growing buffer for writing. Little-endian.
 *
 * A reader never passes its end: a read that would sets `failed`, records the error with the byte offset, and yields
 * zeros from then on, so a parser may read a whole record and test once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_BYTES_H
#define TH_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct th_reader {
  const uint8_t *data;
  size_t size, pos;
  const char *what; /* what is being read, for messages: "model.tflite" */
  bool failed;
} th_reader;

th_reader th_reader_init(const void *data, size_t size, const char *what);
size_t th_reader_left(const th_reader *r);
bool th_reader_seek(th_reader *r, size_t pos);
const uint8_t *th_reader_take(th_reader *r, size_t n); /* NULL (and failed) when fewer than n bytes remain */
uint8_t th_reader_u8(th_reader *r);
uint16_t th_reader_u16(th_reader *r);
uint32_t th_reader_u32(th_reader *r);
uint64_t th_reader_u64(th_reader *r);
uint16_t th_reader_u16be(th_reader *r);
uint32_t th_reader_u32be(th_reader *r);
float th_reader_f32(th_reader *r);
th_status th_reader_status(const th_reader *r); /* TH_OK or TH_ERR_INPUT */

typedef struct th_buf {
  uint8_t *data;
  size_t size, capacity;
  bool failed; /* out of memory; later appends are ignored */
} th_buf;

void th_buf_free(th_buf *b);
void th_buf_append(th_buf *b, const void *data, size_t n);
void th_buf_zeros(th_buf *b, size_t n);
void th_buf_align(th_buf *b, size_t alignment); /* pads with zeros */
void th_buf_u8(th_buf *b, uint8_t v);
void th_buf_u16(th_buf *b, uint16_t v);
void th_buf_u32(th_buf *b, uint32_t v);
void th_buf_u64(th_buf *b, uint64_t v);
void th_buf_f32(th_buf *b, float v);
void th_buf_set_u32(th_buf *b, size_t pos, uint32_t v);
void th_buf_printf(th_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* text, no NUL stored */
th_status th_buf_status(const th_buf *b);
const char *th_buf_cstr(th_buf *b); /* NUL-terminates (not counted in size); "" when empty */

#endif
