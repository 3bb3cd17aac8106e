/* What `bench --target` measured, between the run of the firmware and its tables.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_BENCH_H
#define TH_LIB_BENCH_H

#include "lib/deploy.h"
#include "lib/devices.h"
#include "report/result.h"
#include "thimble/thimble.h"
#include "write/firmware.h"

enum { TH_BENCH_RUNS = 3 };

typedef struct th_bench_run {
  const char *optimize;
  const th_device *device;   /* NULL: none was named */
  const char *target, *unit; /* what is counted: "instructions", "cycles" */
  const char *inputs;        /* what they are: "random" */
  int samples, labelled;     /* of which have a label */
  int64_t right;             /* of those */
  int64_t bytes, different;  /* of all outputs; that differ from the host's */
  th_firmware_result firmware;
  th_deployed deployed;
  th_prediction predicted;
  uint64_t *layer_instructions; /* per step; NULL: not counted */
} th_bench_run;

/* Keys of the JSON object and the tables for people. Several runs stand in the array "builds", and one table shows them
 * beside each other. */
void th_bench_write(const th_bench_run *runs, int n, th_result *r);

#endif
