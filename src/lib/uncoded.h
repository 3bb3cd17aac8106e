/* Which layers do not have the coder that a user asked for, and why. One line, so that nobody takes a model for coded
 * whose largest layer is not. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_UNCODED_H
#define TH_LIB_UNCODED_H

#include "format/json.h"
#include "lib/deploy.h"

/* `coder`: as set; nothing is written for auto and smallest, which are free to choose, and raw. JSON: "uncoded", an
 * array of {"name", "why"}, with "scratch_bytes" where those are why. */
void th_uncoded_write(const th_deployed *deployed, const char *coder, th_json *json, th_buf *text);

#endif
