/* From a step record of a blob to a step that can run, and the checks that make running it safe. Internal to rt/core
 * and the host's reader of .thim files. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_PARSE_H
#define THR_PARSE_H

#include "cursor.h"
#include "thr.h"
#include "thr_rows.h"

typedef struct thr_operand {
  const void *data; /* constant inside the blob, `offset` is its size; NULL: in the arena at `offset` */
  uint32_t offset;
} thr_operand;

typedef struct thr_parsed_step {
  thr_step step;
  thr_operand in[THR_STEP_INPUTS];
  uint32_t inputs, out, scratch; /* arena offsets */
  uint32_t pairs;                /* of multiplier and shift */
  thr_coder coder;
  uint8_t weighted; /* step has weights, bias, requant */
  uint8_t chained;  /* a stage of a chain (thr_rows.h), of which `left` more follow; then the rest counts too */
  uint8_t left;
  uint16_t rows, kept;                /* lines of the output */
  uint8_t from[THR_STAGE_INPUTS];     /* 1 + the stage of the chain that makes the input; 0: complete before */
  uint16_t in_kept[THR_STAGE_INPUTS]; /* lines of it that exist, when a stage makes it */
} thr_parsed_step;

/* Bit of the kernel's number that marks a stage. */
enum { THR_CHAINED = 128 };

/* The 0 to 3 zero bytes before a constant operand that begins `at` bytes into the blob, so that its elements are
 * aligned.
 */
static inline uint32_t thr_operand_padding(uint32_t elem_bytes, size_t at) {
  return elem_bytes > 1 ? (uint32_t)(-at & (elem_bytes - 1u)) : 0;
}

/* The bytes that a bias of width code 0 to 3 takes per row: 0, 1, 2, 4; with 16-bit inputs 0, 2, 4, 8. */
static inline uint32_t thr_bias_width(uint32_t code, uint32_t in_type) {
  const uint32_t bytes = code == 3u ? 4u : code;
  return in_type == THR_DTYPE_S16 && code > 0 ? code == 1u ? 2u : 2u * bytes : bytes;
}

/* Weight rows (one per output channel) and elements per row; 0 and 0 when the step has no weights or no sane geometry.
 */
void thr_step_weight_rows(const thr_step *step, uint32_t *rows, uint32_t *row_elems);
int thr_step_is_depthwise(const thr_step *step);
int thr_step_has_acc64(const thr_step *step);
thr_weights *thr_step_weights(thr_step *step); /* NULL when it has none; likewise the next two */
/* Bytes of scratch that the step's coded weights take: what is decoded at once and the stream's memory. */
uint32_t thr_step_decode_bytes(const thr_step *step);
/* The same of a stage of a chain, whose weights are decoded all at once. */
uint64_t thr_step_unpack_bytes(const thr_step *step);
/* Gives up the memory that a coder can do without where it would take decode_bytes above THR_DECODE_MOST. */
void thr_step_fit_memory(thr_step *step);
thr_bias *thr_step_bias(thr_step *step);
thr_requant *thr_step_requant(thr_step *step);

/* The form byte of coded channels; as a plain form it would be no bias, shifted. */
enum { THR_CODED_CHANNELS = 124 };
int thr_kernel_decodes_channels(thr_kernel_id kernel); /* whether it takes them */

/* Reads one record and moves the cursor behind it. Safe on any bytes; the step may be run only if thr_step_check
 * agrees. */
thr_status thr_step_parse(const thr_model *model, thr_cursor *cursor, thr_parsed_step *parsed);

/* THR_ERR_MALFORMED unless every parameter is in the range its kernel is defined for and everything it will read and
 * write lies in the arena, outside its own output, or in the blob. */
thr_status thr_step_check(const thr_model *model, const thr_parsed_step *parsed);

/* A variable: its place, and the bytes or the one byte repeated that it begins with. */
typedef struct thr_initial {
  uint32_t offset, bytes;
  const uint8_t *data; /* NULL: `fill` */
  uint8_t fill;
} thr_initial;
thr_status thr_state_parse(thr_cursor *cursor, thr_initial *state);

/* Finds input or output `i`; cursor positions as in docs/format.md. */
thr_status thr_io_parse(thr_cursor *cursor, thr_io_info *info, uint32_t *offset);

uint32_t thr_crc32(const uint8_t *data, size_t n); /* of PNG, zlib: reflected 0x04C11DB7 */

/* Parts of a blob. */
enum { THR_HEADER_BYTES = 16, THR_PROGRAM_BYTES = 28 };
enum { THR_KIND_PROGRAM = 1, THR_KIND_GRAPH = 2 };
enum { THR_VERSION = 1 };
thr_status thr_header_check(const uint8_t *blob, size_t bytes, uint8_t kind);

#endif
