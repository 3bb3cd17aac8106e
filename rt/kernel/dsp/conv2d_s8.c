/* Convolution from weights in storage order, raw or coded, for Armv7E-M: kernel/ref/conv2d_s8.c, bit for bit.
 *
 * Output channels are the outermost loop, so that a coded row is decoded once. Where the weights have room for it, four
 * rows are widened and run over all positions by row_quad.h; windows over the edge of the image, or so near its end
 * that whole words would reach past it, are copied first. Without room, and for rows with groups or dilation or numbers
 * that the short requantization does not hold, a window is summed up at a time. SPDX-License-Identifier: Apache-2.0 */
#include "clamp.h"
#include "dot.h"
#include "row_quad.h"

enum { ROWS = 4, MOST_LEFT = 8 }; /* weights times 2^left are int16 */

typedef struct layer {
  const thr_conv2d_params *p;
  const int8_t *in;
  int8_t *out;
  int32_t line, line_quads, quads; /* values of a line of the kernel; its quads; those of all lines */
  int32_t x_begin, x_end;          /* output columns whose windows reach over no side */
  uint32_t *wide;                  /* four rows, then a window */
  int32_t rows, first;             /* rows that wait there; channel of the first */
  thr_row_quad run;
} layer;

static int32_t row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * (p->in_c / p->groups);
}

static int32_t line_quads(const thr_conv2d_params *p) {
  return (p->kernel_x * p->in_c + 3) >> 2;
}

/* A 1x1 kernel sees the image as one line. */
static int is_pointwise(const thr_conv2d_params *p) {
  return p->kernel_y == 1 && p->kernel_x == 1 && p->stride_y == 1 && p->stride_x == 1 && p->pad_y == 0 &&
         p->pad_x == 0 && p->in_y == p->out_y && p->in_x == p->out_x;
}

uint32_t thr_conv2d_s8_dsp_room(const thr_conv2d_params *p) {
  const uint32_t window = is_pointwise(p) && (p->in_c & 3) == 0 ? 0 : 1; /* else none is ever copied */
  const uint64_t bytes = (uint64_t)p->kernel_y * (uint64_t)line_quads(p) * 4 * (THR_ROW_QUAD + window);
  return p->groups == 1 && p->dilation_x == 1 && bytes <= UINT16_MAX ? (uint32_t)bytes : 0;
}

/* --- without room: a window at a time --- */

static int32_t sum_of_window(const thr_conv2d_params *p, const int8_t *in, const int8_t *w, int32_t y0, int32_t x0,
                             int32_t acc) {
  const int32_t depth = p->in_c / p->groups, step = p->dilation_x * p->in_c;
  int32_t ky, ky_end, kx, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx, &kx_end);
  const int dense = step == depth; /* the taps of a line are neighbours */
  const int32_t taps = kx_end - kx, runs = dense ? taps > 0 : taps, n = dense ? taps * depth : depth;
  for (; ky < ky_end; ky++) {
    const int8_t *x = in + ((y0 + ky * p->dilation_y) * p->in_x + x0 + kx * p->dilation_x) * p->in_c;
    const int8_t *tap = w + (ky * p->kernel_x + kx) * depth;
    for (int32_t i = runs; i > 0; i--, x += step, tap += n) acc = thr_dot_dsp(acc, x, tap, n, p->in_zero);
  }
  return acc;
}

/* Apart, so that its registers do not add to the stack of the others. */
static __attribute__((noinline)) void run_alone(const layer *l, const int8_t *w, const thr_channel *channel,
                                                int32_t oc) {
  const thr_conv2d_params *p = l->p;
  const int8_t *in = l->in + oc / (p->out_c / p->groups) * (p->in_c / p->groups);
  int8_t *out = l->out + oc;
  for (int32_t y = 0; y < p->out_y; y++) {
    for (int32_t x = 0; x < p->out_x; x++, out += p->out_c) {
      const int32_t acc =
          sum_of_window(p, in, w, y * p->stride_y - p->pad_y, x * p->stride_x - p->pad_x, channel->bias);
      *out = (int8_t)thr_ssat8(thr_wrap_add(thr_scale_dsp(acc, channel->mult, channel->shift), p->out_zero));
    }
  }
}

/* --- with room: four rows at a time --- */

static uint32_t doubled(uint32_t lanes, int left) {
  return (lanes << left) & ~((((uint32_t)1 << left) - 1u) << 16);
}

static uint32_t load_rest(const int8_t *w, int32_t n) {
  uint32_t four = 0;
  for (w += n; n > 0; n--) four = four << 8 | (uint8_t) * --w;
  return four;
}

/* `w` as the next row that waits, times 2^left. Returns the sum of the weights. */
static int32_t widen(const layer *l, const int8_t *w, int left) {
  uint32_t *to = l->wide + l->rows;
  int32_t sum = 0;
  for (int32_t ky = l->p->kernel_y; ky > 0; ky--) {
    for (int32_t n = l->line; n > 0; n -= 4, w += 4, to += THR_ROW_QUAD) {
      const uint32_t four = n >= 4 ? thr_load4(w) : load_rest(w, n);
      const uint32_t even = thr_sxtb16(four), odd = thr_sxtb16_ror8(four);
      sum = thr_smlad(odd, 0x00010001u, thr_smlad(even, 0x00010001u, sum));
      to[0] = doubled(even, left);
      to[4] = doubled(odd, left);
      if (n < 4) w += n - 4;
    }
  }
  return sum;
}

/* `windows` of them, the first one at *x, all of which may be read in whole words; `quads` lie side by side, then
 * `skip` values are none of theirs. */
static void run_windows(layer *l, const int8_t *x, int32_t quads, int32_t skip, int32_t pixel, int32_t windows) {
  if (windows <= 0) return;
  l->run.x = x;
  l->run.line_bytes = 4 * THR_ROW_QUAD * quads;
  l->run.entry = thr_row_quad_entry(quads);
  l->run.skip = skip;
  l->run.out = l->out + l->first + pixel * l->p->out_c;
  l->run.windows = windows;
  thr_row_quad_run(&l->run);
}

static void fill(uint32_t *to, uint32_t word, int32_t n) {
  for (; n > 0; n--) *to++ = word;
}

static void copy(int8_t *to, const int8_t *from, int32_t n) {
  for (; n >= 4; n -= 4, to += 4, from += 4) thr_store4(to, thr_load4(from));
  for (; n > 0; n--) *to++ = *from++;
}

/* One window, copied with the zero point around it. */
static void run_copied(layer *l, int32_t y0, int32_t x0, int32_t pixel) {
  const thr_conv2d_params *p = l->p;
  const uint32_t zeros = (uint8_t)p->in_zero * 0x01010101u;
  uint32_t *const window = l->wide + THR_ROW_QUAD * l->quads, *to = window;
  int32_t kx, kx_end;
  thr_window(x0, p->kernel_x, 1, p->in_x, &kx, &kx_end);
  const int32_t before = kx * p->in_c, n = (kx_end - kx) * p->in_c, lines = p->in_x * p->in_c * p->dilation_y;
  const int8_t *from = l->in + (y0 * p->in_x + x0 + kx) * p->in_c;
  for (int32_t ky = p->kernel_y; ky > 0; ky--, y0 += p->dilation_y, from += lines, to += l->line_quads) {
    const int in_image = y0 >= 0 && y0 < p->in_y;
    if (!in_image || n < 4 * l->line_quads) fill(to, zeros, l->line_quads);
    if (in_image) copy((int8_t *)to + before, from, n);
  }
  run_windows(l, (const int8_t *)window, l->quads, 0, pixel, 1);
}

/* Whether whole words of a line of the kernel, the last one, reach past the image's end. */
static int reaches_past(const layer *l, int32_t y, int32_t x) {
  return ((y - l->p->in_y) * l->p->in_x + x) * l->p->in_c + 4 * l->line_quads > 0;
}

static void run_line(layer *l, int32_t y) {
  const thr_conv2d_params *p = l->p;
  const int32_t y0 = y * p->stride_y - p->pad_y, last = y0 + (p->kernel_y - 1) * p->dilation_y;
  const int32_t begin = l->x_begin, x0 = begin * p->stride_x - p->pad_x, pixel = y * p->out_x;
  int32_t end = y0 < 0 || last >= p->in_y ? begin : l->x_end;
  while (end > begin && reaches_past(l, last, (end - 1) * p->stride_x - p->pad_x)) end--;
  for (int32_t x = 0; x < p->out_x; x++)
    if (x < begin || x >= end) run_copied(l, y0, x * p->stride_x - p->pad_x, pixel + x);
  run_windows(l, l->in + (y0 * p->in_x + x0) * p->in_c, l->line_quads,
              p->dilation_y * p->in_x * p->in_c - 4 * l->line_quads, pixel + begin, end - begin);
}

static void run_pixels(layer *l) {
  const thr_conv2d_params *p = l->p;
  const int32_t all = p->in_y * p->in_x, past = 4 * l->quads - p->in_c; /* at most 3 */
  const int32_t n = all - (past + p->in_c - 1) / p->in_c, whole = n > 0 ? n : 0;
  run_windows(l, l->in, l->quads, 0, 0, whole);
  for (int32_t i = whole; i < all; i++) run_copied(l, i / p->in_x, i % p->in_x, i);
}

static void run_rows(layer *l) {
  for (; l->rows < ROWS; l->rows++) { /* places that are empty compute the first row again */
    for (int32_t i = 0; i < THR_ROW_QUAD * l->quads; i += 4) l->wide[i + l->rows] = l->wide[i];
    l->run.begin[l->rows] = l->run.begin[0];
    l->run.scale[l->rows] = l->run.scale[0];
  }
  l->rows = 0;
  if (is_pointwise(l->p)) {
    run_pixels(l);
    return;
  }
  for (int32_t y = 0; y < l->p->out_y; y++) run_line(l, y);
}

static int fits(const layer *l, const thr_channel *c) {
  const uint32_t bias = c->bias < 0 ? 0u - (uint32_t)c->bias : (uint32_t)c->bias;
  const uint32_t most = bias + (uint32_t)l->quads * (4u * 128u * 255u);
  return l->wide && c->shift < MOST_LEFT && most >= bias && thr_short_fits(most, c->mult, c->shift, 0, 0);
}

static void add_row(layer *l, const int8_t *w, const thr_channel *c, int32_t oc) {
  const thr_short s = thr_short_of(c->mult, c->shift, l->p->out_zero);
  const int32_t sum = widen(l, w, s.left);
  if (l->rows == 0) l->first = oc;
  l->run.begin[l->rows] = thr_wrap_shl(c->bias - l->p->in_zero * sum, s.left);
  l->run.scale[l->rows] = (thr_row_scale){s.mult, s.round, s.right, oc - l->first};
  if (++l->rows == ROWS) run_rows(l);
}

/* --- both --- */

static void begin(layer *l, const thr_conv2d_params *p, uint32_t *room) {
  l->line = p->kernel_x * p->in_c;
  l->line_quads = line_quads(p);
  l->quads = l->line_quads * p->kernel_y;
  l->rows = 0;
  l->wide = p->weights.room ? room : NULL;
  l->run.w = room;
  l->run.w_end = room + THR_ROW_QUAD * l->quads;
  l->run.step = p->stride_x * p->in_c;
  l->run.out_step = p->out_c;
  thr_places_inside(p->out_x, p->stride_x, p->pad_x, p->kernel_x - 1, p->in_x, &l->x_begin, &l->x_end);
}

void thr_conv2d_s8_dsp(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = row_elems(p);
  int8_t *const decoded = (int8_t *)scratch + p->weights.room;
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  layer l;
  l.p = p;
  l.in = in;
  l.out = out;
  begin(&l, p, scratch);
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, decoded + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, decoded);
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    if (fits(&l, &channel)) {
      add_row(&l, w, &channel, oc);
    } else {
      run_alone(&l, w, &channel, oc);
    }
  }
  if (l.rows > 0) run_rows(&l);
  thr_clamp_map(out, (uint32_t)(p->out_y * p->out_x * p->out_c), p->lo, p->hi);
}
