/* From stored samples to float: the plain case is one pass over bytes; augmentation reads through a geometric map.
 *
 * Augmenting works on raw values and normalizes last, so what moves in from outside is raw 0, as in the original data.
 * All parameters of a sample are drawn in a fixed order, whichever are in use, from the sample's own stream: adding
 * `erase` does not change the shifts. Sine and cosine are polynomials of our own, for the same bits on every machine.
 * Erasing: DeVries & Taylor 2017 (cutout).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "data/dataset.h"

typedef struct image {
  int y, x, c;
} image;

static image image_of(const th_shape *s) {
  if (s->rank == 3) return (image){s->dim[0], s->dim[1], s->dim[2]};
  if (s->rank == 2) return (image){s->dim[0], s->dim[1], 1};
  return (image){1, s->rank == 1 ? s->dim[0] : 1, 1};
}

/* dst[i] = (float)raw[begin + i] */
static void load_run(const th_store *store, size_t begin, int n, float *restrict dst) {
  switch (store->dtype) {
    case TH_DTYPE_U8: {
      const uint8_t *src = (const uint8_t *)store->samples + begin;
      for (int i = 0; i < n; ++i) dst[i] = (float)src[i];
      break;
    }
    case TH_DTYPE_S8: {
      const int8_t *src = (const int8_t *)store->samples + begin;
      for (int i = 0; i < n; ++i) dst[i] = (float)src[i];
      break;
    }
    case TH_DTYPE_S16: {
      const int16_t *src = (const int16_t *)store->samples + begin;
      for (int i = 0; i < n; ++i) dst[i] = (float)src[i];
      break;
    }
    default:
      memcpy(dst, (const float *)store->samples + begin, (size_t)n * sizeof *dst);
      break;
  }
}

static void normalize(const th_dataset *d, float *x, int n) {
  if (d->zero != 0)
    for (int i = 0; i < n; ++i) x[i] -= d->zero;
  if (d->channels == 1) {
    float scale = d->scale, mean = d->mean[0], inverse = 1.0f / d->std[0];
    for (int i = 0; i < n; ++i) x[i] = (x[i] * scale - mean) * inverse;
    return;
  }
  for (int i = 0; i < n; i += d->channels)
    for (int c = 0; c < d->channels; ++c) x[i + c] = (x[i + c] * d->scale - d->mean[c]) * (1.0f / d->std[c]);
}

typedef struct warp {
  int shift_y, shift_x; /* whole pixels: the picture moves by so much */
  float sub_y, sub_x;   /* further, in fractions */
  float sine, cosine;   /* of the rotation, divided by the zoom */
  bool flip, bilinear;
  int erase_y, erase_x, erase;
} warp;

/* |a| <= pi; Taylor series to a^21, error below 1e-10 */
static void sine_cosine(double a, double *sine, double *cosine) {
  double term = 1, sum[2] = {0, 0};
  for (int k = 0; k < 22; ++k) {
    sum[k & 1] += (k & 2) ? -term : term;
    term = term * a / (k + 1);
  }
  *sine = sum[1];
  *cosine = sum[0];
}

static float draw_symmetric(th_rng *rng) {
  return 2.0f * th_rng_uniform(rng) - 1.0f;
}

static int draw_pixels(th_rng *rng, int limit) {
  return (int)th_rng_below(rng, (uint32_t)(2 * limit + 1)) - limit;
}

static warp draw_warp(const th_augment *a, image im, th_rng *rng) {
  warp w = {0};
  bool turning = a->rotate > 0 || a->zoom > 0;
  w.bilinear = turning || a->shift != (float)(int)a->shift;
  float sy = draw_symmetric(rng), sx = draw_symmetric(rng);
  int whole = w.bilinear ? 0 : (int)a->shift;
  w.shift_y = draw_pixels(rng, whole) + draw_pixels(rng, a->crop);
  w.shift_x = draw_pixels(rng, whole) + draw_pixels(rng, a->crop);
  if (w.bilinear) {
    w.sub_y = sy * a->shift;
    w.sub_x = sx * a->shift;
  }
  double sine, cosine;
  sine_cosine((double)(draw_symmetric(rng) * a->rotate) * (3.14159265358979323846 / 180.0), &sine, &cosine);
  double zoom = 1.0 + (double)(draw_symmetric(rng) * a->zoom);
  w.sine = (float)(sine / zoom);
  w.cosine = (float)(cosine / zoom);
  w.flip = (th_rng_u64(rng) >> 63) != 0 && a->flip;
  w.erase = a->erase;
  w.erase_y = (int)th_rng_below(rng, (uint32_t)im.y) - a->erase / 2;
  w.erase_x = (int)th_rng_below(rng, (uint32_t)im.x) - a->erase / 2;
  return w;
}

/* Whole pixels: rows move as blocks. */
static void shift_rows(const th_store *store, size_t base, image im, const warp *w, float *x) {
  int from = w->shift_x < 0 ? 0 : w->shift_x, to = w->shift_x < 0 ? im.x + w->shift_x : im.x;
  memset(x, 0, (size_t)im.y * im.x * im.c * sizeof *x);
  if (from >= to) return;
  for (int y = 0; y < im.y; ++y) {
    int sy = y - w->shift_y;
    if (sy < 0 || sy >= im.y) continue;
    size_t source = base + ((size_t)sy * im.x + (size_t)(from - w->shift_x)) * im.c;
    load_run(store, source, (to - from) * im.c, x + ((size_t)y * im.x + from) * im.c);
  }
}

static float raw_at(const th_store *store, size_t i) {
  switch (store->dtype) {
    case TH_DTYPE_U8:
      return (float)((const uint8_t *)store->samples)[i];
    case TH_DTYPE_S8:
      return (float)((const int8_t *)store->samples)[i];
    case TH_DTYPE_S16:
      return (float)((const int16_t *)store->samples)[i];
    default:
      return ((const float *)store->samples)[i];
  }
}

/* Weight times value of one of the four neighbours; zero outside. */
static float neighbour(const th_store *store, size_t base, image im, int y, int x, int c, float weight) {
  if (y < 0 || y >= im.y || x < 0 || x >= im.x) return 0.0f;
  return weight * raw_at(store, base + ((size_t)y * im.x + x) * im.c + c);
}

static void resample(const th_store *store, size_t base, image im, const warp *w, float *out) {
  float center_y = 0.5f * (float)(im.y - 1), center_x = 0.5f * (float)(im.x - 1);
  float move_y = (float)w->shift_y + w->sub_y, move_x = (float)w->shift_x + w->sub_x;
  for (int y = 0; y < im.y; ++y) {
    for (int x = 0; x < im.x; ++x) {
      float dy = (float)y - center_y - move_y, dx = (float)x - center_x - move_x;
      float sy = center_y + w->cosine * dy - w->sine * dx, sx = center_x + w->sine * dy + w->cosine * dx;
      float fy = floorf(sy), fx = floorf(sx);
      int iy = (int)fy, ix = (int)fx;
      float ty = sy - fy, tx = sx - fx;
      for (int c = 0; c < im.c; ++c) {
        *out++ = neighbour(store, base, im, iy, ix, c, (1 - ty) * (1 - tx)) +
                 neighbour(store, base, im, iy, ix + 1, c, (1 - ty) * tx) +
                 neighbour(store, base, im, iy + 1, ix, c, ty * (1 - tx)) +
                 neighbour(store, base, im, iy + 1, ix + 1, c, ty * tx);
      }
    }
  }
}

static void flip_rows(image im, float *x) {
  for (int y = 0; y < im.y; ++y, x += im.x * im.c)
    for (int l = 0, r = im.x - 1; l < r; ++l, --r)
      for (int c = 0; c < im.c; ++c) {
        float kept = x[l * im.c + c];
        x[l * im.c + c] = x[r * im.c + c];
        x[r * im.c + c] = kept;
      }
}

static void erase_square(image im, const warp *w, float *x) {
  int y0 = w->erase_y < 0 ? 0 : w->erase_y, x0 = w->erase_x < 0 ? 0 : w->erase_x;
  int y1 = w->erase_y + w->erase > im.y ? im.y : w->erase_y + w->erase;
  int x1 = w->erase_x + w->erase > im.x ? im.x : w->erase_x + w->erase;
  for (int y = y0; y < y1; ++y)
    if (x1 > x0) memset(x + ((size_t)y * im.x + x0) * im.c, 0, (size_t)(x1 - x0) * im.c * sizeof *x);
}

static void fetch_augmented(const th_store *store, size_t base, image im, const th_augment *a, th_rng *rng, float *x) {
  warp w = draw_warp(a, im, rng);
  if (w.bilinear)
    resample(store, base, im, &w, x);
  else
    shift_rows(store, base, im, &w, x);
  if (w.flip) flip_rows(im, x);
  if (w.erase > 0) erase_square(im, &w, x);
}

void th_dataset_fetch(const th_dataset *d, th_split_id split, const int32_t *which, int n, const th_augment *augment,
                      uint64_t seed, uint32_t epoch, float *x, int32_t *y) {
  const th_split *s = &d->split[split];
  const th_store *store = &d->store[s->store];
  int elems = th_dataset_sample_elems(d);
  image im = image_of(&d->shape);
  for (int i = 0; i < n; ++i) {
    int32_t sample = s->index ? s->index[which[i]] : which[i];
    if (y) y[i] = store->labels ? store->labels[sample] : 0;
    if (!x) continue;
    size_t base = (size_t)sample * (size_t)elems;
    float *out = x + (size_t)i * (size_t)elems;
    if (augment) {
      th_rng rng = th_rng_init(seed, (uint64_t)epoch << 32 | (uint32_t)which[i]);
      fetch_augmented(store, base, im, augment, &rng, out);
    } else {
      load_run(store, base, elems, out);
    }
    normalize(d, out, elems);
  }
}

void th_dataset_fetch_targets(const th_dataset *d, th_split_id split, const int32_t *which, int n, float *t) {
  const th_split *s = &d->split[split];
  size_t elems = (size_t)d->target_elems;
  for (int i = 0; i < n; ++i) {
    size_t sample = (size_t)(s->index ? s->index[which[i]] : which[i]);
    memcpy(t + (size_t)i * elems, d->store[s->store].targets + sample * elems, elems * sizeof *t);
  }
}

int32_t th_dataset_group(const th_dataset *d, th_split_id split, int32_t which) {
  const th_split *s = &d->split[split];
  const th_store *store = &d->store[s->store];
  int32_t sample = s->index ? s->index[which] : which;
  return store->groups ? store->groups[sample] : sample;
}
