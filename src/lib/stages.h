/* Applying one stage to a model, without measuring around it. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_STAGES_H
#define TH_LIB_STAGES_H

#include "lib/model.h"
#include "lib/settings.h"

/* `self`: the graph that teacher=self means; NULL: the model as it comes in. After TH_ERR_INTERRUPTED the model holds
 * the best so far; after other failures it is unchanged. */
th_status th_stage_apply(th_model *model, const th_data *data, const th_graph *self, const th_settings *settings,
                         const th_context *ctx);

/* Whether the settings have a meaning, and for a network with these layers: all that can be said before any work. The
 * graph may have no weights yet. */
th_status th_stage_check(const th_settings *settings, const th_graph *g);

#endif
