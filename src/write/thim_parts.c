/* Header, checksum and small numbers of .thim files. See thim_parts.h. SPDX-License-Identifier: Apache-2.0 */
#include "write/thim_parts.h"

#include <zlib.h>

#include "../../rt/core/parse.h"

void th_thim_put_header(th_buf *out, uint8_t kind, uint8_t states) {
  th_buf_append(out, "THIM", 4);
  th_buf_u8(out, THR_VERSION);
  th_buf_u8(out, kind);
  th_buf_u8(out, states);
  th_buf_zeros(out, 9);
}

th_status th_thim_finish(th_buf *out, size_t start) {
  TH_TRY(th_buf_status(out));
  const size_t bytes = out->size - start;
  if (bytes > INT32_MAX) return th_fail(TH_ERR_INPUT, "a .thim file holds at most 2 GiB, this one needs %zu", bytes);
  const uLong crc = crc32(0, out->data + start + THR_HEADER_BYTES, (uInt)(bytes - THR_HEADER_BYTES));
  th_buf_set_u32(out, start + 8, (uint32_t)bytes);
  th_buf_set_u32(out, start + 12, (uint32_t)crc);
  return TH_OK;
}

void th_thim_put_varint(th_buf *out, uint32_t v) {
  for (; v > 127; v >>= 7) th_buf_u8(out, (uint8_t)(v | 128));
  th_buf_u8(out, (uint8_t)v);
}

void th_thim_put_svarint(th_buf *out, int32_t v) {
  th_thim_put_varint(out, (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0u));
}

th_status th_thim_name_bad_step(const th_program *program, const void *blob, size_t bytes, thr_status status) {
  thr_model m = {.blob = blob, .blob_bytes = (uint32_t)bytes, .arena_bytes = program->arena_bytes};
  thr_cursor c = {m.blob + THR_PROGRAM_BYTES, m.blob + bytes, 0};
  thr_io_info info;
  uint32_t offset;
  m.mult = (const int32_t *)(const void *)c.at;
  m.mults = thr_load_u32(m.blob + 24);
  c.at += 4 * (size_t)m.mults;
  for (int i = 0; i < program->n_inputs + program->n_outputs; i++) {
    if (thr_io_parse(&c, &info, &offset) != THR_OK || offset + (uint64_t)info.bytes > m.arena_bytes)
      return th_fail(TH_ERR_INPUT, "input or output %d of the program does not fit a .thim file", i);
  }
  thr_initial state;
  for (int i = 0; i < m.blob[6]; i++)
    if (thr_state_parse(&c, &state) != THR_OK) break;
  for (int i = 0; i < program->n_steps; i++) {
    thr_parsed_step parsed;
    if (thr_step_parse(&m, &c, &parsed) != THR_OK || thr_step_check(&m, &parsed) != THR_OK)
      return th_fail(TH_ERR_INPUT, "%s: its parameters are outside the ranges of the runtime", program->steps[i].name);
  }
  return th_fail(TH_ERR_INTERNAL, "the runtime refuses the program just written: %s", thr_status_text(status));
}
