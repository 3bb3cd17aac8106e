/* Sensitivity: each layer, and the whole network, changed by each technique, measured without training. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "lib/fit.h"

/* A name with a comma or '=' cannot be said in a list of layers. */
static bool can_be_named(const char *name) {
  return *name && !strpbrk(name, ",=");
}

static bool add_probe(th_fit_search *s, int layer, int technique, const char *word) {
  th_fit_probe *p = &s->probe[s->probes++];
  *p = (th_fit_probe){.layer = layer, .technique = technique, .value = th_arena_strdup(s->arena, word)};
  p->job.recipe = p->value ? th_fit_probe_recipe(s, technique, p->value, layer) : NULL;
  return p->job.recipe != NULL;
}

static th_status list_probes(th_fit_search *s) {
  char word[16];
  int most = 0;
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) most += th_technique_values(t) + s->layers * th_technique_probes(t);
  s->probe = TH_ARRAY(s->arena, th_fit_probe, most);
  bool ok = s->probe != NULL;
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) {
    for (int i = 0; ok && i < th_technique_values(t); i++) ok = add_probe(s, -1, t, th_technique_value(t, i, word));
    for (int layer = 0; layer < s->layers; layer++)
      for (int i = 0; ok && can_be_named(th_fit_layer_name(s, layer)) && i < th_technique_probes(t); i++)
        ok = add_probe(s, layer, t, th_technique_probe(t, i, word));
  }
  return ok ? TH_OK : TH_ERR_RESOURCE;
}

/* A line for each tenth: where no bar is shown this would be a long silence. */
static void on_probe(th_fit_search *s, int i) {
  const int tenth = s->probes / 10 + 1;
  (void)i;
  if (++s->probed % tenth == 0) th_log(s->ctx, TH_LOG_INFO, "sensitivity: %d of %d", s->probed, s->probes);
}

th_status th_fit_sensitivity(th_fit_search *s) {
  int done;
  TH_TRY(list_probes(s));
  th_fit_job **jobs = TH_ARRAY(s->arena, th_fit_job *, s->probes + 1);
  if (!jobs) return TH_ERR_RESOURCE;
  for (int i = 0; i < s->probes; i++) jobs[i] = &s->probe[i].job;
  TH_TRY(th_fit_run_jobs(s, jobs, s->probes, on_probe, &done));
  for (int i = 0; i < s->probes; i++) {
    th_fit_probe *p = &s->probe[i];
    p->drop = p->job.done && !p->job.outcome.error ? th_fit_drop(s, p->job.outcome.value) : (double)NAN;
  }
  return TH_OK;
}

double th_fit_probe_drop(const th_fit_search *s, int layer, int technique, const char *value) {
  for (int i = 0; i < s->probes; i++) {
    const th_fit_probe *p = &s->probe[i];
    if (p->layer == layer && p->technique == technique && th_str_eq(p->value, value)) return p->drop;
  }
  return (double)NAN;
}

/* The drop of a layer by the middle one of the probes; 0 when not known. */
static double middle_drop(const th_fit_search *s, int layer, int technique) {
  char word[16];
  th_technique_probe(technique, th_technique_probes(technique) / 2, word);
  const double drop = th_fit_probe_drop(s, layer, technique, word);
  return drop > 0 ? drop : 0;
}

#define DEAR 4.0  /* times the mean price of a weight */
#define SMALL 0.1 /* of all weights: a larger layer cannot be left out */

bool th_fit_spares(const th_fit_search *s, int layer, int technique) {
  double drops = 0, weights = 0;
  for (int i = 0; i < s->layers; i++) {
    drops += middle_drop(s, i, technique);
    weights += (double)s->weights[i].elems;
  }
  const double share = (double)s->weights[layer].elems / weights;
  if (!can_be_named(th_fit_layer_name(s, layer)) || share > SMALL || !(drops > 0)) return false;
  return middle_drop(s, layer, technique) / drops > DEAR * share && middle_drop(s, layer, technique) > 0.5;
}
