/* Counting the amounts of work.def. See work.h.
 *
 * Kernels without forms walk the windows of an image each in its way: one output channel after the other or four at a
 * time, windows within the image in twos (kernel/small) or in fours along a line (kernel/mve), those over its edge by
 * themselves. Each way has amounts of its own here, so that what a kernel costs is a sum with few terms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/work.h"

#include <math.h>

#include "../../rt/core/fields.h"
#include "../../rt/core/parse.h"
#include "../../rt/kernel/small/fields.h"
#include "eval/form.h"
#include "lib/decoding.h"
#include "write/csource_tables.h"

/* --- windows --- */

static double in_groups(double n, double size) {
  return ceil(n / size);
}

/* One direction of windows over an image: how many points of all windows lie within it, how many windows do, and how
 * many vectors of 16 elements the points of the others come to, of `depth` elements each. */
typedef struct axis {
  double out, kernel, inside, whole, edge_vectors;
} axis;

static axis axis_of(int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad,
                    double depth) {
  axis a = {out, kernel, 0, 0, 0};
  for (int32_t o = 0; o < out; o++) {
    int32_t n = 0;
    for (int32_t k = 0; k < kernel; k++) {
      const int32_t at = o * stride - pad + k * dilation;
      n += at >= 0 && at < in;
    }
    a.inside += n;
    a.whole += n == kernel;
    a.edge_vectors += n == kernel ? 0 : in_groups(n * depth, 16);
  }
  return a;
}

/* The same where four output channels are computed at a time. */
static void add_quads(th_work *w, double edges, double lines, double words) {
  w->quads = in_groups(w->rows, 4);
  w->quad_places = w->places * w->quads;
  w->quad_lines = w->quad_places * lines;
  w->quad_words = w->quad_lines * words;
  w->quad_edges = edges * w->quads;
  w->quad_edge_words = w->quad_edges * lines * words;
}

/* The same where windows go along a line, one output channel after the other: in twos those within the image, in fours
 * those with the same points inside. */
static void add_lines(th_work *w, const axis *y, const axis *x, double depth) {
  const double runs = x->whole > 0 ? 1 : 0, edges = x->out - x->whole, vectors = in_groups(x->kernel * depth, 16);
  const double fours = in_groups(x->whole, 4) + edges;
  w->twos = y->whole * in_groups(x->whole, 2) * w->rows;
  w->two_lines = w->twos * y->kernel;
  w->two_columns = w->two_lines * x->kernel * depth;
  w->edge_taps = (y->inside * x->inside - y->whole * x->whole * y->kernel * x->kernel) * w->rows;
  w->edge_inside = w->edge_taps * depth;
  w->stretches = y->out * (runs + edges) * w->rows;
  w->stretch_vectors = y->inside * (runs * vectors + x->edge_vectors) * w->rows;
  w->fours = y->out * fours * w->rows;
  w->four_lines = y->inside * fours * w->rows;
  w->four_vectors = y->inside * (in_groups(x->whole, 4) * vectors + x->edge_vectors) * w->rows;
}

/* The same where fours are whole, and what is left goes alone. */
static void add_full_fours(th_work *w, const axis *y, const axis *x) {
  const double fours = floor(x->whole / 4);
  w->full_fours = y->out * fours * w->rows;
  w->full_four_lines = y->inside * fours * w->rows;
  w->full_four_taps = w->full_four_lines * x->kernel;
  w->alone = y->out * (x->out - 4 * fours) * w->rows;
  w->alone_taps = y->inside * (x->inside - 4 * fours * x->kernel) * w->rows;
}

/* What windows that see `depth` elements of each point come to. */
static void add_windows(th_work *w, const axis *y, const axis *x, double depth) {
  const double per_place = w->places > 0 ? w->outputs / w->places : 0, lines = y->kernel, points = x->kernel;
  const double edges = y->out * x->out - y->whole * x->whole;
  w->taps = w->outputs * lines * points;
  w->lines = w->outputs * lines;
  w->columns = w->places * lines * points * depth;
  w->window_lines = w->places * lines;
  w->window_quads = w->window_lines * in_groups(points * depth, 4);
  w->line_quads = w->lines * in_groups(points * depth, 4);
  w->macs = w->taps * depth;
  w->inside = y->inside * x->inside * per_place * depth;
  w->edges = edges * per_place;
  w->edge_columns = w->edges * lines * points * depth;
  add_quads(w, edges, lines, in_groups(points * depth, 4));
  add_lines(w, y, x, depth);
  add_full_fours(w, y, x);
  w->line_rests = w->window_lines * fmod(points * depth, 4);
  w->gathered = fmod(depth, 4) > 0 ? y->inside * x->inside * depth : 0;
  w->edge_places = edges;
  w->edge_elems = edges * lines * points * depth;
  w->strips = y->out;
  w->row_strips = y->out * w->rows;
  w->strokes = fmin(y->out, x->out) * w->rows;
}

/* A 1x1 kernel with stride 1 sees the image as one line. */
static bool is_pointwise(const thr_conv2d_params *c) {
  return c->kernel_y == 1 && c->kernel_x == 1 && c->stride_y == 1 && c->stride_x == 1;
}

/* The same where two positions of a line share the weights of four output channels, from a line put together before. */
static void add_duos(th_work *w, const thr_conv2d_params *c, double depth) {
  const double lines = c->out_y, columns = c->out_x, quads = in_groups(c->out_c, 4);
  const double vectors = in_groups(c->kernel_y * c->kernel_x * depth, 16);
  w->duos = lines * floor(columns / 2) * quads;
  w->duo_vectors = w->duos * vectors;
  w->solos = lines * fmod(columns, 2) * quads;
  w->solo_vectors = w->solos * vectors;
  w->quad_vectors = w->places * quads * vectors;
  w->eights = w->places * in_groups(c->out_c, 8);
  w->fills = (double)c->out_y * c->kernel_y;
  w->fill_elems = w->fills * c->in_x * depth;
  w->fill_vectors = w->fills * c->in_x * in_groups(depth, 16);
}

static void add_conv2d(th_work *w, const thr_conv2d_params *c, double depth) {
  const axis y = axis_of(c->in_y, c->out_y, c->kernel_y, c->stride_y, c->dilation_y, c->pad_y, depth);
  const axis x = axis_of(c->in_x, c->out_x, c->kernel_x, c->stride_x, c->dilation_x, c->pad_x, depth);
  w->rows = c->out_c;
  w->places = (double)c->out_y * c->out_x;
  add_windows(w, &y, &x, depth);
  add_duos(w, c, depth);
  w->uncut = c->lo >= c->out_zero ? w->outputs / 2 : w->outputs;
  if (!is_pointwise(c)) return;
  w->stretches = w->rows;
  w->stretch_vectors = w->rows * in_groups(depth, 16);
  w->fours = w->four_lines = w->rows * in_groups(w->places, 4);
  w->four_vectors = w->fours * in_groups(depth, 16);
}

static void add_pool2d(th_work *w, const thr_pool2d_params *c) {
  const axis y = axis_of(c->in_y, c->out_y, c->kernel_y, c->stride_y, 1, c->pad_y, 1);
  const axis x = axis_of(c->in_x, c->out_x, c->kernel_x, c->stride_x, 1, c->pad_x, 1);
  w->rows = c->c;
  w->places = (double)c->out_y * c->out_x;
  add_windows(w, &y, &x, 1);
}

/* Four channels at a time, as far as they go. */
static void add_mean(th_work *w, const thr_mean_params *p) {
  const double y = p->over_y ? p->y : 1, x = p->over_x ? p->x : 1;
  const double places = (double)p->y * p->x / (y * x), fours = p->over_c ? 0 : p->c / 4;
  w->lines = w->outputs * y;
  w->quad_places = places * fours;
  w->quad_lines = w->quad_places * y;
  w->quad_words = w->quad_lines * x;
  w->alone = w->outputs - 4 * w->quad_places;
  w->alone_taps = w->alone * p->count;
}

static void add_softmax(th_work *w, const thr_softmax_params *c) {
  w->rows = c->rows;
}

/* --- weights --- */

/* Fully connected layers have their rows decoded in parts, chains all their weights before they run; the others a row
 * at a time. */
static uint32_t part_of(const th_program_step *s) {
  const bool dense = thr_kernel_params(s->step.kernel) == THR_PARAMS_fully_connected;
  return dense && !th_csource_uses_dot(s) && s->row_elems > THR_DECODE_CHUNK ? THR_DECODE_CHUNK : s->row_elems;
}

static void add_decoding(th_work *w, const th_program_step *s, const thr_weights *coded) {
  const th_decoding d = s->rows ? th_decoding_of(coded, s->weights, s->weight_count, s->weight_count, s->weight_count)
                                : th_decoding_of(coded, s->weights, s->weight_count, s->row_elems, part_of(s));
  w->bits = 8.0 * coded->bytes;
  w->parts = d.calls;
  w->words = d.words;
  w->plain_words = d.plain_words;
  w->known_words = d.known_words;
  w->slow_words = d.slow_words;
  w->slow_bits = d.slow_bits;
  w->read_counts = d.read_counts;
  w->questions = d.questions;
  w->neighboured = d.neighboured;
  w->looks = d.looks;
  w->once = thr_kernel_params(s->step.kernel) == THR_PARAMS_fully_connected ? s->weight_count : 0;
}

static void add_weights(th_work *w, const th_program_step *s) {
  thr_step step = s->step;
  const thr_weights *coded = thr_step_weights(&step);
  w->weights = s->weight_count;
  if (coded && coded->decode && s->form == THR_FORM_NONE) add_decoding(w, s, coded);
  for (uint32_t i = 0; i < s->weight_count; i++) w->survivors += s->weights[i] != 0;
  if (w->rows > 0) return;
  w->rows = s->row_elems ? (double)s->weight_count / s->row_elems : 0;
  w->places = 1;
  w->columns = s->row_elems;
  w->macs = w->inside = w->outputs * s->row_elems;
}

/* A block has a word beside its weights (kernel/small/fields.h), so the table's length tells how many there are. */
static double blocks_of(const th_work *w, const th_program_step *s, thr_form_id form, uint32_t packed_bytes) {
  const double weights = in_groups(s->row_elems, 2) * 2 * THR_FIELDS_CHANNELS * sizeof(int16_t);
  if (form != THR_FORM_CONV2D_FIELDS_S8_SMALL && form != THR_FORM_FULLY_CONNECTED_FIELDS_S8_SMALL) return 0;
  return (packed_bytes - w->quads * (weights + THR_FIELDS_CHANNELS * sizeof(thr_fields_scale))) / sizeof(int32_t);
}

/* --- all --- */

th_work th_work_with(const th_program *p, const th_program_step *s, thr_form_id form, uint32_t packed_bytes) {
  const th_value *out = &p->values[s->out];
  th_work w = {.call = 1, .outputs = (double)out->bytes / th_value_align(p, out)};
  w.uncut = w.outputs;
  w.inputs = s->n_in > 0 ? (double)p->values[s->in[0]].bytes : 0;
  switch (thr_kernel_params(s->step.kernel)) {
    case THR_PARAMS_conv2d:
      add_conv2d(&w, &s->step.p.conv2d, s->row_elems / ((double)s->step.p.conv2d.kernel_y * s->step.p.conv2d.kernel_x));
      break;
    case THR_PARAMS_fully_connected:
      if (s->step.p.fully_connected.lo >= s->step.p.fully_connected.out_zero) w.uncut = w.outputs / 2;
      break;
    case THR_PARAMS_pool2d:
      add_pool2d(&w, &s->step.p.pool2d);
      break;
    case THR_PARAMS_mean:
      add_mean(&w, &s->step.p.mean);
      break;
    case THR_PARAMS_softmax:
      add_softmax(&w, &s->step.p.softmax);
      break;
    default:
      break;
  }
  if (s->weights) add_weights(&w, s);
  if (w.macs <= 0) w.macs = w.inside = w.inputs;
  if (s->rows) w.strips = s->rows;
  w.quads = in_groups(w.rows, 4);
  w.pairs = in_groups(w.places, 2);
  w.pair_twos = w.pairs * in_groups(w.rows, 2);
  w.pair_quads = w.pair_twos * in_groups(s->row_elems, 4);
  w.quad_pairs = w.quads * in_groups(s->row_elems, 2) * w.places;
  w.blocks = w.places * blocks_of(&w, s, form, packed_bytes);
  w.long_blocks = fmin(w.blocks, w.quad_pairs - w.blocks);
  return w;
}

th_work th_work_of(const th_program *p, const th_program_step *s) {
  return th_work_with(p, s, s->form, s->packed_bytes);
}

void th_work_write(const th_work *work, th_json *json) {
  th_json *o = th_json_add_object(json, "work");
#define TH_WORK(name, what) \
  if (work->name != 0) th_json_add_number(o, #name, work->name);
#include "lib/work.def"
#undef TH_WORK
}
