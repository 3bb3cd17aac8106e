/* Recipes: which stages, with which settings, in which order; read from YAML and written back.
 *
 *   seed: 1
 *   stages:
 *     - prune: {sparsity: 0.9, epochs: 5}
 *     - cluster: {clusters: 16}
 *     - quantize:
 *     - compile: {target: cortex-m4}
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_RECIPE_H
#define TH_LIB_RECIPE_H

#include "base/bytes.h"
#include "ir/graph.h"
#include "lib/settings.h"

#define TH_RECIPE_STAGES 32

typedef struct th_recipe {
  uint64_t seed;
  int n;
  th_settings *stage[TH_RECIPE_STAGES];
  const char *file; /* where it was read from, the caller's; NULL: nowhere */
  int line[TH_RECIPE_STAGES];
} th_recipe;

/* Every setting is checked while reading; errors name file, line and the nearest known word. */
th_status th_recipe_read(const char *path, th_recipe *recipe);
th_status th_recipe_parse(const char *text, const char *what, th_recipe *recipe); /* the same from memory */
/* The default chain for a model: prune (the less, the smaller the network), cluster, quantize, compile; an architecture
 * is trained first; a model that is integer already is only coded. */
th_status th_recipe_default(const th_model *model, th_recipe *recipe);
/* Can these stages run one after another on this model? Says which cannot and why, before any work. */
th_status th_recipe_check(const th_recipe *recipe, const th_model *model);
/* Gives the recipe and its stages this seed, but for stages that have one of their own, other than the recipe's. */
th_status th_recipe_seed(th_recipe *recipe, uint64_t seed);
/* All settings that differ from their defaults, so that reading it back gives the same recipe. `seeds`: that of each
 * stage, too, else those alone that are not the recipe's. */
void th_recipe_print(const th_recipe *recipe, bool seeds, th_buf *text);
void th_recipe_free(th_recipe *recipe);

#endif
