/* What the two kinds of .thim files share in writing. Private to write/thim*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_THIM_PARTS_H
#define TH_WRITE_THIM_PARTS_H

#include "base/bytes.h"
#include "eval/lower.h"

/* 16 bytes; length and checksum come with th_thim_finish */
void th_thim_put_header(th_buf *out, uint8_t kind, uint8_t states);
th_status th_thim_finish(th_buf *out, size_t start); /* `start`: where the header was put */
void th_thim_put_varint(th_buf *out, uint32_t v);    /* 7 bits per byte, lowest first */
void th_thim_put_svarint(th_buf *out, int32_t v);    /* zigzag */

/* The error for a blob that thr_open refused with `status`, with the name of the first step it objects to. */
th_status th_thim_name_bad_step(const th_program *program, const void *blob, size_t bytes, thr_status status);

#endif
