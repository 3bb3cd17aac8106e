/* The public data set is the internal one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_DATA_H
#define TH_LIB_DATA_H

#include "data/dataset.h"
#include "thimble/thimble.h"

struct th_data {
  th_dataset *set;
};

#endif
