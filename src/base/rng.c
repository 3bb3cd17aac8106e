/* xoshiro256** and what is drawn from it. See rng.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

static uint64_t splitmix64(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* 2^64 / golden ratio: Steele, Lea, Flood 2014 */
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

th_rng th_rng_init(uint64_t seed, uint64_t stream) {
  uint64_t state = seed;
  state = splitmix64(&state) ^ stream; /* mixed before the stream comes in, so (1,2) and (2,1) differ */
  th_rng rng;
  for (int i = 0; i < 4; i++) rng.s[i] = splitmix64(&state);
  return rng;
}

uint64_t th_rng_u64(th_rng *rng) {
  uint64_t *s = rng->s, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

uint32_t th_rng_below(th_rng *rng, uint32_t n) {
  /* Lemire 2019: the high half of a 32x32 product, rejecting the short first interval. */
  uint64_t m = (th_rng_u64(rng) >> 32) * n;
  if ((uint32_t)m < n) {
    uint32_t threshold = -n % n;
    while ((uint32_t)m < threshold) m = (th_rng_u64(rng) >> 32) * n;
  }
  return (uint32_t)(m >> 32);
}

float th_rng_uniform(th_rng *rng) {
  return (float)(th_rng_u64(rng) >> 40) * 0x1p-24f;
}

float th_rng_normal(th_rng *rng) {
  /* Irwin-Hall: 12 uniforms of 16 bits have variance 1 (times 1 - 2^-32); the integer sum is exact everywhere. */
  uint32_t sum = 0;
  for (int i = 0; i < 3; i++) {
    uint64_t u = th_rng_u64(rng);
    for (int k = 0; k < 4; k++) sum += (uint32_t)(u >> (16 * k)) & 0xffffu;
  }
  return ((float)sum + 6.0f) * 0x1p-16f - 6.0f; /* + 12 half steps: centred */
}

void th_rng_shuffle(th_rng *rng, int32_t *items, int32_t count) {
  for (int32_t i = count - 1; i > 0; i--) {
    int32_t j = (int32_t)th_rng_below(rng, (uint32_t)i + 1);
    int32_t t = items[i];
    items[i] = items[j];
    items[j] = t;
  }
}
