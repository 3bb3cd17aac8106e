/* Opening and checking data sets. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/data.h"

th_status th_data_open(const char *spec, const char *const *dirs, int n_dirs, uint64_t seed, th_data **data) {
  th_data *d = th_alloc(sizeof *d);
  if (!d) return TH_ERR_RESOURCE;
  th_status status = th_dataset_open_in(spec, dirs, n_dirs, seed, &d->set);
  if (status == TH_OK)
    *data = d;
  else
    th_free(d);
  return status;
}

void th_data_close(th_data *data) {
  if (!data) return;
  th_dataset_close(data->set);
  th_free(data);
}

th_status th_data_verify(const char *name, const char *dir) {
  return th_dataset_verify(name, dir);
}

bool th_data_kind(int i, const char **what, const char **keys) {
  return th_dataset_kind(i, what, keys);
}

bool th_data_known(int i, th_data_info *info) {
  int n;
  const th_dataset_known *known = th_dataset_list(&n);
  if (i < 0 || i >= n) return false;
  *info = (th_data_info){known[i].name, known[i].what, known[i].source, known[i].license};
  return true;
}
