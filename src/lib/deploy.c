/* Lower, code, plan. See deploy.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/deploy.h"

#include "pass/narrow.h"

th_status th_deploy(const th_graph *graph, const th_encode_options *options, th_deployed *d) {
  *d = (th_deployed){0};
  TH_TRY(th_lower(graph, &d->program));
  if (options && options->code_channels) TH_TRY(th_pass_narrow(d->program));
  d->bytes = TH_ARRAY(d->program->arena, th_step_bytes, d->program->n_steps + 1);
  th_status status = d->bytes ? th_encode_program(d->program, options, d->bytes) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = th_pass_plan(d->program, &d->plan);
  if (status != TH_OK) th_deployed_free(d);
  return status;
}

void th_deployed_free(th_deployed *d) {
  th_program_destroy(d->program);
  d->program = NULL;
}
