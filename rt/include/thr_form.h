/* Forms: kernels for compiled models whose weights were arranged offline for one kind of processor.
 *
 * A form of a kernel has three functions. `need` says whether it can run a step and what memory that takes; `pack`
 * makes one table of everything the step holds as constants: weights, biases, multipliers; the third computes the step
 * from that table. The result equals the kernel's bit for bit. A firmware contains only the third: need and pack stand
 * in a file of their own (rt/kernel/FOLDER/STEM_pack.c) and run on the host, so the tables are little-endian.
 *
 * In a firmware the parameters hold geometry and ranges; weights, bias and requant are empty there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FORM_H
#define THR_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "thr_kernels.h"

typedef struct thr_need {
  size_t packed_bytes, scratch_bytes; /* of variants for the host: scratch of all samples together */
} thr_need;

typedef enum thr_form_id {
  THR_FORM_NONE,
#define THR_FORM(id, name, kernel, params, folder) THR_FORM_##id,
#include "../kernel/forms.def"
#undef THR_FORM
  THR_FORM_COUNT
} thr_form_id;

/* need: 0 when the form cannot run the step: its shape, coded weights or channels, or numbers so large that its
 * arithmetic could wrap where the kernel's does not.
 * pack: p as `need` saw it; packed: need.packed_bytes, 4-byte aligned, all of them written.
 * run: packed and scratch 4-byte aligned; in, out and scratch never overlap. */
#define THR_FORM(id, name, kernel, params, folder)                       \
  int thr_##name##_need(const thr_##params##_params *p, thr_need *need); \
  void thr_##name##_pack(const thr_##params##_params *p, void *packed);  \
  void thr_##name(const thr_##params##_params *p, const void *packed, const int8_t *in, int8_t *out, void *scratch);
#include "../kernel/forms.def"
#undef THR_FORM

#endif
