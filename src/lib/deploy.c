/* Lower, code, plan. See deploy.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/deploy.h"

#include "pass/memory.h"
#include "pass/narrow.h"
#include "pass/order.h"
#include "pass/segments.h"

static th_status code_and_plan(th_deployed *d, const th_encode_options *options) {
  d->bytes = TH_ARRAY(d->program->arena, th_step_bytes, d->program->n_steps + 1);
  if (!d->bytes) return TH_ERR_RESOURCE;
  TH_TRY(th_encode_program(d->program, options, d->bytes));
  return th_pass_plan(d->program, &d->plan);
}

/* Places may not leave the scratch of coded weights the room that bytes alive promise it: then the weights of the
 * fullest step stay raw, until the arena is as small as without any, or small enough. */
static th_status spare_scratch(th_deployed *d, const th_encode_options *options, uint32_t least) {
  while (d->plan.arena_bytes > least) {
    th_program_step *fullest = NULL;
    uint64_t most = 0;
    for (int i = 0; i < d->program->n_steps; i++) {
      th_program_step *s = &d->program->steps[i];
      const uint64_t bytes = th_bytes_alive(d->program, i);
      if (!s->weights || s->raw || s->scratch_bytes == 0 || bytes <= most) continue;
      most = bytes;
      fullest = s;
    }
    if (!fullest) break;
    fullest->raw = true;
    TH_TRY(code_and_plan(d, options));
  }
  return TH_OK;
}

static th_status deploy(const th_graph *graph, const th_encode_options *options, bool least_ram, uint32_t enough,
                        th_deployed *d) {
  uint32_t least = 0;
  *d = (th_deployed){0};
  TH_TRY(th_lower(graph, &d->program));
  th_status status = options && options->code_channels ? th_pass_narrow(d->program) : TH_OK;
  if (status == TH_OK) status = th_pass_order(d->program);
  if (status == TH_OK && least_ram) status = th_pass_segments(d->program, enough, &least);
  if (status == TH_OK) status = code_and_plan(d, options);
  if (status == TH_OK && least_ram) status = spare_scratch(d, options, least > enough ? least : enough);
  if (status != TH_OK) th_deployed_free(d);
  return status;
}

th_status th_deploy(const th_graph *graph, const th_encode_options *options, th_deployed *deployed) {
  return deploy(graph, options, false, 0, deployed);
}

th_status th_deploy_least_ram(const th_graph *graph, const th_encode_options *options, uint32_t enough,
                              th_deployed *deployed) {
  return deploy(graph, options, true, enough, deployed);
}

void th_deployed_free(th_deployed *d) {
  th_program_destroy(d->program);
  d->program = NULL;
}
