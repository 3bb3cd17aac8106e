/* Random numbers: xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64 from (seed, stream).
 *
 * Streams make results independent of the number of threads: whoever needs numbers takes a stream of its own, named
 * by what it is for (layer, epoch, image), never a share of a common one. No libm, so the bits are the same on every
 * machine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_RNG_H
#define TH_BASE_RNG_H

#include <stdint.h>

typedef struct th_rng {
  uint64_t s[4];
} th_rng;

th_rng th_rng_init(uint64_t seed, uint64_t stream);
uint64_t th_rng_u64(th_rng *rng);
uint32_t th_rng_below(th_rng *rng, uint32_t n); /* uniform in [0, n), unbiased; n >= 1 */
float th_rng_uniform(th_rng *rng);              /* [0, 1), 24 bits */
float th_rng_normal(th_rng *rng);               /* mean 0, variance 1: sum of 12 uniforms minus 6, exact arithmetic */
void th_rng_shuffle(th_rng *rng, int32_t *items, int32_t count); /* Fisher-Yates */

#endif
