/* See choose.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/choose.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "eval/form.h"
#include "lib/code.h"
#include "lib/cost.h"

/* --- which forms may be used --- */

static bool may_use(const char *list, const th_form *form) {
  return th_str_eq(list, "all") || th_str_in_list(list, form->name);
}

th_status th_choose_check(const char *list) {
  const char *name;
  size_t n;
  if (th_str_eq(list, "all") || th_str_eq(list, "none")) return TH_OK;
  while ((name = th_str_part(&list, &n)) != NULL) {
    const th_form *form;
    bool known = n == 0; /* "a,,b" */
    for (int i = 0; (form = th_form_nth(i)) && !known; i++)
      known = strlen(form->name) == n && !memcmp(name, form->name, n);
    if (!known)
      return th_fail(TH_ERR_USAGE, "forms: '%.*s' is no form (all, none, or names with commas between)", (int)n, name);
  }
  return TH_OK;
}

/* --- the choice --- */

/* What a build for size pays for speed: a byte of flash for so many instructions of an inference. A judgement, not a
 * measurement: 128 bytes for half a million instructions, so that tables as small as raw weights
 * are taken wherever a layer has more than a few positions. */
enum { INSTRUCTIONS_PER_BYTE = 4000, FORMS = THR_FORM_COUNT, NO_SET = 0 };

typedef struct offer { /* of a form, or of the kernel itself (THR_FORM_NONE), for a step */
  double instructions, bytes;
  bool possible;
} offer;

typedef struct chooser {
  th_deployed *d;
  const th_target *target;
  th_goal goal;
  const char *list;
  double byte; /* in instructions */
  th_arena *arena;
  offer (*offers)[FORMS]; /* per step */
} chooser;

static double bytes_of(const th_step_bytes *b) {
  return (double)b->weights + b->table + b->bias + b->requant;
}

/* A form that nobody has measured is taken at its word, as it exists because it is faster; a kernel costs more than
 * any. */
static double cost_or(double measured, double otherwise) {
  return measured < 0 ? otherwise : measured;
}

enum { UNKNOWN_KERNEL = 1 << 30 };

/* Where nobody has measured how long decoding takes, it counts as nothing. */
static double cost_of_kernel(const chooser *x, int step) {
  const double whole = th_cost_of_step(x->target, x->goal, x->d->program, step);
  return cost_or(whole < 0 ? th_cost_with(x->target, x->goal, x->d->program, step, THR_FORM_NONE, 0) : whole,
                 UNKNOWN_KERNEL);
}

static th_status ask_forms(chooser *x, int step) {
  const th_program *p = x->d->program;
  const th_program_step *s = &p->steps[step];
  const th_form *form;
  x->offers[step][THR_FORM_NONE] = (offer){cost_of_kernel(x, step), bytes_of(&x->d->bytes[step]), true};
  for (int i = 0; (form = th_form_nth(i)); i++) {
    thr_need need;
    bool possible;
    if (form->kernel != s->step.kernel || !th_target_runs(x->target, form->folder) || !may_use(x->list, form)) continue;
    TH_TRY(th_step_need(p, s, form, &need, &possible));
    x->offers[step][form->id] =
        (offer){cost_or(th_cost_with(x->target, x->goal, p, step, form->id, (uint32_t)need.packed_bytes), 0),
                (double)need.packed_bytes, possible};
  }
  return TH_OK;
}

static double price(const chooser *x, const offer *o) {
  return o->instructions + x->byte * o->bytes;
}

/* The cheapest of a set of forms (bit i: form i) for a step; -1 when none of them can. */
static int cheapest(const chooser *x, int step, uint32_t set) {
  int best = -1;
  for (int f = 0; f < FORMS; f++) {
    const offer *o = &x->offers[step][f];
    if (!(set >> f & 1) || !o->possible) continue;
    if (best < 0 || price(x, o) < price(x, &x->offers[step][best])) best = f;
  }
  return best;
}

/* What the code of a set takes, in instructions. */
static th_status price_of_code(const chooser *x, thr_kernel_id kernel, uint32_t set, double *price) {
  th_code code;
  TH_TRY(th_code_begin(x->target, x->goal, x->arena, &code));
  for (int f = 0; f < FORMS; f++)
    if (set >> f & 1)
      th_code_add(&code, f == THR_FORM_NONE ? th_kernel_name(kernel) : th_form_of((thr_form_id)f)->name);
  *price = x->byte * code.bytes;
  return TH_OK;
}

/* All steps of the kernel by this set, each by the cheapest; HUGE_VAL when one of them cannot run. */
static th_status price_of_set(const chooser *x, thr_kernel_id kernel, uint32_t set, double *sum) {
  uint32_t used = 0;
  double code;
  *sum = 0;
  for (int i = 0; i < x->d->program->n_steps; i++) {
    if (x->d->program->steps[i].step.kernel != kernel) continue;
    const int best = cheapest(x, i, set);
    *sum += best < 0 ? HUGE_VAL : price(x, &x->offers[i][best]);
    used |= best < 0 ? 0 : 1u << best;
  }
  if (x->byte <= 0 || *sum >= HUGE_VAL) return TH_OK;
  TH_TRY(price_of_code(x, kernel, used, &code));
  *sum += code;
  return TH_OK;
}

/* A kernel's forms are few, so all sets of them are compared: a form's code, once in the firmware, must pay, too. */
static th_status choose_set(const chooser *x, thr_kernel_id kernel, uint32_t *best) {
  double least = HUGE_VAL;
  uint32_t all = 1u << THR_FORM_NONE;
  const th_form *form;
  for (int i = 0; (form = th_form_nth(i)); i++)
    if (form->kernel == kernel && th_target_runs(x->target, form->folder) && may_use(x->list, form))
      all |= 1u << form->id;
  *best = all;
  for (uint32_t set = all; set != NO_SET && x->byte > 0; set = (set - 1) & all) {
    double sum;
    TH_TRY(price_of_set(x, kernel, set, &sum));
    if (sum >= least) continue;
    least = sum;
    *best = set;
  }
  return TH_OK;
}

static th_status arrange(const chooser *x, int step, uint32_t set) {
  const int best = cheapest(x, step, set);
  if (best <= THR_FORM_NONE) return TH_OK;
  x->d->bytes[step] = (th_step_bytes){.coder = THR_CODER_RAW, .weights = (uint32_t)x->offers[step][best].bytes};
  return th_step_arrange(x->d->program, step, th_form_of((thr_form_id)best));
}

static th_status choose_all(chooser *x) {
  const th_program *p = x->d->program;
  uint32_t set[THR_KERNEL_COUNT];
  for (int i = 0; i < p->n_steps; i++) TH_TRY(ask_forms(x, i));
  for (int k = 0; k < THR_KERNEL_COUNT; k++) TH_TRY(choose_set(x, (thr_kernel_id)k, &set[k]));
  for (int i = 0; i < p->n_steps; i++) TH_TRY(arrange(x, i, set[p->steps[i].step.kernel]));
  return TH_OK;
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
  TH_TRY(th_choose_check(forms));
  d->program->goal = goal;
  if (goal == TH_FOR_RAM) return TH_OK;
  for (int i = 0; i < d->program->n_steps; i++) give_room(d, i, target);
  chooser x = {.d = d,
               .target = target,
               .goal = goal,
               .list = forms,
               .arena = th_arena_create(),
               .byte = goal == TH_FOR_SIZE ? INSTRUCTIONS_PER_BYTE : 0};
  if (x.arena) x.offers = th_arena_array(x.arena, (size_t)d->program->n_steps + 1, sizeof *x.offers);
  const th_status status = x.offers ? choose_all(&x) : TH_ERR_RESOURCE;
  th_arena_destroy(x.arena);
  return status;
}
