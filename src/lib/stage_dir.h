/* The folder of a result's stages, which shrink fills: NN-NAME.thim, with .id and .checkpoint beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_STAGE_DIR_H
#define TH_LIB_STAGE_DIR_H

#include "base/arena.h"
#include "base/status.h"

#define TH_STAGE_DIR "stages"                       /* below the folder of a result: the network after each stage */
#define TH_GIVEN_FILE TH_STAGE_DIR "/00-given.thim" /* the network as it came in */

/* Once a run is through: removes what earlier ones have left there. `mine`: the graphs of this one,
 * "stages/NN-NAME.thim" with commas between; what stands beside them stays, too, and whatever shrink has not named. */
th_status th_stage_dir_tidy(th_arena *arena, const char *result_dir, const char *mine);

#endif
