/* Weight coders: int8 weights in storage order -> bit stream + table that rt/decode reads back.
 *
 * One file per coder, one row per coder in rt/decode/coders.def. The choice between them is made by measured bytes,
 * tables and descriptor included, and nothing is accepted before the runtime's own decoder has given the weights back.
 * Bit formats: docs/format.md. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_ENCODE_H
#define TH_ENCODE_ENCODE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "thr_weights.h"

#define TH_CODERS_ALL UINT32_MAX
#define TH_CODER_SETS (1u << THR_CODER_COUNT) /* a set of coders: bit c stands for coder c of coders.def */
/* Those that decode a weight in tens of instructions, not hundreds. */
#define TH_CODERS_FAST (~(1u << THR_CODER_RANGE | 1u << THR_CODER_CONTEXT))

/* How a tensor's rows are made up, for coders that make use of it; 0: not known. */
typedef struct th_weight_form {
  uint32_t row;         /* elements of a row */
  uint32_t depth, line; /* elements of a tap, taps of a line of the kernel */
} th_weight_form;

typedef struct th_encode_options {
  uint32_t coders;    /* bit c set: coder c of coders.def may be used; 0 = TH_CODERS_FAST. Raw is always allowed. */
  bool code_channels; /* biases and multipliers too, where that is smaller; they are decoded row by row */
  /* For a firmware: the bytes that the decoders of each of the TH_CODER_SETS take, which a set must save; NULL: none.
   */
  const uint32_t *decoders;
  bool quick; /* rows so long that their decoder would go without its memory, three times as slow, stay raw */
  uint32_t min_gain_bytes; /* a coder must beat raw by more than this (a decoder in the firmware is not free) */
} th_encode_options;

typedef struct th_coded { /* arrays belong to the arena, or for raw to the caller */
  thr_coder coder;
  const uint8_t *data, *table; /* table NULL for raw */
  uint32_t data_bytes, table_bytes;
} th_coded;

const char *th_coder_name(thr_coder coder);          /* "gap_huffman" */
thr_coder th_coder_from_name(const char *name);      /* THR_CODER_COUNT when unknown */
thr_coder th_coder_of_decode(thr_decode_fn *decode); /* THR_CODER_RAW for NULL */

/* Bytes in a file: data, table and the descriptor (coder number and lengths). */
uint32_t th_coded_bytes(const th_coded *coded);

/* Codes w[0..n) with one coder; `form` may be NULL. *possible is false when the coder cannot express this tensor (too
 * many distinct values, no survivors, ...); then `coded` is untouched. TH_ERR_INTERNAL if the decoder does not give w
 * back. */
th_status th_encode_one(th_arena *arena, thr_coder coder, const int8_t *w, uint32_t n, const th_weight_form *form,
                        bool *possible, th_coded *coded);

/* The allowed coder with the fewest th_coded_bytes; the earlier row of coders.def wins a tie. `options` may be NULL. */
th_status th_encode_best(th_arena *arena, const th_encode_options *options, const int8_t *w, uint32_t n,
                         const th_weight_form *form, th_coded *coded);

/* The weights struct that the kernels read. */
thr_weights th_coded_weights(const th_coded *coded);

/* What it takes for each weight to be zero, and to be there (its value apart), by the weights around it as coder
 * `context` sees them; in bits, by the shares in the whole tensor. */
typedef struct th_context_prices th_context_prices;
th_status th_context_prices_create(const int8_t *w, uint32_t n, const th_weight_form *form, th_context_prices **prices);
void th_context_prices_update(th_context_prices *prices, const int8_t *w); /* other values of the same tensor */
float th_context_price(const th_context_prices *prices, uint32_t at, bool there);
void th_context_prices_destroy(th_context_prices *prices); /* accepts NULL */

/* --- one per coder: appends stream and table. Returns false when the coder cannot express the tensor. --- */
typedef bool th_encode_fn(const int8_t *w, uint32_t n, const th_weight_form *form, th_buf *data, th_buf *table);
th_encode_fn th_encode_raw, th_encode_bitpack, th_encode_huffman, th_encode_gap_huffman, th_encode_range,
    th_encode_context;

#endif
