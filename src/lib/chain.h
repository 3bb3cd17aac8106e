/* A chain: the stages of a recipe, one after another, on a copy of a model.
 *
 * A stage is named by its fingerprint: what the recipe says up to it, the model, the data, the teachers. A graph that
 * was saved under the same fingerprint is the same graph, so an interrupted run goes on, and chains that begin alike
 * share what they have in common. The folder as a whole is of one run: model, data and seed, in stages/run.id; with
 * other ones nobody means to go on there, while changed settings do, from the stage on that they change. teacher=self
 * always means the network as it came in or as the last train stage left it. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_CHAIN_H
#define TH_LIB_CHAIN_H

#include "lib/recipe.h"

typedef struct th_chain {
  /* given */
  const th_model *original;
  const th_data *data;
  const th_context *ctx;
  const char *dir;    /* stages are saved there as NN-NAME.thim, with checkpoints; NULL: nowhere */
  bool resume;        /* take what `dir` has from this very chain */
  const char *shared; /* a folder of stages by fingerprint, which other chains fill, too; NULL: none */
  bool keep_shared;   /* fill it */
  uint64_t origin;    /* th_chain_origin(); 0: not known yet */
  th_recipe recipe;   /* the chain's to free */
  /* made */
  th_arena *arena;
  th_model *model; /* as it is after the last stage */
  th_graph *self;  /* what teacher=self means: the network as it came in, or as the last train stage left it */
} th_chain;

/* What model and data are, as a number. */
uint64_t th_chain_origin(const th_model *model, const th_data *data);

/* After the members above are given: every stage gets the recipe's seed unless it has one of its own, compile the
 * target and device (NULL: as the recipe says); then the recipe is checked. Nothing is resumed in a folder of another
 * run (TH_ERR_INPUT), and nothing touched. */
th_status th_chain_begin(th_chain *c, const char *target, const char *device);
void th_chain_end(th_chain *c); /* after a failure, too */

int th_chain_stages(const th_chain *c);                 /* without compile */
const th_settings *th_chain_compile(const th_chain *c); /* NULL: the recipe does not compile */
const char *th_chain_stage_name(const th_chain *c, int i);
const char *th_chain_stage_file(const th_chain *c, int i); /* where `dir` has it, once it has run */
th_status th_chain_run_stage(th_chain *c, int i);

#endif
