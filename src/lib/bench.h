/* What `bench --target` measured, between the run of the firmware and its tables.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_BENCH_H
#define TH_LIB_BENCH_H

#include "lib/deploy.h"
#include "report/result.h"
#include "write/firmware.h"

typedef struct th_bench_run {
  const char *target;
  int samples, labelled;    /* of which have a label */
  int64_t right;            /* of those */
  int64_t bytes, different; /* of all outputs; that differ from the host's */
  th_firmware_result firmware;
  th_deployed deployed;
  uint64_t *layer_instructions; /* per step; NULL: not counted */
} th_bench_run;

/* Keys of the JSON object and the tables for people. */
void th_bench_write(const th_bench_run *run, th_result *r);

#endif
