/* Pairing the layers of two networks. See pairing.h.
 *
 * A name that both have decides. The other layers are aligned by what they compute, as two texts are by their longest
 * common subsequence (Wagner and Fischer, 1974), layers of one name counting more than all others together. Several
 * alignments may be longest: only layers that every one of them pairs are the same ones.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/pairing.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

typedef struct layer {
  const th_node *root; /* the node that does the work */
  const th_node *last; /* the node that gives the output */
  const th_tensor *out;
  int act;
  int namesake; /* position in the other list, or -1 */
} layer;

typedef struct side {
  const th_graph *g;
  layer *layer;
  int n;
} side;

/* --- layers of a graph --- */

static bool is_fusible(th_op_id op) {
  return op == TH_OP_RELU || op == TH_OP_RELU6 || op == TH_OP_BATCH_NORM || op == TH_OP_DROPOUT;
}

static bool computes(th_op_id op) {
  return op != TH_OP_RESHAPE && op != TH_OP_FLATTEN && op != TH_OP_QUANTIZE && op != TH_OP_DEQUANTIZE;
}

/* Part of a layer, in a file that keeps its parts apart: the rest follows and tells the same. */
static bool is_part(const th_graph *g, const th_node *n) {
  const int user = th_graph_only_user(g, n->out[0]);
  return user >= 0 && is_fusible(g->nodes[user].op);
}

static layer layer_of(const th_graph *g, const th_node *n) {
  layer l = {.root = n, .last = n, .out = th_node_out(g, n, 0), .act = n->attr[TH_ATTR_ACTIVATION].i, .namesake = -1};
  while (is_fusible(n->op)) {
    if (n->op == TH_OP_RELU) l.act = TH_ACT_RELU;
    if (n->op == TH_OP_RELU6) l.act = TH_ACT_RELU6;
    const int before = th_graph_producer(g, n->in[0]);
    if (before < 0) break;
    n = &g->nodes[before];
    l.root = n;
    if (l.act == TH_ACT_NONE) l.act = n->attr[TH_ATTR_ACTIVATION].i;
  }
  return l;
}

static th_status list_layers(const th_graph *g, th_arena *arena, side *s) {
  *s = (side){.g = g, .layer = TH_ARRAY(arena, layer, g->n_nodes + 1)};
  if (!s->layer) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || !n->n_out || is_part(g, n)) continue;
    const layer l = layer_of(g, n);
    if (l.root != l.last || computes(l.root->op)) s->layer[s->n++] = l;
  }
  return TH_OK;
}

/* --- are two layers alike --- */

/* The mean over a picture is written in two ways. */
static th_op_id work_of(const layer *l) {
  return l->root->op == TH_OP_GLOBAL_AVG_POOL ? TH_OP_MEAN : l->root->op;
}

static bool is_alike(const layer *a, const layer *b) {
  return work_of(a) == work_of(b) && a->act == b->act;
}

/* Dimensions of 1 do not count: files write 1x1x1x10 and 1x10 for the same. */
static bool has_same_shape(const th_shape *a, const th_shape *b) {
  int i = 0, k = 0;
  for (;;) {
    while (i < a->rank && a->dim[i] == 1) i++;
    while (k < b->rank && b->dim[k] == 1) k++;
    if (i == a->rank || k == b->rank) return i == a->rank && k == b->rank;
    if (a->dim[i++] != b->dim[k++]) return false;
  }
}

/* --- by name --- */

/* What a reader calls a thing that has no name in its file: by its operator, or t, with a number, or the number
 * alone. Two files use the same of different layers. */
static bool is_made_up(const char *name) {
  char stem[80];
  size_t n = strlen(name);
  while (n && isdigit((unsigned char)name[n - 1])) n--;
  if (n == 1 && name[0] == 't' && name[1]) return true;
  if (n && name[n] && name[n - 1] == '_') n--;
  if (n >= sizeof stem || !n) return n == 0;
  memcpy(stem, name, n);
  stem[n] = '\0';
  return th_op_from_name(stem) != TH_OP_NONE;
}

static bool has_name(const char *a, const char *b) {
  return th_str_eq(a, b) && !is_made_up(a);
}

static bool has_same_output(const layer *a, const layer *b) {
  return has_name(a->out->name, b->out->name);
}

static bool has_same_last(const layer *a, const layer *b) {
  return has_name(a->last->name, b->last->name);
}

static bool has_same_root(const layer *a, const layer *b) {
  return has_name(a->root->name, b->root->name);
}

static void find_namesakes(side *a, side *b, bool (*is_same)(const layer *, const layer *)) {
  for (int i = 0; i < a->n; i++)
    for (int k = 0; k < b->n; k++) {
      if (a->layer[i].namesake >= 0 || b->layer[k].namesake >= 0) continue;
      if (!is_same(&a->layer[i], &b->layer[k])) continue;
      a->layer[i].namesake = k;
      b->layer[k].namesake = i;
    }
}

/* --- by place --- */

/* What two layers at one place are worth; 0: they cannot stand there. */
static int worth(const side *a, int i, const side *b, int k) {
  const layer *la = &a->layer[i], *lb = &b->layer[k];
  if (la->namesake == k) return a->n + 1;
  return la->namesake < 0 && lb->namesake < 0 && is_alike(la, lb);
}

static int larger(int a, int b) {
  return a > b ? a : b;
}

/* The worth of the best alignment of the first i and k layers, or, `back`, of all from i and k on. */
typedef struct best {
  int *upto, *from;
  int width;
} best;

static int at(const best *t, const int *table, int i, int k) {
  return table[(size_t)i * (size_t)t->width + (size_t)k];
}

static void fill(const side *a, const side *b, best *t) {
  for (int i = 1; i <= a->n; i++)
    for (int k = 1; k <= b->n; k++) {
      const int w = worth(a, i - 1, b, k - 1), skip = larger(at(t, t->upto, i - 1, k), at(t, t->upto, i, k - 1));
      t->upto[i * t->width + k] = larger(skip, w ? at(t, t->upto, i - 1, k - 1) + w : 0);
    }
  for (int i = a->n - 1; i >= 0; i--)
    for (int k = b->n - 1; k >= 0; k--) {
      const int w = worth(a, i, b, k), skip = larger(at(t, t->from, i + 1, k), at(t, t->from, i, k + 1));
      t->from[i * t->width + k] = larger(skip, w ? at(t, t->from, i + 1, k + 1) + w : 0);
    }
}

/* The layer of b that every best alignment puts beside layer i of a, or -1. */
static int place_of(const side *a, int i, const side *b, const best *t) {
  const int all = at(t, t->from, 0, 0);
  int found = -1;
  for (int k = 0; k <= b->n; k++) {
    if (at(t, t->upto, i, k) + at(t, t->from, i + 1, k) == all) return -1; /* one leaves layer i alone */
    if (k == b->n) break;
    const int w = worth(a, i, b, k);
    if (!w || at(t, t->upto, i, k) + w + at(t, t->from, i + 1, k + 1) != all) continue;
    if (found >= 0) return -1;
    found = k;
  }
  return found;
}

/* --- both --- */

static th_pair pair_of(const side *a, int i, const side *b, const best *t) {
  const layer *l = &a->layer[i];
  th_pair p = {.node = l->root, .a = l->last->out[0], .b = -1, .kind = TH_PAIR_NONE};
  const int k = l->namesake >= 0 ? l->namesake : place_of(a, i, b, t);
  if (k < 0) return p;
  const layer *other = &b->layer[k];
  if (!is_alike(l, other) && !has_same_output(l, other)) return p;
  p.kind = has_same_shape(&l->out->shape, &other->out->shape) ? TH_PAIR_SAME : TH_PAIR_UNLIKE;
  if (p.kind == TH_PAIR_SAME) p.b = other->last->out[0];
  return p;
}

th_status th_pair_layers(const th_graph *a, const th_graph *b, th_arena *arena, th_pair **pairs, int *count) {
  side sa, sb;
  TH_TRY(list_layers(a, arena, &sa));
  TH_TRY(list_layers(b, arena, &sb));
  find_namesakes(&sa, &sb, has_same_output);
  find_namesakes(&sa, &sb, has_same_last);
  find_namesakes(&sa, &sb, has_same_root);
  const size_t cells = (size_t)(sa.n + 1) * (size_t)(sb.n + 1);
  best t = {TH_ARRAY(arena, int, cells), TH_ARRAY(arena, int, cells), sb.n + 1};
  *pairs = TH_ARRAY(arena, th_pair, sa.n + 1);
  if (!t.upto || !t.from || !*pairs) return TH_ERR_RESOURCE;
  fill(&sa, &sb, &t);
  for (int i = 0; i < sa.n; i++) (*pairs)[i] = pair_of(&sa, i, &sb, &t);
  *count = sa.n;
  return TH_OK;
}
