/* What a build takes, without compiling it. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/compile.h"
#include "lib/fit.h"

th_status th_fit_predict(const th_model *model, const th_settings *compile, th_fit_build *b) {
  th_needs needs;
  TH_TRY(th_compile_needs(model, compile, &needs));
  b->flash_bytes = needs.flash_bytes + 8900;
  b->ram_bytes = needs.ram_bytes + 640;
  b->instructions = 0;
  return TH_OK;
}
