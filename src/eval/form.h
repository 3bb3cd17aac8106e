/* The forms of rt/kernel/forms.def as a table, and steps of a program whose constants are arranged for one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_EVAL_FORM_H
#define TH_EVAL_FORM_H

#include "eval/lower.h"

typedef struct th_form {
  thr_form_id id;
  const char *name;   /* "conv2d_1x1_s8_dsp": file and function without the prefix */
  const char *folder; /* of rt/kernel: the kind of processor it is made for */
  thr_kernel_id kernel;
} th_form;

/* The i-th form, 0, 1, ...; NULL past the last. th_form_of: NULL for THR_FORM_NONE. */
const th_form *th_form_nth(int i);
const th_form *th_form_of(thr_form_id id);

/* The three functions over steps. `step` has raw weights (th_step_raw); need is false when its kernel is another. */
bool th_form_need(const th_form *form, const thr_step *step, thr_need *need);
void th_form_pack(const th_form *form, const thr_step *step, void *packed);
void th_form_run(const th_form *form, const thr_step *step, const void *packed, const void *const *in, void *out,
                 void *scratch);

/* The step with its constants as lowering made them: raw weights, biases not narrowed. Arrays belong to `arena`. */
th_status th_step_raw(const th_program_step *s, th_arena *arena, thr_step *step);

/* What a form needs for a step; *possible: whether it can run it. */
th_status th_step_need(const th_program *program, const th_program_step *s, const th_form *form, thr_need *need,
                       bool *possible);
/* Arranges the step's constants for a form that can run it, in the program's arena, and sets form, packed and
 * scratch_bytes. */
th_status th_step_arrange(th_program *program, int step, const th_form *form);

#endif
