/* See choose.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/choose.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "eval/form.h"
#include "lib/cost.h"

/* --- which forms may be used --- */

/* The next name of a list with commas, its length in *n; NULL behind the last. */
static const char *next_name(const char *list, size_t *n) {
  list += strspn(list, ",");
  *n = strcspn(list, ",");
  return *n > 0 ? list : NULL;
}

static bool lists(const char *list, const char *name) {
  size_t n;
  for (const char *at = list; (at = next_name(at, &n)); at += n)
    if (strlen(name) == n && memcmp(at, name, n) == 0) return true;
  return false;
}

static bool may_use(const char *list, const th_form *form) {
  return th_str_eq(list, "all") || lists(list, form->name);
}

static th_status check_names(const char *list) {
  size_t n;
  if (th_str_eq(list, "all") || th_str_eq(list, "none")) return TH_OK;
  for (const char *at = list; (at = next_name(at, &n)); at += n) {
    const th_form *form;
    bool known = false;
    for (int i = 0; (form = th_form_nth(i)) && !known; i++)
      known = strlen(form->name) == n && !memcmp(at, form->name, n);
    if (!known)
      return th_fail(TH_ERR_USAGE, "forms: '%.*s' is no form (all, none, or names with commas between)", (int)n, at);
  }
  return TH_OK;
}

/* --- the choice --- */

/* What a build for size pays for speed: a byte of flash for so many instructions of an inference. A judgement, not a
 * measurement: 128 bytes for half a million instructions, so that tables as small as raw weights
 * are taken wherever a layer has more than a few positions. */
enum { INSTRUCTIONS_PER_BYTE = 4000 };

typedef struct choice {
  double instructions, bytes;
  thr_form_id form;
} choice;

static bool is_better(const choice *a, const choice *b, th_goal goal) {
  const double byte = goal == TH_FOR_SIZE ? INSTRUCTIONS_PER_BYTE : 0;
  return a->instructions + byte * a->bytes < b->instructions + byte * b->bytes;
}

static double bytes_of(const th_step_bytes *b) {
  return (double)b->weights + b->table + b->bias + b->requant;
}

/* A form that nobody has measured is taken at its word, as it exists because it is faster; a kernel costs more than
 * any. */
static double cost_or(double measured, double otherwise) {
  return measured < 0 ? otherwise : measured;
}

/* Where nobody has measured how long decoding takes, it counts as nothing. */
static double cost_of_kernel(const th_target *target, th_goal goal, const th_program *p, int step) {
  const double whole = th_cost_of_step(target, goal, p, step);
  return whole < 0 ? th_cost_with(target, goal, p, step, THR_FORM_NONE) : whole;
}

static th_status choose_step(th_deployed *d, int step, const th_target *target, th_goal goal, const char *list) {
  th_program *p = d->program;
  th_program_step *s = &p->steps[step];
  const th_form *form;
  choice best = {cost_or(cost_of_kernel(target, goal, p, step), HUGE_VAL), bytes_of(&d->bytes[step]), THR_FORM_NONE};
  for (int i = 0; (form = th_form_nth(i)); i++) {
    thr_need need;
    bool possible;
    if (form->kernel != s->step.kernel || !th_target_runs(target, form->folder) || !may_use(list, form)) continue;
    TH_TRY(th_step_need(p, s, form, &need, &possible));
    const choice c = {cost_or(th_cost_with(target, goal, p, step, form->id), 0), (double)need.packed_bytes, form->id};
    if (possible && is_better(&c, &best, goal)) best = c;
  }
  if (best.form == THR_FORM_NONE) return TH_OK;
  d->bytes[step] = (th_step_bytes){.coder = THR_CODER_RAW, .weights = (uint32_t)best.bytes};
  return th_step_arrange(p, step, th_form_of(best.form));
}

/* Room to arrange rows in, for layers that will run on the kernel itself. */
static void give_room(const th_deployed *d, int step, const th_target *target) {
  th_program_step *s = &d->program->steps[step];
  const bool has_variant = th_target_runs(target, "dsp") && !th_target_runs(target, "mve");
  if (s->step.kernel != THR_KERNEL_CONV2D_S8 || s->form != THR_FORM_NONE || !has_variant) return;
  s->step.p.conv2d.weights.room = (uint16_t)thr_conv2d_s8_dsp_room(&s->step.p.conv2d);
  s->scratch_bytes = thr_step_scratch_bytes(&s->step);
}

th_status th_choose(th_deployed *d, const th_target *target, th_goal goal, const char *forms) {
  TH_TRY(check_names(forms));
  d->program->goal = goal;
  if (goal == TH_FOR_RAM) return TH_OK;
  for (int i = 0; i < d->program->n_steps; i++) give_room(d, i, target);
  for (int i = 0; i < d->program->n_steps; i++) TH_TRY(choose_step(d, i, target, goal, forms));
  return TH_OK;
}
