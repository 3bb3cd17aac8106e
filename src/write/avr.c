/* What a program may hold on an AVR: only what is read from program memory by functions that know it (thr_flash.h).
 * See avr.h. SPDX-License-Identifier: Apache-2.0 */
#include "write/avr.h"

#include "../../rt/core/parse.h"
#include "../../rt/core/stage.h"
#include "thr_rows.h"

/* Element by element, a line at a time: such kernels would get parameters in program memory. */
static th_status check_segment(const th_program *p, const th_segment *segment) {
  for (int i = segment->first; i <= segment->last; i++)
    if (thr_row_is_elementwise(p->steps[i].step.kernel))
      return th_fail(TH_ERR_INPUT, "%s: runs line by line, which its kernel cannot on AVR", p->steps[i].name);
  return TH_OK;
}

/* Kernels that read no constants but those of a row in rt/kernel/avr, and their parameters. */
static bool has_kernel(thr_kernel_id kernel) {
  static const thr_kernel_id plain[] = {
      THR_KERNEL_MAX_POOL2D_S8, THR_KERNEL_AVG_POOL2D_S8, THR_KERNEL_ADD_S8,  THR_KERNEL_SUB_S8,  THR_KERNEL_MUL_S8,
      THR_KERNEL_SOFTMAX_S8,    THR_KERNEL_RELU_S8,       THR_KERNEL_MEAN_S8, THR_KERNEL_COPY_S8, THR_KERNEL_PAD_S8};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (plain[i] == kernel) return true;
#define THR_AVR(id, name, params) \
  if (kernel == THR_KERNEL_##id) return true;
#include "../../rt/kernel/avr/kernels.def"
#undef THR_AVR
  return false;
}

static th_status check_step(const th_program *p, const th_program_step *s) {
  thr_step step = s->step;
  const thr_weights *w = thr_step_weights(&step);
  if (!has_kernel(step.kernel)) return th_fail(TH_ERR_INPUT, "%s: its operator has no kernel for AVR", s->name);
  if ((step.kernel == THR_KERNEL_CONV2D_S8 || step.kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8) &&
      step.p.conv2d.kernel_y > THR_STAGE_LINES)
    return th_fail(TH_ERR_INPUT, "%s: a kernel of %d lines; on AVR at most %d", s->name, step.p.conv2d.kernel_y,
                   THR_STAGE_LINES);
  if (w && (w->decode || thr_step_requant(&step)->decode))
    return th_fail(TH_ERR_INPUT, "%s: its weights are coded; kernels for AVR read raw ones: --coder raw", s->name);
  for (int i = 0; i < s->n_in; i++)
    if (p->values[s->in[i]].data)
      return th_fail(TH_ERR_INPUT, "%s: input %s is a constant, which its kernel does not read from program memory",
                     s->name, p->values[s->in[i]].name);
  return TH_OK;
}

th_status th_avr_check(const th_program *p) {
  for (int i = 0; i < p->n_values; i++)
    if (p->values[i].state) return th_fail(TH_ERR_INPUT, "%s: no variables on AVR", p->values[i].name);
  if (p->arena_bytes > INT16_MAX)
    return th_fail(TH_ERR_INPUT, "the model needs %lu bytes of RAM; AVR kernels count with 15 bits",
                   (unsigned long)p->arena_bytes);
  for (int i = 0; i < p->n_segments; i++) TH_TRY(check_segment(p, &p->segments[i]));
  for (int i = 0; i < p->n_steps; i++) TH_TRY(check_step(p, &p->steps[i]));
  return TH_OK;
}
