/* Printing a program as C: tables first (equal ones once), then one parameter struct per step, then the calls.
 * See csource.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/csource.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "eval/form.h"
#include "write/csource_rows.h"
#include "write/csource_tables.h"

enum { IDENTIFIER = 64 };

typedef struct printer {
  const th_program *p;
  th_buf *h, *c;
  char lower[IDENTIFIER], upper[IDENTIFIER];
  const char **step_name; /* identifier of each step: s0_conv1 */
  th_tables tables;
} printer;

void th_csource_identifier(const char *name, bool upper, char *buf, size_t size) {
  size_t n = 0;
  if (!name || !*name) name = "model";
  if (isdigit((unsigned char)*name)) buf[n++] = upper ? 'M' : 'm';
  for (; *name && n + 1 < size; name++) {
    unsigned char ch = (unsigned char)*name;
    buf[n++] = ch < 128 && isalnum(ch) ? (char)(upper ? toupper(ch) : tolower(ch)) : '_';
  }
  buf[n] = 0;
}

/* Text for a C comment: no line ends, no end of comment. */
static void comment_text(th_buf *b, const char *text) {
  for (; *text; text++) {
    unsigned char ch = (unsigned char)*text;
    th_buf_u8(b, ch < 32 || ch == 127 || ch == '*' || ch == '\\' || ch == '?' ? '_' : ch);
  }
}

/* --- numbers --- */

static void field_int(th_buf *b, const char *name, long value) {
  if (value == 0) return; /* as C initializes it */
  if (value == INT32_MIN)
    th_buf_printf(b, " .%s = -2147483647 - 1,", name);
  else
    th_buf_printf(b, " .%s = %ld,", name, value);
}

static void field_ints(th_buf *b, const char *name, const int32_t *v, int n) {
  th_buf_printf(b, " .%s = {", name);
  for (int i = 0; i < n; i++)
    th_buf_printf(b, v[i] == INT32_MIN ? "%s-2147483647 - 1" : "%s%ld", i ? ", " : "", (long)v[i]);
  th_buf_printf(b, "},");
}

static void field_bytes(th_buf *b, const char *name, const int8_t *v, int n) {
  th_buf_printf(b, " .%s = {", name);
  for (int i = 0; i < n; i++) th_buf_printf(b, "%s%d", i ? ", " : "", v[i]);
  th_buf_printf(b, "},");
}

#define INT(member) field_int(b, #member, (long)p->member)
#define INTS(member) field_ints(b, #member, p->member, (int)(sizeof p->member / sizeof *p->member))
#define BYTES(member) field_bytes(b, #member, p->member, (int)(sizeof p->member / sizeof *p->member))

/* --- parameter structs --- */

static void print_weighted(printer *x, const th_program_step *s, const thr_weights *w, const thr_bias *bias,
                           const thr_requant *q) {
  th_buf *b = x->c;
  const th_step_tables t = th_tables_of_step(&x->tables, s);
  if (s->form != THR_FORM_NONE) return; /* weights, biases and multipliers are in its packed table */
  th_buf_printf(b, "\n  .weights = {.data = %s, .bytes = %lu,", t.weights, (unsigned long)w->bytes);
  if (w->decode) th_buf_printf(b, " .decode = %s,", th_decoder_name(w->decode));
  if (t.table) th_buf_printf(b, " .table = %s, .table_bytes = %u,", t.table, w->table_bytes);
  if (w->memory) th_buf_printf(b, " .memory = %u,", w->memory);
  if (w->room) th_buf_printf(b, " .room = %u,", w->room);
  if (th_csource_uses_dot(s)) /* else it need not be linked */
    th_buf_printf(b, " .dot = thr_dot_%s,", th_decoder_name(w->decode) + strlen("thr_decode_"));
  th_buf_printf(b, "},");
  if (t.bias) th_buf_printf(b, "\n  .bias = {.data = %s, .width = %u, .shift = %u},", t.bias, bias->width, bias->shift);
  if (t.channels) {
    th_buf_printf(b, "\n  .requant = {.coded = %s, .coded_bytes = %lu, .decode = thr_decode_channels},", t.channels,
                  (unsigned long)q->coded_bytes);
    return;
  }
  th_buf_printf(b, "\n  .requant = {.mult = %s, .shift = %s,", t.mult, t.shift);
  if (t.index) th_buf_printf(b, " .index = %s,", t.index);
  th_buf_printf(b, " .per_channel = %u},", q->per_channel);
}

static void print_conv2d(printer *x, const th_program_step *s, const thr_conv2d_params *p) {
  th_buf *b = x->c;
  INT(in_y), INT(in_x), INT(in_c), INT(out_y), INT(out_x), INT(out_c);
  th_buf_printf(b, "\n ");
  INT(kernel_y), INT(kernel_x), INT(stride_y), INT(stride_x), INT(dilation_y), INT(dilation_x);
  INT(pad_y), INT(pad_x), INT(groups), INT(acc64);
  th_buf_printf(b, "\n ");
  INT(in_zero), INT(out_zero), INT(lo), INT(hi);
  if (p->w_zero) INT(w_zero);
  print_weighted(x, s, &p->weights, &p->bias, &p->requant);
}

static void print_fully_connected(printer *x, const th_program_step *s, const thr_fully_connected_params *p) {
  th_buf *b = x->c;
  INT(in_n), INT(out_n), INT(in_zero), INT(out_zero), INT(lo), INT(hi), INT(acc64);
  if (p->w_zero) INT(w_zero);
  print_weighted(x, s, &p->weights, &p->bias, &p->requant);
}

static void print_pool2d(printer *x, const th_program_step *s, const thr_pool2d_params *p) {
  th_buf *b = x->c;
  INT(in_y), INT(in_x), INT(c), INT(out_y), INT(out_x);
  INT(kernel_y), INT(kernel_x), INT(stride_y), INT(stride_x), INT(pad_y), INT(pad_x), INT(lo), INT(hi);
}

static void print_elementwise(printer *x, const th_program_step *s, const thr_elementwise_params *p) {
  th_buf *b = x->c;
  INTS(dim), INTS(stride_a), INTS(stride_b);
  INT(a_zero), INT(b_zero), INT(out_zero), INT(lo), INT(hi);
  INTS(mult), BYTES(shift), INT(left_shift);
}

static void print_softmax(printer *x, const th_program_step *s, const thr_softmax_params *p) {
  th_buf *b = x->c;
  INT(rows), INT(depth), INT(mult), INT(diff_min), INT(shift);
}

static void print_unary(printer *x, const th_program_step *s, const thr_unary_params *p) {
  th_buf *b = x->c;
  INT(n), INT(in_zero), INT(out_zero), INT(lo), INT(hi), INT(radius), INTS(mult), BYTES(shift);
}

static void print_mean(printer *x, const th_program_step *s, const thr_mean_params *p) {
  th_buf *b = x->c;
  INT(y), INT(x), INT(c), INT(over_y), INT(over_x), INT(over_c);
  INT(in_zero), INT(out_zero), INT(mult), INT(lo), INT(hi), INT(count), INT(shift);
}

static void print_copy(printer *x, const th_program_step *s, const thr_copy_params *p) {
  th_buf *b = x->c;
  INT(outer), INT(block), INT(out_step), INT(out_offset);
}

static void print_pad(printer *x, const th_program_step *s, const thr_pad_params *p) {
  th_buf *b = x->c;
  INTS(in), INTS(before), INTS(after), INT(value);
}

static void print_quantize(printer *x, const th_program_step *s, const thr_quantize_params *p) {
  th_buf *b = x->c;
  INT(n), INT(zero), INT(type);
  th_buf_printf(b, " .scale = %af,", (double)p->scale); /* hexadecimal: exact */
}

static void print_lookup(printer *x, const th_program_step *s, const thr_lookup_params *p) {
  th_buf *b = x->c;
  INT(n);
}

static void print_argmax(printer *x, const th_program_step *s, const thr_argmax_params *p) {
  th_buf *b = x->c;
  INT(outer), INT(depth), INT(inner), INT(smallest), INT(last);
}

static void print_l2_normalization(printer *x, const th_program_step *s, const thr_l2_normalization_params *p) {
  th_buf *b = x->c;
  INT(rows), INT(depth), INT(in_zero);
}

static void print_log_softmax(printer *x, const th_program_step *s, const thr_log_softmax_params *p) {
  th_buf *b = x->c;
  INT(rows), INT(depth), INT(mult), INT(diff_min), INT(back_mult), INT(shift), INT(back_shift);
}

static void print_strided_copy(printer *x, const th_program_step *s, const thr_strided_copy_params *p) {
  th_buf *b = x->c;
  INT(block), INTS(dim), INTS(in_step), INTS(out_step), INT(in_at), INT(out_at);
}

static void print_resize_nearest(printer *x, const th_program_step *s, const thr_resize_nearest_params *p) {
  th_buf *b = x->c;
  INT(in_y), INT(in_x), INT(out_y), INT(out_x), INT(pixel);
  INT(scale_y), INT(scale_x), INT(shift_y), INT(shift_x), INT(half), INT(round);
}

static void print_resize_bilinear(printer *x, const th_program_step *s, const thr_resize_bilinear_params *p) {
  th_buf *b = x->c;
  INT(in_y), INT(in_x), INT(out_y), INT(out_x), INT(c), INT(scale_y), INT(scale_x), INT(half);
}

static void print_batch_matmul(printer *x, const th_program_step *s, const thr_batch_matmul_params *p) {
  th_buf *b = x->c;
  INT(m), INT(n), INT(k), INTS(dim), INTS(a_step), INTS(b_step);
  INT(a_zero), INT(b_zero), INT(out_zero), INT(mult), INT(shift), INT(adj_a), INT(adj_b);
}

static void print_requantize(printer *x, const th_program_step *s, const thr_requantize_params *p) {
  th_buf *b = x->c;
  INT(n), INT(in_zero), INT(out_zero), INT(mult), INT(shift), INT(in_type), INT(out_type);
}

static void print_svdf(printer *x, const th_program_step *s, const thr_svdf_params *p) {
  th_buf *b = x->c;
  INT(in_n), INT(filters), INT(rank), INT(memory), INT(in_zero), INT(state_zero), INT(out_zero);
  print_weighted(x, s, &p->weights, &p->bias, &p->requant);
}

static void print_lstm(printer *x, const th_program_step *s, const thr_lstm_params *p) {
  th_buf *b = x->c;
  INT(time), INT(in_n), INT(n), INT(in_zero), INT(out_zero), INT(clip), INT(tanh_mult), INT(tanh_shift), INT(restart);
  print_weighted(x, s, &p->weights, &p->bias, &p->requant);
}

static void print_params(printer *x, int i) {
  const th_program_step *s = &x->p->steps[i];
  th_buf_printf(x->c, "/* ");
  comment_text(x->c, s->name);
  th_buf_printf(x->c, " */\n");
  switch (s->step.kernel) {
#define THR_KERNEL(id, name, params, n_in, scratch, t_in, t_out, over)                               \
  case THR_KERNEL_##id:                                                                              \
    th_buf_printf(x->c, "static const thr_%s_params %s THR_FLASH = {\n ", #params, x->step_name[i]); \
    print_##params(x, s, &s->step.p.params);                                                         \
    break;
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
    default:
      break;
  }
  th_buf_printf(x->c, "\n};\n\n");
}

/* --- calls --- */

/* Pointers to void, which C turns into those of the kernel's parameters. */
static void print_input(printer *x, int value) {
  const th_value *v = &x->p->values[value];
  if (v->data)
    th_buf_printf(x->c, ", (const void *)%s", th_tables_of_value(&x->tables, value));
  else
    th_buf_printf(x->c, ", (const void *)(a + %lu)", (unsigned long)v->offset);
}

/* thr_NAME(&params: the form that runs the step, or its kernel. Returns whether the function takes scratch. */
static bool print_function(printer *x, int i) {
  const th_program_step *s = &x->p->steps[i];
  const th_form *form = th_form_of(s->form);
  if (form) {
    const char *packed = th_tables_of_step(&x->tables, s).packed;
    th_buf_printf(x->c, "  thr_%s(&%s, %s", form->name, x->step_name[i], packed);
    return true;
  }
  switch (s->step.kernel) {
#define THR_KERNEL(id, name, params, n_in, has_scratch, t_in, t_out, over)                       \
  case THR_KERNEL_##id:                                                                          \
    th_buf_printf(x->c, "  THR_RUN(thr_%s, thr_%s_params, %s", #name, #params, x->step_name[i]); \
    return has_scratch;
#include "../../rt/kernel/kernels.def"
#undef THR_KERNEL
    default:
      return false;
  }
}

static void print_call(printer *x, int i) {
  const th_program_step *s = &x->p->steps[i];
  const th_value *out = &x->p->values[s->out];
  const bool scratch = print_function(x, i);
  for (int k = 0; k < s->n_in; k++) print_input(x, s->in[k]);
  th_buf_printf(x->c, ", (void *)(a + %lu)", (unsigned long)out->offset);
  if (scratch && s->scratch_bytes > 0)
    th_buf_printf(x->c, ", a + %lu", (unsigned long)s->scratch_offset);
  else if (scratch)
    th_buf_printf(x->c, ", 0");
  th_buf_printf(x->c, "); AFTER(%d);\n", i);
}

/* One call per layer, or per chain of layers that run line by line. */
static void print_calls(printer *x) {
  for (int i = 0; i < x->p->n_steps; i++) {
    const int segment = th_csource_segment_at(x->p, i);
    if (segment < 0) {
      print_call(x, i);
    } else {
      th_csource_call_segment(x->p, segment, x->step_name, x->c);
      i = x->p->segments[segment].last;
    }
  }
}

/* --- variables --- */

static bool has_states(const th_program *p) {
  for (int i = 0; i < p->n_values; i++)
    if (p->values[i].state) return true;
  return false;
}

static void print_initial(printer *x, const th_value *v) {
  const uint8_t *bytes = v->initial;
  th_buf_printf(x->c, "  {\n    static const unsigned char initial[%lu] = {", (unsigned long)v->bytes);
  for (uint32_t i = 0; i < v->bytes; i++) th_buf_printf(x->c, "%s%u", i == 0 ? "" : i % 24 ? "," : ",\n    ", bytes[i]);
  th_buf_printf(x->c, "};\n    memcpy((unsigned char *)arena + %lu, initial, %lu);\n  }\n", (unsigned long)v->offset,
                (unsigned long)v->bytes);
}

static void print_reset(printer *x) {
  const bool any = has_states(x->p);
  th_buf_printf(x->c, "void %s_reset(void *arena) {\n", x->lower);
  if (!any) th_buf_printf(x->c, "  (void)arena;\n");
  for (int i = 0; i < x->p->n_values; i++) {
    const th_value *v = &x->p->values[i];
    if (v->state && v->initial)
      print_initial(x, v);
    else if (v->state)
      th_buf_printf(x->c, "  memset((unsigned char *)arena + %lu, %u, %lu);\n", (unsigned long)v->offset, v->fill,
                    (unsigned long)v->bytes);
  }
  th_buf_printf(x->c, "}\n\n");
}

/* --- header --- */

static void print_io(printer *x, const char *what, const int *values, int n) {
  th_buf_printf(x->h, "#define %s_%sS %d\n", x->upper, what, n);
  for (int i = 0; i < n; i++) {
    const th_value *v = &x->p->values[values[i]];
    const th_tensor *t = &x->p->graph->tensors[v->tensor];
    char shape[TH_SHAPE_TEXT];
    th_buf_printf(x->h, "/* ");
    comment_text(x->h, v->name);
    th_buf_printf(x->h, ": %s %s", th_dtype_name(t->dtype), th_shape_text(&t->shape, shape));
    if (t->quant.count == 1) th_buf_printf(x->h, ", real = scale (q - zero)");
    th_buf_printf(x->h, " */\n#define %s_%s%d_OFFSET %luu\n#define %s_%s%d_BYTES %luu\n", x->upper, what, i,
                  (unsigned long)v->offset, x->upper, what, i, (unsigned long)v->bytes);
    if (t->quant.count != 1) continue;
    th_buf_printf(x->h, "#define %s_%s%d_SCALE %.9ef\n#define %s_%s%d_ZERO (%d)\n", x->upper, what, i,
                  (double)t->quant.scale[0], x->upper, what, i, t->quant.zero[0]);
  }
}

static void print_access(printer *x, const char *lower, const char *what, int n) {
  th_buf_printf(x->h, "static inline void *%s_%s(void *arena, unsigned i) {\n", x->lower, lower);
  if (n == 1)
    th_buf_printf(x->h, "  (void)i;\n  return (unsigned char *)arena + %s_%s0_OFFSET;\n}\n", x->upper, what);
  else {
    th_buf_printf(x->h, "  static const uint32_t offset[%d] = {", n);
    for (int i = 0; i < n; i++) th_buf_printf(x->h, "%s%s_%s%d_OFFSET", i ? ", " : "", x->upper, what, i);
    th_buf_printf(x->h, "};\n  return (unsigned char *)arena + offset[i];\n}\n");
  }
  th_buf_printf(x->h, "static inline uint32_t %s_%s_bytes(unsigned i) {\n", x->lower, lower);
  if (n == 1)
    th_buf_printf(x->h, "  (void)i;\n  return %s_%s0_BYTES;\n}\n", x->upper, what);
  else {
    th_buf_printf(x->h, "  static const uint32_t bytes[%d] = {", n);
    for (int i = 0; i < n; i++) th_buf_printf(x->h, "%s%s_%s%d_BYTES", i ? ", " : "", x->upper, what, i);
    th_buf_printf(x->h, "};\n  return bytes[i];\n}\n");
  }
}

static void print_header(printer *x) {
  th_buf_printf(x->h,
                "/* Written by Thimble. How to use it:\n"
                " *   static uint32_t arena[(%s_ARENA_BYTES + 3) / 4];   4-byte aligned\n"
                " *   %s_reset(arena);                                   once, and when a new sequence begins\n"
                " *   memcpy(%s_input(arena, 0), ..., %s_INPUT0_BYTES);\n"
                " *   %s_run(arena);                                     overwrites the inputs\n"
                " *   ... %s_output(arena, 0) ...                        %s_OUTPUT0_BYTES bytes */\n",
                x->upper, x->lower, x->lower, x->upper, x->lower, x->lower, x->upper);
  th_buf_printf(x->h,
                "#ifndef %s_MODEL_H\n#define %s_MODEL_H\n\n#include <stdint.h>\n\n"
                "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
                x->upper, x->upper);
  th_buf_printf(x->h, "#define %s_ARENA_BYTES %luu\n", x->upper, (unsigned long)x->p->arena_bytes);
  th_buf_printf(x->h, "#define %s_STATE_OFFSET %luu /* of what must stay in the arena from run to run */\n", x->upper,
                (unsigned long)x->p->states_at);
  th_buf_printf(x->h, "#define %s_STATE_BYTES %luu\n\n", x->upper, (unsigned long)x->p->state_bytes);
  print_io(x, "INPUT", x->p->inputs, x->p->n_inputs);
  th_buf_printf(x->h, "\n");
  print_io(x, "OUTPUT", x->p->outputs, x->p->n_outputs);
  th_buf_printf(x->h, "\n");
  print_access(x, "input", "INPUT", x->p->n_inputs);
  print_access(x, "output", "OUTPUT", x->p->n_outputs);
  th_buf_printf(x->h, "\nvoid %s_reset(void *arena);\nvoid %s_run(void *arena);\n\n", x->lower, x->lower);
  th_buf_printf(x->h,
                "#define %s_LAYERS %d\n#ifdef THIMBLE_PROFILE\n"
                "void %s_after(unsigned layer); /* yours: called after each layer, to measure it */\n#endif\n\n"
                "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
                x->upper, x->p->n_steps, x->lower);
}

static th_status name_steps(printer *x, th_arena *arena) {
  x->step_name = TH_ARRAY(arena, const char *, x->p->n_steps + 1);
  if (!x->step_name) return TH_ERR_RESOURCE;
  for (int i = 0; i < x->p->n_steps; i++) {
    char id[IDENTIFIER];
    if (x->p->steps[i].step.kernel == THR_KERNEL_NONE)
      return th_fail(TH_ERR_INPUT, "%s has no integer kernel: quantize the model before writing C",
                     x->p->steps[i].name);
    th_csource_identifier(x->p->steps[i].name, false, id, sizeof id);
    x->step_name[i] = th_arena_printf(arena, "s%d_%s", i, id);
    if (!x->step_name[i]) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

static bool has_forms(const th_program *p) {
  for (int i = 0; i < p->n_steps; i++)
    if (p->steps[i].form != THR_FORM_NONE) return true;
  return false;
}

static th_status print_all(printer *x, th_arena *arena) {
  TH_TRY(name_steps(x, arena));
  print_header(x);
  th_buf_printf(x->c,
                "/* Written by Thimble: the model's constants and its run, one kernel call per layer. */\n"
                "#include \"%s.h\"\n\n%s#include \"kernel/%s.h\"\n#include \"thr_flash.h\"\n%s\n",
                x->lower, has_states(x->p) ? "#include <string.h>\n\n" : "", x->p->n_segments ? "rows" : "select",
                has_forms(x->p) ? "#include \"thr_form.h\"\n" : "");
  th_buf_printf(x->c,
                "#ifdef THIMBLE_PROFILE\n#define AFTER(layer) %s_after(layer)\n#else\n"
                "#define AFTER(layer) ((void)0)\n#endif\n\n",
                x->lower);
  TH_TRY(th_tables_print(&x->tables, x->p, x->step_name, arena, x->c));
  for (int i = 0; i < x->p->n_steps; i++) print_params(x, i);
  for (int i = 0; i < x->p->n_segments; i++) TH_TRY(th_csource_stages(x->p, i, x->step_name, &x->tables, x->c));
  print_reset(x);
  th_buf_printf(x->c, "void %s_run(void *arena) {\n  unsigned char *const a = (unsigned char *)arena;\n", x->lower);
  print_calls(x);
  th_buf_printf(x->c, "}\n");
  TH_TRY(th_buf_status(x->h));
  return th_buf_status(x->c);
}

th_status th_csource_write(const th_program *program, const char *name, th_buf *header, th_buf *source) {
  printer x = {.p = program, .h = header, .c = source};
  th_csource_identifier(name, false, x.lower, sizeof x.lower);
  th_csource_identifier(name, true, x.upper, sizeof x.upper);
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = print_all(&x, arena);
  th_arena_destroy(arena);
  return status;
}
