/* Weights as a kernel sees them: a stream of int8 values in storage order, raw or coded.
 *
 * Storage order is one row per output channel: conv2d (oc, ky, kx, ic / groups), depthwise (oc, ky, kx), fully
 * connected (o, i). A raw tensor is read in place. A coded one is decoded by its `decode` function, forwards only, a
 * row or a part of a row at a time, into scratch of bounded size; the whole tensor never exists in RAM (but for layers
 * that run line by line, thr_rows.h, where there is room). The function
 * pointer is set by whoever builds the struct, so a firmware links only the decoders that its own tables name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_WEIGHTS_H
#define THR_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define THR_ALWAYS_INLINE static inline __attribute__((always_inline)) /* loops that differ by a constant argument */
#else
#define THR_ALWAYS_INLINE static inline
#endif

struct thr_weights;

/* Position in a coded stream. Plain data; no pointer into itself. */
typedef struct thr_stream {
  const struct thr_weights *weights;
  uint32_t bit;   /* next bit of weights->data */
  uint32_t run;   /* zeros still to deliver (gap coders) */
  uint32_t value; /* gap coders: pending value after the run, with bit 8 set; else 0 */
  /* range coders: `run` weights are delivered, `value` lies within `range`, the weights' deviations have this mean;
   * huffman, gap_huffman: range is 1 when the tables in `memory` are there */
  uint32_t range, mean;
  int8_t *memory; /* weights->memory bytes */
} thr_stream;

/* Writes the next `count` weights. Never reads outside weights->data[0..bytes) and weights->table[0..table_bytes),
 * whatever they hold: past the end a stream delivers zeros. */
typedef void thr_decode_fn(thr_stream *stream, int8_t *out, uint32_t count);

/* acc + the sum of (x[i] - zero) * (the i-th of the next `n` weights), without work for weights that are zero. Leaves
 * the stream where decoding n weights would. */
typedef int32_t thr_dot_fn(thr_stream *stream, const int8_t *x, uint32_t n, int32_t zero, int32_t acc);

#define THR_STREAM_MEMORY 256

typedef struct thr_weights {
  const uint8_t *data;  /* raw: int8 values; coded: bit stream */
  const uint8_t *table; /* coder's table: code lengths, symbols, codebook; NULL for raw */
  uint32_t bytes;       /* of data */
  uint16_t table_bytes;
  thr_decode_fn *decode; /* NULL: raw */
  uint16_t memory;       /* bytes that a stream of these weights keeps between calls: at most the number above */
  thr_dot_fn *dot;       /* for kernels that use a weight once; or NULL: decode and multiply */
  uint16_t room; /* bytes of scratch, 4-byte aligned, in which the kernel may arrange rows; set by compilers only */
} thr_weights;

/* `memory`: weights->memory bytes that the stream may use as long as it lives. */
void thr_stream_begin(thr_stream *stream, const thr_weights *weights, void *memory);

/* Decodes all `count` of them to `to`, behind which the stream has its memory. */
void thr_unpack(const thr_weights *weights, uint32_t count, int8_t *to);

/* Bit formats: docs/format.md, "Weight coders". */
thr_decode_fn thr_decode_bitpack;     /* fixed-width indices into a codebook */
thr_decode_fn thr_decode_huffman;     /* canonical, length-limited codes of values */
thr_decode_fn thr_decode_gap_huffman; /* pairs of gap and value codes: sparse tensors */
thr_decode_fn thr_decode_range;       /* a range coder: smallest of dense weights, some hundred instructions each */
thr_decode_fn thr_decode_context;     /* a range coder that learns: smallest of sparse weights, slower still */

typedef enum thr_coder {
#define THR_CODER(id, name, decode) THR_CODER_##id,
#include "../decode/coders.def"
#undef THR_CODER
  THR_CODER_COUNT
} thr_coder;

thr_dot_fn thr_dot_gap_huffman;

thr_decode_fn *thr_coder_decode(thr_coder coder); /* NULL for raw and for unknown numbers */
thr_dot_fn *thr_coder_dot(thr_coder coder);       /* or NULL */

/* thr_weights.memory of weights with this table. Those of huffman and gap_huffman may be 0 instead: then decoding needs
 * no memory and takes three times as long. */
uint16_t thr_coder_memory(thr_coder coder, const uint8_t *table, uint32_t table_bytes);

#endif
