/* Learning-rate schedules: the factor of the peak rate at each step.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_SCHEDULE_H
#define TH_TRAIN_SCHEDULE_H

typedef enum th_schedule_id {
  TH_SCHEDULE_CONSTANT,
  TH_SCHEDULE_COSINE,
  TH_SCHEDULE_STEP,
  TH_SCHEDULE_ONECYCLE
} th_schedule_id;

typedef struct th_schedule {
  th_schedule_id id;
  long steps, steps_per_epoch; /* of the whole fit */
  float warmup;                /* part of all steps, linear from 0 */
  int step_epochs;
  float step_factor;
} th_schedule;

/* Factor in (0, 1] for step 0 .. steps-1. Cosine: SGDR's one period (Loshchilov & Hutter 2017, eq. 5), to 0. One-cycle
 * (Smith & Topin 2018): 1/25 up to 1 over the first 30 %, then down to 1/10000, both along a cosine. */
double th_schedule_factor(const th_schedule *s, long step);
double th_cos_pi(double x); /* cos(pi x), x in [0, 1]; basic arithmetic only, so the same bits everywhere */

#endif
