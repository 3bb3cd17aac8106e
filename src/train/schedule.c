/* Learning-rate schedules. SPDX-License-Identifier: Apache-2.0 */
#include "train/schedule.h"

#define ONECYCLE_RISE 0.3 /* part of the steps spent rising */
#define ONECYCLE_FIRST (1.0 / 25.0)
#define ONECYCLE_LAST 1e-4

double th_cos_pi(double x) {
  if (x > 0.5) return -th_cos_pi(1.0 - x);
  double t = x * 3.14159265358979323846, square = t * t, term = 1.0, sum = 1.0;
  for (int k = 1; k <= 10; k++) { /* Taylor: at pi/2 the next term is below 1e-17 */
    term *= -square / ((2.0 * k - 1.0) * (2.0 * k));
    sum += term;
  }
  return sum;
}

/* From a to b along half a cosine. */
static double ease(double a, double b, double part) {
  return b + (a - b) * 0.5 * (1.0 + th_cos_pi(part));
}

static double onecycle(double part) {
  if (part < ONECYCLE_RISE) return ease(ONECYCLE_FIRST, 1.0, part / ONECYCLE_RISE);
  return ease(1.0, ONECYCLE_LAST, (part - ONECYCLE_RISE) / (1.0 - ONECYCLE_RISE));
}

static double stepped(const th_schedule *s, long step) {
  double factor = 1.0;
  long every = s->step_epochs > 0 ? s->step_epochs * s->steps_per_epoch : 0;
  for (long at = every; every > 0 && at <= step; at += every) factor *= (double)s->step_factor;
  return factor;
}

double th_schedule_factor(const th_schedule *s, long step) {
  double warm = (double)s->warmup * (double)s->steps;
  if ((double)step < warm) return ((double)step + 1.0) / (warm + 1.0);
  double part = s->steps > warm ? ((double)step - warm) / ((double)s->steps - warm) : 0.0;
  if (part > 1.0) part = 1.0;
  switch (s->id) {
    case TH_SCHEDULE_COSINE:
      return ease(1.0, 0.0, part);
    case TH_SCHEDULE_STEP:
      return stepped(s, step);
    case TH_SCHEDULE_ONECYCLE:
      return onecycle(part);
    default:
      return 1.0;
  }
}
