/* What a build takes, without compiling it. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/fit.h"

th_status th_fit_predict(const th_model *model, const th_settings *compile, th_fit_build *b) {
  th_prediction *p;
  TH_TRY(th_predict(model, compile, &p));
  b->flash_bytes = p->flash_bytes;
  b->ram_bytes = p->ram_bytes;
  b->instructions = p->instructions;
  th_prediction_free(p);
  if (b->flash_bytes > 0 && b->ram_bytes > 0) return TH_OK;
  return th_fail(TH_ERR_INPUT, "what target %s needs of flash and RAM cannot be predicted",
                 th_settings_text(compile, "target"));
}
