/* What stands for MPI where it is not built in. See crew.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/crew_internal.h"

bool th_crew_has_ranks(void) {
  return false;
}

th_status th_crew_of_ranks(th_crew_fn *fn, void *user, th_crew **crew) {
  (void)fn, (void)user, (void)crew;
  return th_fail(TH_ERR_USAGE, "started by mpirun, but this thimble was built without MPI");
}
