/* Recipes of the search: the templates of the technique tables with their words filled in. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "lib/fit.h"

static const th_technique techniques[] = {
#define TH_TECHNIQUE(name, what, group, values, probes, probe, rate, share, stage) \
  {#name, what, group, values, probes, probe, rate, share, stage},
#include "lib/fit_techniques.def"
#undef TH_TECHNIQUE
};

const th_technique *th_technique_of(int id) {
  return &techniques[id];
}

/* --- values --- */

static int count_words(const char *list) {
  int n = 0;
  for (const char *p = list; *p; p++) n += *p != ' ' && (p == list || p[-1] == ' ');
  return n;
}

static const char *word_of(const char *list, int i, char word[16]) {
  const char *p = list;
  for (; i > 0; i--) p += strcspn(p, " ") + 1;
  snprintf(word, 16, "%.*s", (int)strcspn(p, " "), p);
  return word;
}

int th_technique_values(int id) {
  return count_words(techniques[id].values);
}

const char *th_technique_value(int id, int i, char word[16]) {
  return word_of(techniques[id].values, i, word);
}

int th_technique_probes(int id) {
  return count_words(techniques[id].probes);
}

const char *th_technique_probe(int id, int i, char word[16]) {
  return word_of(techniques[id].probes, i, word);
}

/* What a rate leaves of 4 bits was measured on small convolutional networks: 2.3 bits become 1.7 at 0.1. */
double th_technique_keeps(int id, const char *value) {
  double v;
  if (!th_str_double(value, &v)) return atof(value + strcspn(value, "0123456789")) / 8; /* int4 */
  if (id == TH_TECHNIQUE_rate) return 0.5 / (1 + 3 * v);
  return id == TH_TECHNIQUE_clusters ? log2(v) / 8 : 1 - v;
}

/* --- filling in --- */

typedef struct filling {
  const th_fit_search *s;
  int technique;
  const char *value;
  int layer;                 /* the one meant, -1: all */
  const th_candidate *spare; /* whose sensitive layers are spared; NULL: none is */
  int epochs;
  double share; /* of the int8 bytes */
} filling;

const char *th_fit_layer_name(const th_fit_search *s, int layer) {
  return s->model->graph->nodes[s->weights[layer].node].name;
}

/* Inside double quotes. */
static void put_quoted(th_buf *b, const char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') th_buf_u8(b, '\\');
    th_buf_u8(b, (uint8_t)*text);
  }
}

/* NAME or NAME=VALUE of the layers that are meant, or of the others. */
static void put_layers(const filling *f, bool meant, const char *value, th_buf *b) {
  const char *comma = "";
  for (int i = 0; i < f->s->layers; i++) {
    if ((f->layer < 0 || f->layer == i) != meant) continue;
    th_buf_printf(b, "%s", comma);
    put_quoted(b, th_fit_layer_name(f->s, i));
    if (value) th_buf_printf(b, "=%s", value);
    comma = ",";
  }
}

static void put_spared(const filling *f, const char *value, th_buf *b) {
  const char *comma = "";
  for (int i = 0; f->spare && f->spare->spare && i < f->s->layers; i++) {
    if (!th_fit_spares(f->s, i, f->technique)) continue;
    th_buf_printf(b, "%s", comma);
    put_quoted(b, th_fit_layer_name(f->s, i));
    th_buf_printf(b, "%s", value);
    comma = ",";
  }
}

static void put_rate(const filling *f, th_buf *b) {
  th_buf_printf(b, "%g", techniques[f->technique].rate * (f->s->normalized ? 2 : 1));
}

static int epochs_of(const filling *f) {
  if (!f->epochs) return 0;
  const int n = (int)lround(f->epochs * techniques[f->technique].share);
  return n > 1 ? n : 1;
}

static void put_word(const filling *f, const char *word, size_t n, th_buf *b) {
  const int64_t bytes = (int64_t)(f->share * (double)f->s->int8_bytes);
#define IS(name) (n == sizeof name - 1 && !memcmp(word, name, n))
  if (IS("value")) th_buf_printf(b, "%s", f->value);
  if (IS("layers")) put_layers(f, true, f->value, b);
  if (IS("others")) put_layers(f, false, NULL, b);
  if (IS("kept")) put_spared(f, "", b);
  if (IS("kept8")) put_spared(f, "=int8", b);
  if (IS("epochs")) th_buf_printf(b, "%d", epochs_of(f));
  if (IS("rate")) put_rate(f, b);
  if (IS("bytes")) th_buf_printf(b, "%" PRId64, bytes);
#undef IS
}

static void fill(const filling *f, const char *pattern, th_buf *b) {
  for (const char *p = pattern; *p;) {
    const size_t plain = strcspn(p, "$");
    th_buf_append(b, p, plain);
    p += plain;
    if (*p != '$') continue;
    const size_t n = strspn(++p, "abcdefghijklmnopqrstuvwxyz8");
    put_word(f, p, n, b);
    p += n;
  }
}

/* --- whole recipes --- */

static const char *finish(const th_fit_search *s, th_buf *b) {
  const char *text = th_buf_status(b) == TH_OK ? th_arena_strdup(s->arena, th_buf_cstr(b)) : NULL;
  th_buf_free(b);
  return text;
}

static void begin(const th_fit_search *s, th_buf *b) {
  th_buf_printf(b, "seed: %" PRIu64 "\nstages:\n", s->options->seed);
}

const char *th_fit_probe_recipe(const th_fit_search *s, int technique, const char *value, int layer) {
  const filling f = {.s = s, .technique = technique, .value = value, .layer = layer};
  th_buf b = {0};
  begin(s, &b);
  fill(&f, techniques[technique].probe, &b);
  return finish(s, &b);
}

static const struct {
  double share;
  const char *stage;
} untrained[] = {
#define TH_UNTRAINED(share, stage) {share, stage},
#include "lib/fit_untrained.def"
#undef TH_UNTRAINED
};

int th_fit_untrained_rows(void) {
  return (int)(sizeof untrained / sizeof *untrained);
}

double th_fit_untrained_share(int row) {
  return untrained[row].share;
}

/* Whether a stage of the recipe quantizes the weights already. */
static bool quantizes(const th_candidate *c) {
  return c->level[TH_TECHNIQUE_clusters] >= 0 || c->level[TH_TECHNIQUE_bits] >= 0 || c->level[TH_TECHNIQUE_rate] >= 0;
}

static void put_stages(const th_fit_search *s, const th_candidate *c, int epochs, th_buf *b) {
  char word[16];
  filling f = {.s = s, .layer = -1, .spare = c, .epochs = epochs};
  if (c->untrained >= 0) {
    f.share = untrained[c->untrained].share;
    fill(&f, untrained[c->untrained].stage, b);
    return;
  }
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) {
    if (c->level[t] < 0) continue;
    f.technique = t;
    f.value = th_technique_value(t, c->level[t], word);
    fill(&f, techniques[t].stage, b);
  }
  if (!quantizes(c)) th_buf_printf(b, "  - quantize:\n");
}

enum { FOR_STACK = 768 }; /* more than any kernel needs */

/* What the RAM limit leaves to the arena; a build that is to keep it codes its weights as far as that allows. */
static int64_t arena_limit(const th_fit_search *s) {
  return s->ram_limit > FOR_STACK ? s->ram_limit - FOR_STACK : 0;
}

const char *th_fit_recipe(const th_fit_search *s, const th_candidate *c, int epochs) {
  th_buf b = {0};
  begin(s, &b);
  if (th_graph_is_float(s->model->graph)) put_stages(s, c, epochs, &b);
  th_buf_printf(&b, "  - compile: {target: %s, arena: %" PRId64 "}\n", s->target, arena_limit(s));
  return finish(s, &b);
}

const char *th_fit_final_recipe(const th_fit_search *s, const th_fit_trial *t) {
  const char *compile = strstr(t->job.recipe, "  - compile:");
  return th_arena_printf(s->arena, "%.*s  - compile: {target: %s, arena: %" PRId64 ", optimize: %s, coder: %s}\n",
                         (int)(compile - t->job.recipe), t->job.recipe, s->target, arena_limit(s), t->best.optimize,
                         t->best.coder);
}

const char *th_fit_bench_command(const th_fit_search *s, const th_fit_build *b) {
  return th_arena_printf(s->arena,
                         "thimble bench %s/model.tflite --target %s --optimize %s --coder %s --arena %" PRId64, s->dir,
                         s->target, b->optimize, b->coder, arena_limit(s));
}

/* --- in words --- */

const char *th_fit_describe(const th_fit_search *s, const th_candidate *c) {
  th_buf b = {0};
  char word[16];
  const char *comma = "";
  if (!th_graph_is_float(s->model->graph)) return "as it is";
  if (c->untrained >= 0) {
    const double share = untrained[c->untrained].share;
    if (share < 1) return th_arena_printf(s->arena, "mixed bits, %.0f %% of int8", 100 * share);
    return strchr(untrained[c->untrained].stage, '{') ? "int8, biases corrected" : "int8";
  }
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) {
    if (c->level[t] < 0) continue;
    th_buf_printf(&b, "%s%s %s", comma, techniques[t].name, th_technique_value(t, c->level[t], word));
    comma = ", ";
  }
  if (!quantizes(c)) th_buf_printf(&b, "%sint8", comma);
  if (c->spare) th_buf_printf(&b, ", some layers spared");
  return finish(s, &b);
}
