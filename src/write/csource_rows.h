/* Segments in generated C: a table of stages for each, and the call that runs it (rt/include/thr_rows.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_CSOURCE_ROWS_H
#define TH_WRITE_CSOURCE_ROWS_H

#include "write/csource_tables.h"

/* Appends the table of segment number `i`; step_name[k] is the identifier of step k, whose parameters are printed. */
th_status th_csource_stages(const th_program *p, int i, const char *const *step_name, const th_tables *tables,
                            th_buf *c);
/* Appends its call, and before it those that decode its weights. The arena is called `a`. */
void th_csource_call_segment(const th_program *p, int i, const char *const *step_name, th_buf *c);

/* The segment that begins at this step, or -1. */
int th_csource_segment_at(const th_program *p, int step);

#endif
