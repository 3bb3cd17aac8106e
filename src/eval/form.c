/* See form.h. SPDX-License-Identifier: Apache-2.0 */
#include "eval/form.h"

#include <string.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"

static const th_form forms[] = {
#define THR_FORM(id, name, kernel, params, folder) {THR_FORM_##id, #name, #folder, THR_KERNEL_##kernel},
#include "../../rt/kernel/forms.def"
#undef THR_FORM
};
enum { FORMS = sizeof forms / sizeof *forms };

const th_form *th_form_nth(int i) {
  return i >= 0 && i < FORMS ? &forms[i] : NULL;
}

const th_form *th_form_of(thr_form_id id) {
  return th_form_nth((int)id - 1);
}

bool th_form_need(const th_form *form, const thr_step *step, thr_need *need) {
  if (step->kernel != form->kernel) return false;
  switch (form->id) {
#define THR_FORM(id, name, kernel, params, folder) \
  case THR_FORM_##id:                              \
    return thr_##name##_need(&step->p.params, need);
#include "../../rt/kernel/forms.def"
#undef THR_FORM
    default:
      return false;
  }
}

void th_form_pack(const th_form *form, const thr_step *step, void *packed) {
  switch (form->id) {
#define THR_FORM(id, name, kernel, params, folder) \
  case THR_FORM_##id:                              \
    thr_##name##_pack(&step->p.params, packed);    \
    break;
#include "../../rt/kernel/forms.def"
#undef THR_FORM
    default:
      break;
  }
}

void th_form_run(const th_form *form, const thr_step *step, const void *packed, const void *const *in, void *out,
                 void *scratch) {
  switch (form->id) {
#define THR_FORM(id, name, kernel, params, folder)            \
  case THR_FORM_##id:                                         \
    thr_##name(&step->p.params, packed, in[0], out, scratch); \
    break;
#include "../../rt/kernel/forms.def"
#undef THR_FORM
    default:
      break;
  }
}

/* Little-endian, as wide as the kernel's biases go. */
static th_status raw_bias(const th_program_step *s, th_arena *arena, thr_bias *bias) {
  const uint32_t width = thr_bias_width(3, thr_kernel_about(s->step.kernel)->in_type);
  *bias = (thr_bias){0};
  if (!s->bias) return TH_OK;
  uint8_t *data = TH_ARRAY(arena, uint8_t, s->bias_count * width);
  if (!data) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < s->bias_count * width; i++)
    data[i] = (uint8_t)((uint64_t)s->bias[i / width] >> 8 * (i % width));
  *bias = (thr_bias){data, (uint8_t)width, 0};
  return TH_OK;
}

th_status th_step_raw(const th_program_step *s, th_arena *arena, thr_step *step) {
  *step = s->step;
  thr_weights *w = thr_step_weights(step);
  if (!w) return TH_OK;
  *w = (thr_weights){.data = (const uint8_t *)s->weights, .bytes = s->weight_count};
  *thr_step_requant(step) = (thr_requant){
      .mult = s->mult, .shift = s->shift, .index = s->index, .per_channel = s->requant_count > 1 && !s->index};
  return raw_bias(s, arena, thr_step_bias(step));
}

th_status th_step_need(const th_program *program, const th_program_step *s, const th_form *form, thr_need *need,
                       bool *possible) {
  thr_step raw;
  *need = (thr_need){0};
  TH_TRY(th_step_raw(s, program->arena, &raw));
  *possible = th_form_need(form, &raw, need) && need->packed_bytes <= UINT32_MAX && need->scratch_bytes <= UINT32_MAX;
  return TH_OK;
}

th_status th_step_arrange(th_program *program, int step, const th_form *form) {
  th_program_step *s = &program->steps[step];
  thr_step raw;
  thr_need need;
  TH_TRY(th_step_raw(s, program->arena, &raw));
  if (!th_form_need(form, &raw, &need)) return th_fail(TH_ERR_INTERNAL, "%s: %s cannot run it", s->name, form->name);
  uint32_t *packed = TH_ARRAY(program->arena, uint32_t, need.packed_bytes / 4 + 1);
  if (!packed) return TH_ERR_RESOURCE;
  th_form_pack(form, &raw, packed);
  s->form = form->id;
  s->packed = packed;
  s->packed_bytes = (uint32_t)need.packed_bytes;
  s->scratch_bytes = (uint32_t)need.scratch_bytes;
  return TH_OK;
}
