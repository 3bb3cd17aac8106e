/* See csource_rows.h. SPDX-License-Identifier: Apache-2.0 */
#include "write/csource_rows.h"

#include "eval/chain.h"

static const char *row_name(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_ROW(id, name, params, form) \
  case THR_KERNEL_##id:                 \
    return "thr_" #name "_row";
#include "../../rt/kernel/rows.def"
#undef THR_ROW
    default:
      return "";
  }
}

static void print_lines(th_buf *c, const thr_lines *l) {
  th_buf_printf(c, "{%luu, %luu, %u, %u}", (unsigned long)l->at, (unsigned long)l->bytes, l->rows, l->kept);
}

static void print_input(th_buf *c, const thr_stage_input *in, const char *constant) {
  th_buf_printf(c, "\n    {");
  print_lines(c, &in->lines);
  th_buf_printf(c, ", %s%s, %d, %d, %d, %d, %d}", constant ? "(const int8_t *)" : "", constant ? constant : "0",
                in->from, in->kernel, in->stride, in->dilation, in->pad);
}

/* An unused second input is the zeros that C gives it. */
static void print_stage(th_buf *c, const th_program_step *s, const char *name, const thr_stage *stage,
                        const th_tables *tables) {
  th_buf_printf(c, "  {%s, &%s, ", row_name(s->step.kernel), name);
  print_lines(c, &stage->out);
  th_buf_printf(c, ", {");
  for (int k = 0; k < stage->inputs; k++) {
    if (k > 0) th_buf_printf(c, ",");
    print_input(c, &stage->in[k], stage->in[k].data ? th_tables_of_value(tables, s->in[k]) : NULL);
  }
  if (stage->inputs < THR_STAGE_INPUTS) th_buf_printf(c, ",\n    {{0, 0, 0, 0}, 0, 0, 0, 0, 0, 0}");
  th_buf_printf(c, "}, %luu, %u, %u},\n", (unsigned long)stage->weights, stage->inputs, stage->coded);
}

th_status th_csource_stages(const th_program *p, int i, const char *const *step_name, const th_tables *tables,
                            th_buf *c) {
  th_chain chain;
  const th_segment *segment = &p->segments[i];
  if (!th_chain_of(p, segment->first, segment->last, &chain))
    return th_fail(TH_ERR_INTERNAL, "%s begins no chain", p->steps[segment->first].name);
  th_buf_printf(
      c, "/* place in the arena, bytes, number and kept number of lines of each map; windows; of decoded weights */\n");
  th_buf_printf(c, "static const thr_stage chain%d[] THR_FLASH = {\n", i);
  for (int k = segment->first; k <= segment->last; k++)
    print_stage(c, &p->steps[k], step_name[k], &chain.stage[k - segment->first], tables);
  th_buf_printf(c, "};\n\n");
  return th_buf_status(c);
}

void th_csource_call_segment(const th_program *p, int i, const char *const *step_name, th_buf *c) {
  const th_segment *s = &p->segments[i];
  for (int k = s->first; k <= s->last; k++) {
    thr_step step = p->steps[k].step;
    const thr_weights *w = thr_step_weights(&step);
    if (w && w->decode)
      th_buf_printf(c, "  thr_unpack(&%s.weights, %lu, (int8_t *)a + %lu);\n", step_name[k],
                    (unsigned long)p->steps[k].weight_count, (unsigned long)p->steps[k].scratch_offset);
  }
  th_buf_printf(c, "  thr_rows_run(thr_stage_of_table, chain%d, %d, a); AFTER(%d);\n", i, s->last - s->first + 1,
                s->last);
}

int th_csource_segment_at(const th_program *p, int step) {
  for (int i = 0; i < p->n_segments; i++)
    if (p->segments[i].first == step) return i;
  return -1;
}
