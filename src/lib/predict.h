/* What a deployed program would take on its target, from tables: flash by code.def and the arrays that the C writer
 * would print, RAM by the plan, instructions by costs.def. No compiler or emulator is asked. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_LIB_PREDICT_H
#define TH_LIB_PREDICT_H

#include "base/bytes.h"
#include "format/json.h"
#include "lib/deploy.h"
#include "thimble/thimble.h"
#include "write/targets.h"

/* The layers and strings belong to the arena or to the program. */
th_status th_predict_deployed(const th_deployed *deployed, const th_target *target, th_arena *arena, th_prediction *p);

/* Keys of an object "predicted", or lines of text. */
void th_prediction_write(const th_prediction *p, const th_target *target, th_json *json, th_buf *text);

#endif
