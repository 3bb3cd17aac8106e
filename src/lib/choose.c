/* See choose.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/choose.h"

#include <string.h>

#include "base/str.h"
#include "eval/form.h"

typedef struct cost {
  const char *target, *runner;
  double call, output, mac;
} cost;

static const cost costs[] = {
#define TH_COST(target, runner, call, output, mac) {target, runner, call, output, mac},
#include "lib/costs.def"
#undef TH_COST
    {"", "", 0, 0, 0}};
enum { COSTS = sizeof costs / sizeof *costs - 1 };

/* --- costs --- */

static bool has_rows(const th_target *target) {
  for (int i = 0; i < COSTS; i++)
    if (th_str_eq(costs[i].target, target->name)) return true;
  return false;
}

static int shared_folders(const th_target *a, const th_target *b) {
  int n = 0;
  for (const char *word = a->kernels; *word; word += strspn(word, " ")) {
    char name[32];
    const size_t length = strcspn(word, " ");
    if (length < sizeof name) {
      memcpy(name, word, length);
      name[length] = 0;
      n += th_target_runs(b, name);
    }
    word += length;
  }
  return n;
}

const th_target *th_cost_target(const th_target *target) {
  const th_target *best = NULL, *t;
  if (has_rows(target)) return target;
  for (int i = 0; (t = th_target_list(i)); i++)
    if (has_rows(t) && (!best || shared_folders(target, t) > shared_folders(target, best))) best = t;
  return best;
}

static const char *kernel_name(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over) \
  case THR_KERNEL_##id:                                                \
    return #name;
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
    default:
      return "";
  }
}

static double outputs_of(const th_program *p, const th_program_step *s) {
  const th_value *out = &p->values[s->out];
  return (double)out->bytes / th_value_align(p, out);
}

static double macs_of(const th_program *p, const th_program_step *s) {
  const thr_pool2d_params *pool = &s->step.p.pool2d;
  if (s->weights) return outputs_of(p, s) * s->row_elems;
  if (s->step.kernel == THR_KERNEL_MAX_POOL2D_S8 || s->step.kernel == THR_KERNEL_AVG_POOL2D_S8)
    return outputs_of(p, s) * pool->kernel_y * pool->kernel_x;
  return (double)p->values[s->in[0]].bytes;
}

double th_cost_estimate(const th_target *target, const char *runner, const th_program *p, const th_program_step *s) {
  const th_target *measured = th_cost_target(target);
  for (int i = 0; i < COSTS && measured; i++) {
    const cost *c = &costs[i];
    if (th_str_eq(c->target, measured->name) && th_str_eq(c->runner, runner))
      return c->call + c->output * outputs_of(p, s) + c->mac * macs_of(p, s);
  }
  return -1;
}

/* --- the choice --- */

/* A form that nobody has measured yet is taken at its word: it exists because it is faster than the kernel. */
static th_status choose_form(th_deployed *d, int step, const th_target *target) {
  th_program *p = d->program;
  th_program_step *s = &p->steps[step];
  double least = th_cost_estimate(target, kernel_name(s->step.kernel), p, s);
  const th_form *form;
  for (int i = 0; (form = th_form_nth(i)); i++) {
    if (form->kernel != s->step.kernel || !th_target_runs(target, form->folder)) continue;
    const double instructions = th_cost_estimate(target, form->name, p, s);
    if (least >= 0 && instructions >= least) continue;
    bool possible;
    TH_TRY(th_step_arrange(p, step, form, &possible));
    if (!possible) continue;
    least = instructions < 0 ? 0 : instructions;
    d->bytes[step] = (th_step_bytes){.coder = THR_CODER_RAW, .weights = s->packed_bytes};
  }
  return TH_OK;
}

th_status th_choose(th_deployed *d, const th_target *target, th_goal goal) {
  d->program->goal = goal;
  for (int i = 0; i < d->program->n_steps && goal == TH_FOR_SPEED; i++) TH_TRY(choose_form(d, i, target));
  return TH_OK;
}
