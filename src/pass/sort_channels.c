/* Sorts the channels of int8 convolutions by falling weight scale, wherever their order is nobody's business.
 *
 * Sums of integers do not depend on the order of their terms, so no output bit changes; but multipliers that fall from
 * channel to channel are stored as small steps (docs/format.md, "Coded channels"): n channels have n! orders, and
 * log2(n!) bits need not be spent. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "pass/channels.h"
#include "pass/pass.h"

typedef struct place {
  float scale;
  int old;
} place;

static int by_scale(const void *a, const void *b) {
  const place *x = a, *y = b;
  if (x->scale != y->scale) return x->scale > y->scale ? -1 : 1;
  return x->old - y->old;
}

static th_status order_by(th_arena *arena, const th_quant *q, int **order) {
  place *p = TH_ARRAY(arena, place, q->count);
  *order = TH_ARRAY(arena, int, q->count);
  if (!p || !*order) return TH_ERR_RESOURCE;
  for (int i = 0; i < q->count; i++) p[i] = (place){q->scale[i], i};
  qsort(p, (size_t)q->count, sizeof *p, by_scale);
  for (int i = 0; i < q->count; i++) (*order)[i] = p[i].old;
  return TH_OK;
}

/* The first convolution of a space decides. */
static th_status choose(const th_graph *g, th_arena *arena, const th_channels *c, int **order) {
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || n->op != TH_OP_CONV2D || n->attr[TH_ATTR_GROUPS].i != 1) continue;
    const th_channel_map m = c->map[n->out[0]];
    const th_quant *q = &th_node_in(g, n, 1)->quant;
    if (m.space < 0 || m.div != 1 || c->frozen[m.space] || th_channels_linked(c, m.space) || order[m.space]) continue;
    if (th_node_out(g, n, 0)->dtype != TH_DTYPE_S8 || q->count != c->size[m.space] || q->axis != 0) continue;
    TH_TRY(order_by(arena, q, &order[m.space]));
  }
  return TH_OK;
}

th_status th_pass_sort_channels(th_graph *g, const th_pass_options *o) {
  (void)o;
  th_channels c;
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = th_channels_find(g, arena, &c);
  int **order = status == TH_OK ? TH_ARRAY(arena, int *, c.n_spaces + 1) : NULL;
  if (status == TH_OK && !order) status = TH_ERR_RESOURCE;
  if (status == TH_OK) status = choose(g, arena, &c, order);
  if (status == TH_OK) status = th_channels_reorder(g, &c, (const int *const *)order);
  th_arena_destroy(arena);
  return status;
}
