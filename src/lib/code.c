/* The rows of code.def. See code.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/code.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

typedef struct row {
  const char *target;
  th_goal goal;
  const char *name;
  th_code_piece piece;
  const char *needs; /* names with commas between */
} row;

static const row rows[] = {
#define TH_CODE(target, goal, name, bytes, stack, call, needs) \
  {target, TH_FOR_##goal, name, {bytes, stack, call}, needs},
#include "lib/code.def"
#undef TH_CODE
};
enum { ROWS = sizeof rows / sizeof *rows, NAME = 64 };

static const row *find(const char *target, th_goal goal, const char *name) {
  const th_goal built = goal == TH_FOR_SPEED ? TH_FOR_SPEED : TH_FOR_SIZE; /* for RAM the compiler is told size */
  for (int i = 0; i < ROWS; i++)
    if (rows[i].goal == built && th_str_eq(rows[i].target, target) && th_str_eq(rows[i].name, name)) return &rows[i];
  return NULL;
}

th_status th_code_begin(const th_target *target, th_goal goal, th_arena *arena, th_code *code) {
  *code = (th_code){.target = target->name, .goal = goal, .used = TH_ARRAY(arena, bool, ROWS)};
  return code->used ? TH_OK : TH_ERR_RESOURCE;
}

/* Marks the piece and all that it needs; pieces are never more than a few steps deep. */
static uint32_t mark(const th_code *c, const char *name, bool *used) {
  const row *r = find(c->target, c->goal, name);
  if (!r || used[r - rows]) return 0;
  used[r - rows] = true;
  uint32_t sum = (uint32_t)r->piece.bytes;
  const char *at = r->needs;
  while (*at) {
    char need[NAME];
    const size_t n = strcspn(at, ",");
    if (n < sizeof need) {
      memcpy(need, at, n);
      need[n] = 0;
      sum += mark(c, need, used);
    }
    at += n + (at[n] == ',');
  }
  return sum;
}

void th_code_add(th_code *c, const char *piece) {
  if (!find(c->target, c->goal, piece) && !c->unknown) c->unknown = piece;
  c->bytes += mark(c, piece, c->used);
}

bool th_code_find(const th_target *target, th_goal goal, const char *piece, th_code_piece *found) {
  const row *r = find(target->name, goal, piece);
  if (r) *found = r->piece;
  return r != NULL;
}

static void add_decoder(th_code *code, thr_coder coder) {
  char piece[NAME];
  if (coder == THR_CODER_RAW) return;
  snprintf(piece, sizeof piece, "decode %s", th_coder_name(coder));
  th_code_add(code, piece);
  if (!thr_coder_dot(coder)) return;
  snprintf(piece, sizeof piece, "dot %s", th_coder_name(coder));
  th_code_add(code, piece);
}

void th_code_decoders(const char *target, th_goal goal, uint32_t bytes[TH_CODER_SETS]) {
  bool used[ROWS];
  const bool is_measured = find(target, goal, "decode huffman");
  for (uint32_t set = 0; set < TH_CODER_SETS; set++) {
    memset(used, 0, sizeof used);
    th_code code = {.target = is_measured ? target : "cortex-m4", .goal = goal, .used = used};
    for (thr_coder c = 0; c < THR_CODER_COUNT; c++)
      if (set >> c & 1) add_decoder(&code, c);
    bytes[set] = code.bytes;
  }
}
