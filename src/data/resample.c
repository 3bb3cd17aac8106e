/* Changing the sampling rate. See sound.h.
 *
 * y(t) = sum_n x_n h(t - n) with h(u) = c sinc(c u) (0.5 + 0.5 cos(pi u c / 32)), |u| < 32 / c, and c = min(1, out /
 * in) in units of the input's samples: a low pass at the lower Nyquist frequency. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "data/sound.h"

#define PI 3.14159265358979323846

enum { ZEROS = 32 };

static double kernel(double u, double c) {
  double v = u * c;
  if (fabs(v) >= ZEROS) return 0;
  double sinc = v == 0 ? 1 : sin(PI * v) / (PI * v);
  return c * sinc * (0.5 + 0.5 * cos(PI * v / ZEROS));
}

static int64_t common_divisor(int64_t a, int64_t b) {
  return b ? common_divisor(b, a % b) : a;
}

th_status th_sound_resample(th_arena *arena, const int16_t *in, int count, int rate, int16_t *out, int out_count,
                            int out_rate) {
  int64_t divisor = common_divisor(rate, out_rate), phases = out_rate / divisor;
  double c = out_rate < rate ? (double)out_rate / rate : 1;
  int reach = (int)ceil(ZEROS / c), taps = 2 * reach + 1;
  double *weight = TH_ARRAY(arena, double, phases *taps);
  if (!weight) return TH_ERR_RESOURCE;
  for (int64_t p = 0; p < phases; p++) /* output o lies p / phases behind input sample o * rate / out_rate */
    for (int k = 0; k < taps; k++) weight[p * taps + k] = kernel((double)p / (double)phases + reach - k, c);
  for (int64_t o = 0; o < out_count; o++) {
    int64_t scaled = o * (rate / divisor), center = scaled / phases, phase = scaled % phases;
    double sum = 0;
    for (int k = 0; k < taps; k++) {
      int64_t i = center + k - reach;
      if (i >= 0 && i < count) sum += weight[phase * taps + k] * in[i];
    }
    out[o] = (int16_t)fmin(fmax(floor(sum + 0.5), -32768), 32767);
  }
  return TH_OK;
}
