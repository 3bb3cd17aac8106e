/* The rows of costs.def, and what of a step they multiply. See cost.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "base/str.h"
#include "eval/form.h"
#include "write/csource_tables.h"

typedef struct cost {
  const char *target;
  th_goal goal; /* that the compiler was told: speed, or size, which is RAM's too */
  const char *runner;
  th_work each;
} cost;

static const cost costs[] = {
#define TH_COST(target, goal, runner, ...) {target, TH_FOR_##goal, runner, {__VA_ARGS__}},
#include "lib/costs.def"
#undef TH_COST
};
enum { COSTS = sizeof costs / sizeof *costs, MOST_RIGHT = 22 };

/* --- rows --- */

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
  int most = 0;
  if (has_rows(target)) return target;
  for (int i = 0; (t = th_target_list(i)); i++) {
    const int shared = has_rows(t) ? shared_folders(target, t) : 0;
    if (shared > most) {
      most = shared;
      best = t;
    }
  }
  return best;
}

void th_cost_note(const th_program *program, const th_target *target, th_json *json, th_buf *text) {
  const th_target *measured = th_cost_target(target);
  if (program->goal != TH_FOR_SPEED || !measured) return;
  th_json_add_string(json, "costs_of", measured->name);
  if (measured != target)
    th_buf_printf(text, "note: chosen by the costs of %s, as nobody has measured those of %s\n", measured->name,
                  target->name);
}

static const cost *find(const th_target *measured, th_goal goal, const char *runner) {
  const th_goal built = goal == TH_FOR_SPEED ? TH_FOR_SPEED : TH_FOR_SIZE;
  for (int i = 0; i < COSTS && measured; i++)
    if (costs[i].goal == built && th_str_eq(costs[i].target, measured->name) && th_str_eq(costs[i].runner, runner))
      return &costs[i];
  return NULL;
}

static double sum_of(const cost *c, const th_work *w) {
  double sum = 0;
#define TH_WORK(name, what) sum += c->each.name * w->name;
#include "lib/work.def"
#undef TH_WORK
  return sum;
}

/* --- what runs a step --- */

const char *th_runner_name(const th_program_step *s) {
  const th_form *form = th_form_of(s->form);
  return form ? form->name : th_kernel_name(s->step.kernel);
}

/* Kernels go different ways for different shapes, and those have rows of their own: the way's name, or "". */
static const char *way_of(const th_program_step *s) {
  const thr_conv2d_params *c = &s->step.p.conv2d;
  if (thr_kernel_params(s->step.kernel) != THR_PARAMS_conv2d) return "";
  const int high = c->kernel_y, wide = c->kernel_x;
  if (s->step.kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8 && (high == 3 || wide == 3) && high <= 3 && wide <= 3)
    return c->stride_x == 1 && c->stride_y == 1 ? " 3" : " 3/2";
  return high == 1 && wide == 1 && c->stride_y == 1 && c->stride_x == 1 ? " 1x1" : "";
}

static bool in_segment(const th_program *p, int step) {
  for (int i = 0; i < p->n_segments; i++)
    if (step >= p->segments[i].first && step <= p->segments[i].last) return true;
  return false;
}

/* How channels are run that the kernel cannot run as it usually does. */
static const char *way_apart(const th_program_step *s) {
  return s->step.kernel == THR_KERNEL_CONV2D_S8 ? "conv2d_s8 narrow" : "depthwise_conv2d_s8";
}

/* Its kernel may run without room to arrange rows in, where it usually has some. */
static bool lacks_room(const th_target *target, const th_program_step *s) {
  return s->step.kernel == THR_KERNEL_CONV2D_S8 && s->form == THR_FORM_NONE && s->step.p.conv2d.weights.room == 0 &&
         th_target_runs(target, "dsp") && !th_target_runs(target, "mve");
}

/* bitpack takes indices of four bits two to a byte, and looks them up without a question when each has an entry. */
static const char *way_of_bitpack(const thr_weights *w) {
  if (w->decode != thr_decode_bitpack || w->table_bytes == 0 || (w->table[0] & 15) != 4) return "";
  return w->table_bytes == 1 + 16 && !(w->table[0] & 128) ? " 4/16" : " 4";
}

/* No memory for a table of words. */
static bool is_bare(const thr_weights *w) {
  return w->memory == 0 && (w->decode == thr_decode_huffman || w->decode == thr_decode_gap_huffman);
}

th_cost_rows th_cost_rows_of(const th_target *target, const th_program *p, int step) {
  const th_program_step *s = &p->steps[step];
  thr_step copy = s->step;
  const thr_weights *weights = s->form == THR_FORM_NONE ? thr_step_weights(&copy) : NULL;
  const char *way = in_segment(p, step) ? " line" : lacks_room(target, s) ? " narrow" : way_of(s);
  th_cost_rows rows = {"", ""};
  if (th_csource_uses_dot(s)) {
    snprintf(rows.run, sizeof rows.run, "dot %s", th_decoder_name(weights->decode) + strlen("thr_decode_"));
    return rows;
  }
  snprintf(rows.run, sizeof rows.run, "%s%s", th_runner_name(s), way);
  if (weights && weights->decode)
    snprintf(rows.decode, sizeof rows.decode, "decode %s%s", th_decoder_name(weights->decode) + strlen("thr_decode_"),
             is_bare(weights) ? " bare" : way_of_bitpack(weights));
  return rows;
}

/* Without a row for the way, that of the runner as such. */
static double cost_of(const th_target *measured, th_goal goal, const char *name, const th_work *w) {
  char plain[TH_COST_NAME];
  snprintf(plain, sizeof plain, "%.*s", (int)(strrchr(name, ' ') ? strrchr(name, ' ') - name : 0), name);
  const cost *c = find(measured, goal, name);
  if (!c) c = find(measured, goal, plain);
  return c ? sum_of(c, w) : -1;
}

/* The part of a layer's channels whose multipliers the DSP kernels' short requantization does not hold (requantize.h):
 * these kernels take another way for them, one by one. */
static double share_apart(const th_target *target, const th_program_step *s) {
  const bool dsp = th_target_runs(target, "dsp") && !th_target_runs(target, "mve");
  const bool asks = s->step.kernel == THR_KERNEL_CONV2D_S8 || s->step.kernel == THR_KERNEL_DEPTHWISE_CONV2D_S8;
  const uint32_t rows = s->row_elems ? s->weight_count / s->row_elems : 0;
  uint32_t apart = 0;
  if (!dsp || !asks || s->form != THR_FORM_NONE || !s->shift) return 0;
  for (uint32_t i = 0; i < rows; i++) {
    const int shift = s->shift[s->index ? s->index[i] : s->requant_count > 1 ? i : 0];
    apart += shift >= 0 || shift < -MOST_RIGHT;
  }
  return rows ? (double)apart / rows : 0;
}

double th_cost_of_step(const th_target *target, th_goal goal, const th_program *p, int step) {
  const th_target *measured = th_cost_target(target);
  const th_work w = th_work_of(p, &p->steps[step]);
  const th_cost_rows rows = th_cost_rows_of(target, p, step);
  const double apart = in_segment(p, step) ? 0 : share_apart(target, &p->steps[step]);
  double run = cost_of(measured, goal, rows.run, &w);
  if (apart > 0) run += apart * (cost_of(measured, goal, way_apart(&p->steps[step]), &w) - run);
  const double decode = *rows.decode ? cost_of(measured, goal, rows.decode, &w) : 0;
  return run < 0 || decode < 0 ? -1 : run + decode;
}

double th_cost_with(const th_target *target, th_goal goal, const th_program *p, int step, thr_form_id form,
                    uint32_t packed_bytes) {
  const th_program_step *s = &p->steps[step];
  const th_work w = th_work_with(p, s, form, packed_bytes);
  const th_form *f = th_form_of(form);
  char name[TH_COST_NAME];
  snprintf(name, sizeof name, "%s%s", f ? f->name : th_kernel_name(s->step.kernel), way_of(s));
  return cost_of(th_cost_target(target), goal, name, &w);
}
