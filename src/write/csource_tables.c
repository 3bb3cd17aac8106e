/* Arrays are collected in step order and compared with those already there, so the layout of the source is the same for
 * the same program. What is printed is what the steps hold: coded weights and narrow biases are the encoder's choice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/csource_tables.h"

#include <string.h>

#include "../../rt/core/parse.h"

struct th_table {
  const char *name, *type;
  const void *data;
  size_t count, elem_bytes;
};

typedef struct collector {
  th_tables *t;
  th_arena *arena;
} collector;

const char *th_decoder_name(thr_decode_fn *decode) {
#define THR_CODER(id, name, function) \
  if (decode == (thr_decode_fn *)(function)) return #function;
#include "../../rt/decode/coders.def"
#undef THR_CODER
  return NULL;
}

static const char *add(collector *k, const char *step, const char *what, const char *type, const void *data,
                       size_t count, size_t elem_bytes) {
  for (int i = 0; i < k->t->n; i++) {
    const th_table *o = &k->t->item[i];
    if (o->count == count && !strcmp(o->type, type) && !memcmp(o->data, data, count * elem_bytes)) return o->name;
  }
  const char *name = th_arena_printf(k->arena, "%s_%s", step, what);
  if (name) k->t->item[k->t->n++] = (th_table){name, type, data, count, elem_bytes};
  return name;
}

/* --- collecting --- */

static th_status collect_step(collector *k, const th_program_step *s, const char *name, th_step_tables *t) {
  thr_step step = s->step;
  uint32_t channels, row_elems;
  if (s->form != THR_FORM_NONE) { /* all its constants are in one table */
    t->packed = add(k, name, "packed", "uint32_t", s->packed, s->packed_bytes / 4, 4);
    return t->packed ? TH_OK : TH_ERR_RESOURCE;
  }
  const thr_weights *w = thr_step_weights(&step);
  if (!w) return TH_OK;
  thr_step_weight_rows(&step, &channels, &row_elems);
  if (w->decode && !th_decoder_name(w->decode))
    return th_fail(TH_ERR_INTERNAL, "%s: its weights are coded by an unknown coder", s->name);
  const thr_requant *q = thr_step_requant(&step);
  const thr_bias *bias = thr_step_bias(&step);
  t->weights = add(k, name, "weights", "uint8_t", w->data, w->bytes, 1);
  if (w->decode && w->table_bytes > 0) t->table = add(k, name, "table", "uint8_t", w->table, w->table_bytes, 1);
  if (bias->width > 0) t->bias = add(k, name, "bias", "uint8_t", bias->data, (size_t)channels * bias->width, 1);
  if (q->decode) {
    t->channels = add(k, name, "channels", "uint8_t", q->coded, q->coded_bytes, 1);
    return t->weights && t->channels && (!w->decode || w->table_bytes == 0 || t->table) ? TH_OK : TH_ERR_RESOURCE;
  }
  t->mult = add(k, name, "mult", "int32_t", q->mult, s->requant_count, 4);
  t->shift = add(k, name, "shift", "int8_t", q->shift, s->requant_count, 1);
  if (q->index) t->index = add(k, name, "index", "uint8_t", q->index, channels, 1);
  bool whole = t->weights && t->mult && t->shift && (bias->width == 0 || t->bias) && (!q->index || t->index) &&
               (!w->decode || w->table_bytes == 0 || t->table);
  return whole ? TH_OK : TH_ERR_RESOURCE;
}

static th_status collect_constant(collector *k, const th_program *p, int value) {
  const th_value *v = &p->values[value];
  if (!v->data) return TH_OK;
  const char *name = th_arena_printf(k->arena, "v%d", value);
  if (!name) return TH_ERR_RESOURCE;
  const size_t elem_bytes = th_value_align(p, v);
  const char *type = elem_bytes == 1 ? "int8_t" : elem_bytes == 2 ? "int16_t" : "int32_t"; /* floats by their bits */
  k->t->value[value] = add(k, name, "constant", type, v->data, v->bytes / elem_bytes, elem_bytes);
  return k->t->value[value] ? TH_OK : TH_ERR_RESOURCE;
}

static th_status collect(th_tables *t, const th_program *p, const char *const *step_name, th_arena *arena) {
  *t = (th_tables){.first = p->steps};
  t->item = TH_ARRAY(arena, th_table, 6 * p->n_steps + p->n_values + 1);
  t->step = TH_ARRAY(arena, th_step_tables, p->n_steps + 1);
  t->value = TH_ARRAY(arena, const char *, p->n_values + 1);
  if (!t->item || !t->step || !t->value) return TH_ERR_RESOURCE;
  collector k = {t, arena};
  for (int i = 0; i < p->n_steps; i++) TH_TRY(collect_step(&k, &p->steps[i], step_name[i], &t->step[i]));
  for (int i = 0; i < p->n_values; i++) TH_TRY(collect_constant(&k, p, i));
  return TH_OK;
}

/* --- printing --- */

static void print_element(th_buf *c, const th_table *o, size_t i) {
  if (!strcmp(o->type, "uint32_t")) {
    th_buf_printf(c, "0x%lxu", (unsigned long)((const uint32_t *)o->data)[i]);
  } else if (!strcmp(o->type, "int32_t")) {
    int32_t v = ((const int32_t *)o->data)[i];
    if (v == INT32_MIN)
      th_buf_printf(c, "-2147483647 - 1");
    else
      th_buf_printf(c, "%ld", (long)v);
  } else if (!strcmp(o->type, "int16_t")) {
    th_buf_printf(c, "%d", ((const int16_t *)o->data)[i]);
  } else if (!strcmp(o->type, "int8_t")) {
    th_buf_printf(c, "%d", ((const int8_t *)o->data)[i]);
  } else {
    th_buf_printf(c, "%u", ((const uint8_t *)o->data)[i]);
  }
}

static void print_table(th_buf *c, const th_table *o) {
  size_t per_line = o->elem_bytes == 4 ? 10 : 24;
  /* An empty array is not C: a tensor whose stream needs no bits still has an address. */
  th_buf_printf(c, "static const %s %s[%zu] THR_FLASH = {", o->type, o->name, o->count ? o->count : 1);
  for (size_t i = 0; i < o->count; i++) {
    th_buf_printf(c, i % per_line == 0 ? "\n  " : " ");
    print_element(c, o, i);
    th_buf_printf(c, ",");
  }
  th_buf_printf(c, o->count ? "\n};\n" : "0};\n");
}

th_status th_tables_print(th_tables *t, const th_program *p, const char *const *step_name, th_arena *arena, th_buf *c) {
  TH_TRY(collect(t, p, step_name, arena));
  for (int i = 0; i < t->n; i++) print_table(c, &t->item[i]);
  th_buf_printf(c, "\n");
  return th_buf_status(c);
}

static th_status sum_bytes(const th_program *p, th_arena *arena, uint32_t align, uint64_t *bytes) {
  th_tables t;
  const char **names = TH_ARRAY(arena, const char *, p->n_steps + 1);
  if (!names) return TH_ERR_RESOURCE;
  for (int i = 0; i < p->n_steps; i++) names[i] = "s";
  TH_TRY(collect(&t, p, names, arena));
  *bytes = 0;
  for (int i = t.n - 1; i >= 0; i--) { /* compilers print the last first */
    const th_table *o = &t.item[i];
    const uint64_t step = o->elem_bytes > align ? o->elem_bytes : align;
    *bytes = (*bytes + step - 1) / step * step + (o->count ? o->count : 1) * o->elem_bytes;
  }
  return TH_OK;
}

th_status th_tables_bytes(const th_program *p, uint32_t align, uint64_t *bytes) {
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  const th_status status = sum_bytes(p, arena, align, bytes);
  th_arena_destroy(arena);
  return status;
}

bool th_csource_uses_dot(const th_program_step *s) {
  return s->form == THR_FORM_NONE && s->step.kernel == THR_KERNEL_FULLY_CONNECTED_S8 &&
         s->step.p.fully_connected.weights.dot;
}

th_step_tables th_tables_of_step(const th_tables *t, const th_program_step *s) {
  return t->step[s - t->first];
}

const char *th_tables_of_value(const th_tables *t, int value) {
  return t->value[value];
}
