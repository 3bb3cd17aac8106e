/* The table of coders, the round trip through the runtime's decoder, and the choice by measured bytes. See encode.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/encode.h"

#include <string.h>

#include "base/str.h"

typedef struct coder_row {
  const char *name;
  th_encode_fn *encode;
  thr_decode_fn *decode;
} coder_row;

static const coder_row coders[THR_CODER_COUNT] = {
#define THR_CODER(id, name, decode) {#name, th_encode_##name, decode},
#include "../../rt/decode/coders.def"
#undef THR_CODER
};

const char *th_coder_name(thr_coder coder) {
  return coder < THR_CODER_COUNT ? coders[coder].name : "unknown";
}

thr_coder th_coder_from_name(const char *name) {
  for (thr_coder c = 0; c < THR_CODER_COUNT; c++)
    if (th_str_eq(name, coders[c].name)) return c;
  return THR_CODER_COUNT;
}

thr_coder th_coder_of_decode(thr_decode_fn *decode) {
  for (thr_coder c = 0; c < THR_CODER_COUNT; c++)
    if (coders[c].decode == decode) return c;
  return THR_CODER_COUNT;
}

static uint32_t varint_bytes(uint32_t v) {
  uint32_t bytes = 1;
  while (v >>= 7) bytes++;
  return bytes;
}

uint32_t th_coded_bytes(const th_coded *c) {
  const uint32_t lengths = c->coder == THR_CODER_RAW ? 0 : varint_bytes(c->data_bytes) + varint_bytes(c->table_bytes);
  return 1 + lengths + c->data_bytes + c->table_bytes;
}

thr_weights th_coded_weights(const th_coded *c) {
  return (thr_weights){.data = c->data,
                       .table = c->table,
                       .bytes = c->data_bytes,
                       .table_bytes = (uint16_t)c->table_bytes,
                       .decode = coders[c->coder].decode,
                       .memory = thr_coder_memory(c->coder, c->table, c->table_bytes),
                       .dot = thr_coder_dot(c->coder)};
}

/* Decodes with the runtime and compares; in pieces, so that a stream's state between calls is exercised too. */
static th_status check_round_trip(const th_coded *coded, const int8_t *w, uint32_t n) {
  const thr_weights weights = th_coded_weights(coded);
  thr_stream stream;
  int8_t piece[251], memory[THR_STREAM_MEMORY];
  thr_stream_begin(&stream, &weights, memory);
  for (uint32_t done = 0; done < n;) {
    const uint32_t count = n - done < sizeof piece ? n - done : (uint32_t)sizeof piece;
    weights.decode(&stream, piece, count);
    if (memcmp(piece, w + done, count) != 0)
      return th_fail(TH_ERR_INTERNAL, "coder %s: the decoder differs from the weights near element %u of %u",
                     th_coder_name(coded->coder), done, n);
    done += count;
  }
  return TH_OK;
}

static th_status keep(th_arena *arena, thr_coder coder, const th_buf *data, const th_buf *table, th_coded *coded) {
  TH_TRY(th_buf_status(data));
  TH_TRY(th_buf_status(table));
  *coded = (th_coded){.coder = coder,
                      .data = th_arena_copy(arena, data->size ? data->data : table->data, data->size),
                      .table = th_arena_copy(arena, table->data, table->size),
                      .data_bytes = (uint32_t)data->size,
                      .table_bytes = (uint32_t)table->size};
  if (!coded->data || !coded->table) return th_fail(TH_ERR_RESOURCE, "out of memory for coded weights");
  return TH_OK;
}

th_status th_encode_one(th_arena *arena, thr_coder coder, const int8_t *w, uint32_t n, const th_weight_form *form,
                        bool *possible, th_coded *coded) {
  static const th_weight_form unknown = {0};
  th_buf data = {0}, table = {0};
  th_coded result;
  th_status status = TH_OK;
  if (coder == THR_CODER_RAW) {
    *coded = (th_coded){.coder = coder, .data = (const uint8_t *)w, .data_bytes = n};
    *possible = true;
    return TH_OK;
  }
  const bool clean = th_error_status() == TH_OK;
  *possible =
      n < 1u << 28 && coders[coder].encode(w, n, form ? form : &unknown, &data, &table) && table.size <= UINT16_MAX;
  if (clean) status = th_error_status(); /* out of memory, as opposed to "not this tensor" */
  if (*possible && status == TH_OK) status = keep(arena, coder, &data, &table, &result);
  if (*possible && status == TH_OK) status = check_round_trip(&result, w, n);
  if (*possible && status == TH_OK) *coded = result;
  th_buf_free(&data);
  th_buf_free(&table);
  return status;
}

th_status th_encode_best(th_arena *arena, const th_encode_options *options, const int8_t *w, uint32_t n,
                         const th_weight_form *form, th_coded *coded) {
  const uint32_t allowed = options && options->coders ? options->coders : TH_CODERS_FAST;
  bool possible;
  TH_TRY(th_encode_one(arena, THR_CODER_RAW, w, n, form, &possible, coded));
  uint32_t to_beat = th_coded_bytes(coded);
  const uint32_t gain = options ? options->min_gain_bytes : 0;
  to_beat = to_beat > gain ? to_beat - gain : 0;
  for (thr_coder c = THR_CODER_RAW + 1; c < THR_CODER_COUNT; c++) {
    th_coded trial;
    if (!(allowed >> c & 1)) continue;
    TH_TRY(th_encode_one(arena, c, w, n, form, &possible, &trial));
    if (!possible || th_coded_bytes(&trial) >= to_beat) continue;
    *coded = trial;
    to_beat = th_coded_bytes(&trial);
  }
  return TH_OK;
}
