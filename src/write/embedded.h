/* Files of this project that generated firmware needs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_EMBEDDED_H
#define TH_WRITE_EMBEDDED_H

#include "base/embedded.h"

extern const th_embedded_file th_embedded_files[];
extern const int th_embedded_count;

#endif
