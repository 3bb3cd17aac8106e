/* See segments.h. SPDX-License-Identifier: Apache-2.0 */
#include "pass/segments.h"

#include <string.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "base/arena.h"
#include "pass/memory.h"
#include "pass/plan.h"

#define IMPOSSIBLE UINT64_MAX
enum { PIECES = THR_STAGES_MOST + 1 }; /* a step as it is, or a chain of 1 to THR_STAGES_MOST */
enum { PEAKS = 8 };                    /* that are tried, from the lowest up to what is known to be possible */

/* What the best cut is best in. */
typedef enum goal { AIM_PEAK, AIM_WEIGHTS, AIM_PLACES, AIMS } goal;

typedef struct cost {
  uint64_t bytes;  /* alive in the piece */
  uint64_t before; /* bytes by which its result must begin before a source */
  uint64_t raw;    /* weights that would have to stay so */
} cost;

typedef struct cutter {
  th_program *p;
  uint64_t enough;        /* bytes of the arena; 0: as few as possible */
  cost *costs;            /* [step][piece]: of the piece that begins there; piece 0 is the step as it is */
  uint64_t *best;         /* of the first k steps */
  int *piece;             /* the last one of them */
  int *chosen;            /* per step: the piece that begins there */
  th_program_step *steps; /* as they were */
  th_value *values;
} cutter;

static int length_of(int piece) {
  return piece > 0 ? piece : 1;
}

static cost *cost_at(const cutter *c, int step, int piece) {
  return &c->costs[(size_t)step * PIECES + (size_t)piece];
}

static uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

static uint64_t bytes_before(const th_program *p, const th_chain *chain) {
  uint64_t most = 0;
  for (int i = 0; i < chain->n_sources; i++)
    if (chain->source[i].lead < 0 && th_chain_uses_up(p, chain, chain->source[i].value))
      most = larger(most, (uint64_t)-chain->source[i].lead);
  return most;
}

/* Scratch of the step's weights in their largest coded form, but for what it has now. */
static uint64_t coded_bytes(const th_program_step *s, bool chained) {
  thr_step coded = s->step;
  thr_weights *w = thr_step_weights(&coded);
  if (!w) return 0;
  w->decode = thr_decode_range;
  w->memory = THR_STREAM_MEMORY;
  return chained ? thr_step_unpack_bytes(&coded) : thr_step_scratch_bytes(&coded) - s->scratch_bytes;
}

static cost cost_of_chain(const cutter *c, const th_chain *chain) {
  cost x = {th_chain_bytes_alive(c->p, chain), bytes_before(c->p, chain), 0};
  uint64_t room = 0;
  for (int i = chain->first; i <= chain->last; i++) {
    x.raw += c->p->steps[i].weight_count;
    room += coded_bytes(&c->p->steps[i], true);
  }
  if (x.bytes + room > c->enough) return x;
  return (cost){x.bytes + room, x.before, 0};
}

static void measure_pieces(cutter *c) {
  th_chain chain;
  for (int i = 0; i < c->p->n_steps; i++) {
    *cost_at(c, i, 0) = (cost){th_step_bytes_alive(c->p, i), 0, 0};
    for (int piece = 1; piece < PIECES; piece++) {
      const bool fits = i + piece <= c->p->n_steps && th_chain_of(c->p, i, i + piece - 1, &chain);
      *cost_at(c, i, piece) = fits ? cost_of_chain(c, &chain) : (cost){IMPOSSIBLE, 0, 0};
    }
  }
}

/* What a piece adds to what the cut aims at; other things being equal, few steps in chains. */
static uint64_t burden(const cutter *c, goal aim, int step, int piece) {
  const cost *x = cost_at(c, step, piece);
  return (aim == AIM_WEIGHTS ? x->raw : x->before) * 1024 + (uint64_t)piece;
}

/* The best cut of all beginnings that needs no more than `peak` bytes. */
static void cut(cutter *c, goal aim, uint64_t peak) {
  c->best[0] = 0;
  for (int k = 1; k <= c->p->n_steps; k++) {
    c->best[k] = IMPOSSIBLE;
    for (int piece = 0; piece < PIECES && length_of(piece) <= k; piece++) {
      const int step = k - length_of(piece);
      const uint64_t bytes = cost_at(c, step, piece)->bytes, before = c->best[step];
      if (bytes == IMPOSSIBLE || before == IMPOSSIBLE || bytes > peak) continue;
      const uint64_t all = aim == AIM_PEAK ? larger(before, bytes) : before + burden(c, aim, step, piece);
      if (all >= c->best[k]) continue;
      c->best[k] = all;
      c->piece[k] = piece;
    }
  }
  memset(c->chosen, 0, (size_t)c->p->n_steps * sizeof *c->chosen);
  for (int k = c->p->n_steps; k > 0; k -= length_of(c->piece[k])) c->chosen[k - length_of(c->piece[k])] = c->piece[k];
}

/* --- writing it into the program --- */

static th_status make_segment(th_program *p, int first, int last) {
  th_chain chain;
  if (!th_chain_of(p, first, last, &chain)) return th_fail(TH_ERR_INTERNAL, "%s: no chain", p->steps[first].name);
  for (int i = 0; i < chain.n_sources; i++) {
    th_value *v = &p->values[chain.source[i].value];
    if (v->last_step < last) v->last_step = last;
  }
  for (int i = first; i <= last; i++) {
    th_program_step *s = &p->steps[i];
    const thr_stage *stage = &chain.stage[i - first];
    th_value *out = &p->values[s->out];
    s->rows = stage->out.rows;
    if (thr_row_is_elementwise(s->step.kernel)) th_step_make_line(&s->step, s->rows);
    out->first_step = first;
    out->line_bytes = stage->out.bytes;
    if (i == last) continue;
    out->kept = chain.kept[i - first];
    out->last_step = last;
  }
  p->segments[p->n_segments++] = (th_segment){first, last};
  return TH_OK;
}

/* Writes the cut into the program as it was. */
static th_status make_segments(const cutter *c) {
  th_program *p = c->p;
  memcpy(p->steps, c->steps, (size_t)p->n_steps * sizeof *p->steps);
  memcpy(p->values, c->values, (size_t)p->n_values * sizeof *p->values);
  p->n_segments = 0;
  for (int i = 0; i < p->n_steps; i += length_of(c->chosen[i]))
    if (c->chosen[i] > 0) TH_TRY(make_segment(p, i, i + c->chosen[i] - 1));
  return TH_OK;
}

/* --- trying cuts --- */

typedef struct trial {
  goal aim;
  uint64_t peak;
  uint32_t arena_bytes;
} trial;

static th_status try_cut(cutter *c, goal aim, uint64_t peak, trial *best) {
  th_plan_info info;
  cut(c, aim, peak);
  TH_TRY(make_segments(c));
  TH_TRY(th_pass_plan(c->p, &info));
  if (info.arena_bytes < best->arena_bytes) *best = (trial){aim, peak, info.arena_bytes};
  return TH_OK;
}

static th_status try_cuts(cutter *c, uint64_t least, trial *best) {
  *best = (trial){AIM_WEIGHTS, least, UINT32_MAX};
  if (c->enough > least) TH_TRY(try_cut(c, AIM_WEIGHTS, c->enough, best));
  if (best->arena_bytes <= c->enough) return TH_OK;
  for (int aim = AIM_WEIGHTS; aim < AIMS; aim++) TH_TRY(try_cut(c, (goal)aim, least, best));
  const uint64_t room = best->arena_bytes - least;
  for (uint64_t i = 1; i < PEAKS; i++)
    for (int aim = AIM_WEIGHTS; aim < AIMS; aim++)
      if (least + room * i / PEAKS < best->arena_bytes) TH_TRY(try_cut(c, (goal)aim, least + room * i / PEAKS, best));
  return TH_OK;
}

/* Coded weights would lift the peak: they stay raw. So do those of all chains where there is no room to spare: decoding
 * would make these slower. */
static void keep_raw(th_program *p, uint64_t peak, bool spare) {
  for (int i = 0; i < p->n_steps; i++) {
    th_program_step *s = &p->steps[i];
    s->raw = s->rows && (!spare || coded_bytes(s, true) > peak);
    if (s->weights && !s->rows) s->raw = th_step_bytes_alive(p, i) + coded_bytes(s, false) > peak;
  }
}

static th_status segments(th_program *p, uint32_t enough, th_arena *arena, uint32_t *arena_bytes) {
  const size_t n = (size_t)p->n_steps + 1;
  cutter c = {.p = p, .enough = enough};
  trial best;
  c.costs = TH_ARRAY(arena, cost, n * PIECES);
  c.best = TH_ARRAY(arena, uint64_t, n);
  c.piece = TH_ARRAY(arena, int, n);
  c.chosen = TH_ARRAY(arena, int, n);
  c.steps = th_arena_copy(arena, p->steps, n * sizeof *p->steps);
  c.values = th_arena_copy(arena, p->values, ((size_t)p->n_values + 1) * sizeof *p->values);
  p->segments = TH_ARRAY(p->arena, th_segment, n);
  if (!c.costs || !c.best || !c.piece || !c.chosen || !c.steps || !c.values || !p->segments) return TH_ERR_RESOURCE;
  measure_pieces(&c);
  cut(&c, AIM_PEAK, IMPOSSIBLE - 1);
  const uint64_t borders = larger(th_step_bytes_alive(p, -1), th_step_bytes_alive(p, p->n_steps));
  TH_TRY(try_cuts(&c, larger(c.best[p->n_steps], borders), &best));
  cut(&c, best.aim, best.peak);
  TH_TRY(make_segments(&c));
  keep_raw(p, larger(best.arena_bytes, enough), enough > best.arena_bytes);
  if (arena_bytes) *arena_bytes = best.arena_bytes;
  return TH_OK;
}

th_status th_pass_segments(th_program *program, uint32_t enough, uint32_t *arena_bytes) {
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  const th_status status = segments(program, enough, arena, arena_bytes);
  th_arena_destroy(arena);
  return status;
}
