/* Names of operators, attributes and activations, made from the .def lists. See graph.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ir/graph.h"

static const char *const act_names[TH_ACT_COUNT] = {"none", "relu", "relu6", "relu_n1_1", "tanh"};

static const struct {
  const char *name;
  th_attr_kind kind;
  th_attr def;
} attrs[TH_ATTR_COUNT] = {
#define KIND_INT(d)   \
  TH_ATTR_KIND_INT, { \
    .i = (d)          \
  }
#define KIND_ACT(d)   \
  TH_ATTR_KIND_ACT, { \
    .i = (d)          \
  }
#define KIND_FLOAT(d)   \
  TH_ATTR_KIND_FLOAT, { \
    .f = (d)            \
  }
#define TH_ATTR(id, text, kind, def) {text, KIND_##kind(def)},
#include "ir/attrs.def"
#undef TH_ATTR
};

static const char *const op_names[TH_OP_COUNT] = {
    "none",
#define TH_OP(id, name, min_in, max_in) #name,
#include "ir/ops.def"
#undef TH_OP
};

const char *th_act_name(th_act a) {
  return act_names[a];
}

th_act th_act_from_name(const char *name) {
  int a = 0;
  while (a < TH_ACT_COUNT && strcmp(act_names[a], name)) a++;
  return (th_act)a;
}

const char *th_attr_name(th_attr_id id) {
  return attrs[id].name;
}
th_attr_kind th_attr_kind_of(th_attr_id id) {
  return attrs[id].kind;
}
th_attr th_attr_default(th_attr_id id) {
  return attrs[id].def;
}

th_attr_id th_attr_from_name(const char *name) {
  int id = 0;
  while (id < TH_ATTR_COUNT && strcmp(attrs[id].name, name)) id++;
  return (th_attr_id)id;
}

const char *th_op_name(th_op_id op) {
  return op_names[op];
}

th_op_id th_op_from_name(const char *name) {
  for (int op = 1; op < TH_OP_COUNT; op++)
    if (!strcmp(op_names[op], name)) return (th_op_id)op;
  return TH_OP_NONE;
}
