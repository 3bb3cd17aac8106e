/* Steps as stages; see stage.h. SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <string.h>

#include "../kernel/rows.h"
#include "fields.h"

enum { FORM_NONE, FORM_WINDOW, FORM_ONE, FORM_TWO };

typedef struct form {
  thr_row_fn *row;
  uint8_t form;
} form;

static form form_of(thr_kernel_id kernel) {
  form f = {NULL, FORM_NONE};
  switch (kernel) {
#define THR_ROW(id, name, params, kind) \
  case THR_KERNEL_##id:                 \
    f.row = thr_##name##_row;           \
    f.form = FORM_##kind;               \
    break;
#include "../kernel/rows.def"
#undef THR_ROW
    default:
      break;
  }
  return f;
}

int thr_row_is_elementwise(thr_kernel_id kernel) {
  return form_of(kernel).form >= FORM_ONE;
}

/* Rows and bytes as a stage holds them, or 0. */
static int set_lines(thr_lines *lines, int64_t rows, int64_t bytes) {
  if (rows < 1 || rows > UINT16_MAX || bytes < 1 || bytes > INT32_MAX / 4) return 0;
  lines->rows = lines->kept = (uint16_t)rows;
  lines->bytes = (uint32_t)bytes;
  return 1;
}

static void set_window(thr_stage_input *in, int16_t kernel, int16_t stride, int16_t dilation, int16_t pad) {
  in->kernel = kernel;
  in->stride = stride;
  in->dilation = dilation;
  in->pad = pad;
}

/* Whether the numbers of lines stay within 32 bits. */
static int counts_fit(const thr_stage *s) {
  const thr_stage_input *in = &s->in[0];
  return (int64_t)s->out.rows * in->stride + (int64_t)in->kernel * in->dilation <= INT32_MAX;
}

static int shape_conv2d(const thr_step *step, thr_stage *s) {
  const thr_conv2d_params *p = &step->p.conv2d;
  if (p->kernel_y < 1 || p->kernel_y > THR_STAGE_LINES) return 0;
  set_window(&s->in[0], p->kernel_y, p->stride_y, p->dilation_y, p->pad_y);
  s->coded = p->weights.decode != NULL;
  return set_lines(&s->in[0].lines, p->in_y, (int64_t)p->in_x * p->in_c) &&
         set_lines(&s->out, p->out_y, (int64_t)p->out_x * p->out_c);
}

static int shape_pool2d(const thr_step *step, thr_stage *s) {
  const thr_pool2d_params *p = &step->p.pool2d;
  if (p->kernel_y < 1 || p->kernel_y > THR_STAGE_LINES) return 0;
  set_window(&s->in[0], p->kernel_y, p->stride_y, 1, p->pad_y);
  return set_lines(&s->in[0].lines, p->in_y, (int64_t)p->in_x * p->c) &&
         set_lines(&s->out, p->out_y, (int64_t)p->out_x * p->c);
}

/* Elements of a line; 0 when the parameters are not those of one line. */
static int64_t line_elems(const thr_step *step) {
  const thr_elementwise_params *e = &step->p.elementwise;
  switch (thr_kernel_params(step->kernel)) {
    case THR_PARAMS_unary:
      return step->p.unary.n;
    case THR_PARAMS_lookup:
      return step->p.lookup.n;
    case THR_PARAMS_elementwise:
      return e->dim[0] == 1 && e->dim[1] == 1 ? (int64_t)e->dim[2] * e->dim[3] : 0;
    default:
      return 0;
  }
}

/* The second operand of a lookup is its table. */
static int shape_elementwise(const thr_step *step, uint32_t rows, thr_stage *s) {
  const int64_t n = line_elems(step);
  if (!set_lines(&s->out, rows, n)) return 0;
  for (uint32_t k = 0; k < s->inputs; k++) {
    set_window(&s->in[k], 1, 1, 1, 0);
    set_lines(&s->in[k].lines, rows, k > 0 && step->kernel == THR_KERNEL_LOOKUP_S8 ? 256 : n);
  }
  return 1;
}

int thr_stage_shape(const thr_step *step, uint32_t rows, thr_stage *stage) {
  const form f = form_of(step->kernel);
  memset(stage, 0, sizeof *stage);
  stage->row = f.row;
  stage->params = &step->p;
  stage->inputs = f.form == FORM_TWO ? 2 : 1;
  for (uint32_t k = 0; k < THR_STAGE_INPUTS; k++) stage->in[k].from = -1;
  if (f.form == FORM_NONE) return 0;
  if (f.form != FORM_WINDOW) return shape_elementwise(step, rows, stage);
  const int is_pool = thr_kernel_params(step->kernel) == THR_PARAMS_pool2d;
  return (is_pool ? shape_pool2d(step, stage) : shape_conv2d(step, stage)) && counts_fit(stage);
}

int thr_stage_of_parsed(const thr_parsed_step *parsed, thr_stage *stage) {
  if (!thr_stage_shape(&parsed->step, parsed->rows, stage)) return 0;
  stage->out.at = parsed->out;
  stage->out.kept = parsed->kept;
  stage->weights = parsed->scratch;
  for (uint32_t i = 0; i < stage->inputs; i++) {
    thr_stage_input *in = &stage->in[i];
    in->data = (const int8_t *)parsed->in[i].data;
    in->lines.at = parsed->in[i].offset;
    in->from = (int8_t)(parsed->from[i] - 1);
    if (in->from >= 0) in->lines.kept = parsed->in_kept[i];
  }
  return 1;
}
