/* The Huffman codes of a layer's weights: every word with its length and how often the stream holds it.
 *
 * Words come from the code table itself, read by the runtime's own parser; uses are counted in the weights. The lengths
 * times the uses are the bits of the stream (tests/unit/test_report.c checks that).
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../rt/core/parse.h"
#include "../../rt/decode/code.h"
#include "lib/report.h"

enum { NUMBERS = 256 };

/* How often each number is coded. */
typedef struct uses {
  uint32_t of[NUMBERS];
} uses;

/* A word stands for the 2^extra numbers base + step * (symbol << extra) and those behind it in such steps. */
static void write_code(const thr_code *code, const uses *u, bool is_signed, const char *kind, th_json *codes) {
  th_json *o = th_json_add_object(codes, NULL);
  th_json_add_string(o, "kind", kind);
  th_json_add_int(o, "extra", code->extra);
  th_json *words = th_json_add_array(o, "words");
  uint32_t at = 0;
  for (uint32_t length = 0; length <= code->longest; length++) {
    for (uint32_t i = 0; i < code->count[length]; i++, at++) {
      const uint32_t first = thr_code_symbol(code, at) << code->extra;
      uint64_t used = 0;
      for (uint32_t k = 0; k < 1u << code->extra; k++) used += u->of[(code->base + code->step * (first + k)) % NUMBERS];
      const uint8_t number = (uint8_t)(code->base + code->step * first);
      th_json *word = th_json_add_array(words, NULL);
      th_json_add_int(word, NULL, is_signed ? (int8_t)number : number);
      th_json_add_int(word, NULL, length);
      th_json_add_int(word, NULL, (int64_t)used);
    }
  }
}

static void write_values(const thr_code *code, const th_program_step *s, bool zeros, th_json *codes) {
  uses u = {{0}};
  for (uint32_t i = 0; i < s->weight_count; i++) u.of[(uint8_t)s->weights[i]] += zeros || s->weights[i] != 0;
  write_code(code, &u, true, zeros ? "weights" : "values", codes);
}

/* A word of the gap code for as many zeros as come before a value; a long gap takes escapes first, each for
 * escape << extra of them (docs/format.md). Escapes count as a number of their own, without plain bits. */
static void write_gaps(thr_code *code, uint32_t escape, const th_program_step *s, th_json *codes) {
  const uint32_t extra = code->extra, span = escape << extra ? escape << extra : 1;
  uses u = {{0}};
  uint32_t gap = 0;
  for (uint32_t i = 0; i < s->weight_count; i++) {
    if (s->weights[i] == 0) {
      gap++;
      continue;
    }
    u.of[escape] += gap / span;
    u.of[(gap % span) >> extra]++;
    gap = 0;
  }
  u.of[escape] += (gap + span - 1) / span;
  code->extra = 0; /* symbols, not numbers: the escape has no plain bits */
  write_code(code, &u, false, "gaps", codes);
  th_json *o = (th_json *)th_json_at(codes, th_json_count(codes) - 1);
  th_json_add_int(o, "escape", escape);
  th_json_add_int(o, "plain_bits", extra);
}

th_status th_report_codes(th_json *layer, const th_program_step *s, thr_coder coder) {
  thr_step step = s->step;
  thr_code first, second;
  if (coder != THR_CODER_HUFFMAN && coder != THR_CODER_GAP_HUFFMAN) return TH_OK;
  const uint8_t *table = thr_step_weights(&step)->table, *end = table + thr_step_weights(&step)->table_bytes;
  th_json *codes = th_json_add_array(layer, "codes");
  const bool gaps = coder == THR_CODER_GAP_HUFFMAN;
  const uint8_t *next = thr_code_parse(&first, table + gaps, end);
  if (!next || (gaps && !thr_code_parse(&second, next, end)))
    return th_fail(TH_ERR_INTERNAL, "%s: its code table cannot be read", s->name);
  if (!gaps) {
    write_values(&first, s, true, codes);
    return TH_OK;
  }
  write_gaps(&first, table[0], s, codes);
  write_values(&second, s, false, codes);
  return TH_OK;
}
