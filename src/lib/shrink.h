/* The chain with stages that others have made. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_SHRINK_H
#define TH_LIB_SHRINK_H

#include "thimble/thimble.h"

/* th_shrink() by a recipe, taking what `shared` has of its stages (lib/chain.h; NULL: nothing). With `shared` the test
 * split is read after the last stage only: it is not the network that came in that is judged, but what was chosen. */
th_status th_shrink_shared(const th_model *model, const th_data *data, const th_shrink_options *options,
                           const char *shared, const char *dir, const th_context *ctx, th_result **result);

#endif
