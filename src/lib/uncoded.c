/* See uncoded.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/uncoded.h"

#include "base/str.h"
#include "eval/form.h"

typedef enum reason { CODED, FORM, ARENA, SCRATCH, SIZE, REASONS } reason;

static const struct {
  const char *name, *text;
} about[REASONS] = {
    [FORM] = {"form", "run by forms, which arrange raw weights (forms none keeps them coded)"},
    [ARENA] = {"arena", "raw, as decoding would take more of the arena (arena N allows it)"},
    [SCRATCH] = {"scratch", "raw, as a row and the decoder would take more scratch than 512 bytes"},
    [SIZE] = {"size", "raw, as that is no larger"},
};
_Static_assert(THR_DECODE_MOST == 512, "the text above");

static reason reason_of(const th_deployed *d, int step) {
  const th_program_step *s = &d->program->steps[step];
  const th_step_bytes *b = &d->bytes[step];
  if (s->weight_count == 0 || b->coder != THR_CODER_RAW) return CODED;
  if (th_form_of(s->form)) return FORM;
  if (s->raw) return ARENA;
  return b->scratch > 0 ? SCRATCH : SIZE;
}

static void write_json(const th_deployed *d, th_json *json) {
  th_json *list = th_json_add_array(json, "uncoded");
  for (int i = 0; i < d->program->n_steps; i++) {
    const reason why = reason_of(d, i);
    if (why == CODED) continue;
    th_json *o = th_json_add_object(list, NULL);
    th_json_add_string(o, "name", d->program->steps[i].name);
    th_json_add_string(o, "why", about[why].name);
    if (why == SCRATCH) th_json_add_int(o, "scratch_bytes", d->bytes[i].scratch);
  }
}

/* The layers of one reason; how many there were. */
static int write_layers(const th_deployed *d, reason why, th_buf *text) {
  int n = 0;
  for (int i = 0; i < d->program->n_steps; i++) {
    if (reason_of(d, i) != why) continue;
    th_buf_printf(text, "%s%s", n++ ? ", " : "", d->program->steps[i].name);
    if (why == SCRATCH) th_buf_printf(text, " (%u)", (unsigned)d->bytes[i].scratch);
  }
  return n;
}

void th_uncoded_write(const th_deployed *d, const char *coder, th_json *json, th_buf *text) {
  if (th_str_eq(coder, "auto") || th_str_eq(coder, "raw")) return;
  const bool may_be_raw = th_str_eq(coder, "smallest"); /* then what is no larger raw says nothing new */
  write_json(d, json);
  int groups = 0;
  for (reason why = CODED + 1; why < REASONS; why++) {
    th_buf layers = {0};
    if (may_be_raw && why != ARENA) continue;
    if (write_layers(d, why, &layers) > 0) {
      if (groups++ == 0) th_buf_printf(text, "\nnot coded by %s: ", coder);
      th_buf_printf(text, "%s%s: %s", groups > 1 ? "; " : "", th_buf_cstr(&layers), about[why].text);
    }
    th_buf_free(&layers);
  }
  if (groups > 0) th_buf_printf(text, "\n");
}
