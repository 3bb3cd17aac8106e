/* Thimble runtime: open a .thim blob and run it. This header is the whole interface of the interpreter; generated C
 * code calls the kernels of thr_kernels.h directly.
 *
 *   thr_model m;
 *   if (thr_open(&m, blob, blob_bytes) != THR_OK) ...        blob may stay in flash; it is checked once, here
 *   static uint8_t arena[...];                               at least thr_arena_bytes(&m), 4-byte aligned
 *   thr_reset(&m, arena);                                    once, and whenever a new sequence begins
 *   memcpy(thr_input(&m, arena, 0), pixels, thr_input_info(&m, 0).bytes);
 *   thr_run(&m, arena);
 *   const int8_t *scores = thr_output(&m, arena, 0);
 *
 * No heap, no globals, no recursion. After thr_open() has accepted a blob, thr_run() cannot fail and cannot touch
 * memory outside the arena and the blob. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_H
#define THR_H

#include <stddef.h>
#include <stdint.h>

#include "thr_kernels.h"

typedef enum thr_status {
  THR_OK = 0,
  THR_ERR_MAGIC,     /* not a .thim file */
  THR_ERR_VERSION,   /* of another version */
  THR_ERR_LENGTH,    /* shorter or longer than its header says */
  THR_ERR_CHECKSUM,  /* damaged */
  THR_ERR_MALFORMED, /* an offset, size or parameter is out of range */
  THR_ERR_KERNEL,    /* needs a kernel that this runtime does not have */
  THR_ERR_ALIGNMENT, /* blob is not 4-byte aligned */
  THR_ERR_SIGNATURE, /* not signed, or not by who should have */
  THR_ERR_REVISION   /* signed, but older than what is wanted */
} thr_status;

typedef struct thr_io_info {
  uint32_t bytes;
  uint8_t dtype; /* THR_DTYPE_* */
  uint8_t rank;
  int32_t dim[6];
  float scale; /* real = scale * (q - zero) */
  int32_t zero;
} thr_io_info;

typedef struct thr_model { /* set by thr_open; plain data, may be copied */
  const uint8_t *blob;
  const int32_t *mult; /* requantization multipliers of all steps */
  uint32_t blob_bytes, arena_bytes, mults;
  uint32_t io_at, steps_at; /* where these parts of the blob begin */
  uint32_t states_at;
  uint16_t steps, inputs, outputs, states;
} thr_model;

/* `blob` must stay valid and be 4-byte aligned; multipliers are read in place, so the machine must be little-endian. */
thr_status thr_open(thr_model *model, const void *blob, size_t blob_bytes);

/* Programs received over the air: a signature is checked before anything else in the file is believed. The runtime has
 * no cryptography; `verify` calls whatever the firmware links. Returns nonzero when `signature` is that of the message;
 * must not trust any length but these. */
typedef int thr_verify_fn(void *user, const uint8_t *message, size_t message_bytes, const uint8_t *signature,
                          size_t signature_bytes);
enum { THR_SCHEME_ED25519 = 1 }; /* RFC 8032, 64 bytes; 128 to 255 are for schemes of one's own */
typedef struct thr_signer {
  thr_verify_fn *verify;
  void *user;        /* for verify: the public key, say */
  uint32_t revision; /* files of an older one are refused, so that nobody can bring back an old program */
  uint8_t scheme;    /* what the file must be signed with */
} thr_signer;
/* thr_open() of a signed file (docs/format.md, "Signed programs"). model->blob is its begin. */
thr_status thr_open_signed(thr_model *model, const void *file, size_t file_bytes, const thr_signer *signer);
uint32_t thr_signed_revision(const thr_model *model); /* of a model that thr_open_signed has opened */

uint32_t thr_arena_bytes(const thr_model *model); /* tensors and scratch */
void thr_run(const thr_model *model, void *arena);
/* Gives variables, which keep their values from run to run, their initial ones. Nothing to do without variables. */
void thr_reset(const thr_model *model, void *arena);
/* One operator, for per-layer comparison. Operators that run as a chain, line by line, all run as the chain's last. */
void thr_run_step(const thr_model *model, void *arena, uint16_t step);
/* NULL, and an info of zeros, when there is no input or output `i`. */
void *thr_input(const thr_model *model, void *arena, uint16_t i);
const void *thr_output(const thr_model *model, const void *arena, uint16_t i);
thr_io_info thr_input_info(const thr_model *model, uint16_t i);
thr_io_info thr_output_info(const thr_model *model, uint16_t i);
const char *thr_status_text(thr_status status);

/* One operator ready to run: what the interpreter decodes from a blob, what the host's evaluator builds from a graph.
 */
typedef enum thr_kernel_id {
  THR_KERNEL_NONE,
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) THR_KERNEL_##id,
#include "../kernel/kernels.def"
#undef THR_KERNEL
  THR_KERNEL_COUNT
} thr_kernel_id;

typedef struct thr_step {
  thr_kernel_id kernel;
  union {
    thr_conv2d_params conv2d;
    thr_fully_connected_params fully_connected;
    thr_pool2d_params pool2d;
    thr_elementwise_params elementwise;
    thr_softmax_params softmax;
    thr_unary_params unary;
    thr_mean_params mean;
    thr_copy_params copy;
    thr_pad_params pad;
    thr_quantize_params quantize;
    thr_lookup_params lookup;
    thr_argmax_params argmax;
    thr_l2_normalization_params l2_normalization;
    thr_log_softmax_params log_softmax;
    thr_strided_copy_params strided_copy;
    thr_resize_nearest_params resize_nearest;
    thr_resize_bilinear_params resize_bilinear;
    thr_batch_matmul_params batch_matmul;
    thr_requantize_params requantize;
    thr_svdf_params svdf;
    thr_lstm_params lstm;
  } p;
} thr_step;

enum { THR_STEP_INPUTS = 4 }; /* at most, of one step */

/* `in` has an entry for each input of the kernel. */
void thr_step_run(const thr_step *step, const void *const *in, void *out, void *scratch);
uint32_t thr_step_scratch_bytes(const thr_step *step);

#endif
