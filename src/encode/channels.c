/* Rice codes with parameters found by trying all. See channels.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/channels.h"

#include <string.h>

#include "base/arena.h"
#include "encode/bits.h"

enum { MOST_ONES = 24, SAME = 7, NO_MULTIPLIER = 31, FIRST_BITS = 8 };

typedef struct channels {
  const thr_channel *c;
  uint32_t n;
  int32_t highest;   /* shift */
  bool sorted, same; /* same: one multiplier and shift for all */
  uint32_t bias_shift;
  uint32_t k_down, k_key, least, k_length, k_bias;
} channels;

/* --- what the stream says of channel i --- */

static uint32_t down_of(const channels *h, uint32_t i) {
  return (uint32_t)(h->highest - h->c[i].shift);
}

/* Bits of the multiplier behind the first one, without zeros at the end. */
static uint32_t length_of(const channels *h, uint32_t i) {
  const int32_t m = h->c[i].mult;
  const uint32_t length = m ? 30u - (uint32_t)__builtin_ctz((unsigned)m) : NO_MULTIPLIER;
  return h->sorted && length < FIRST_BITS ? FIRST_BITS : length;
}

static uint32_t key_of(const channels *h, uint32_t i) {
  return down_of(h, i) << 8 | (255u - ((uint32_t)h->c[i].mult >> 22 & 255u));
}

static uint32_t folded_of(const channels *h, uint32_t i) {
  const int32_t v = h->c[i].bias / (int32_t)(1u << h->bias_shift);
  return (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0u);
}

static uint32_t key_step_of(const channels *h, uint32_t i) {
  return key_of(h, i) - (i ? key_of(h, i - 1) : 0);
}

static uint32_t extra_of(const channels *h, uint32_t i) {
  const uint32_t length = length_of(h, i);
  return length > h->least ? length - h->least : 0;
}

/* --- choosing --- */

static uint32_t rice_bits(uint32_t v, uint32_t k) {
  return v >> k < MOST_ONES ? (v >> k) + 1 + k : MOST_ONES + 32;
}

/* The best parameter up to `most` for the numbers that `of` gives; *bits: what it costs. */
static uint32_t best_rice(const channels *h, uint32_t (*of)(const channels *, uint32_t), uint32_t most,
                          uint64_t *bits) {
  uint32_t best = 0;
  *bits = UINT64_MAX;
  for (uint32_t k = 0; k <= most; k++) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < h->n; i++) sum += rice_bits(of(h, i), k);
    if (sum < *bits) *bits = sum, best = k;
  }
  return best;
}

static void choose_length(channels *h) {
  uint64_t least_bits = UINT64_MAX;
  channels trial = *h;
  for (trial.least = 0; trial.least <= 30; trial.least++) {
    uint64_t bits;
    trial.k_length = best_rice(&trial, extra_of, 7, &bits);
    for (uint32_t i = 0; i < h->n; i++) {
      const uint32_t length = length_of(h, i);
      if (length != NO_MULTIPLIER) bits += length < trial.least ? trial.least : length;
    }
    if (bits < least_bits) least_bits = bits, h->least = trial.least, h->k_length = trial.k_length;
  }
}

static bool can_be_sorted(const channels *h) {
  for (uint32_t i = 0; i < h->n; i++)
    if (h->c[i].mult == 0 || down_of(h, i) > 127 || (i && key_of(h, i) < key_of(h, i - 1))) return false;
  return true;
}

static bool all_same(const channels *h) {
  for (uint32_t i = 1; i < h->n; i++)
    if (h->c[i].mult != h->c[0].mult || h->c[i].shift != h->c[0].shift) return false;
  return true;
}

static void choose_order(channels *h) {
  uint64_t plain, sorted;
  h->same = all_same(h);
  if (h->same) {
    h->k_key = SAME;
    return;
  }
  h->k_down = best_rice(h, down_of, 3, &plain);
  if (!can_be_sorted(h)) return;
  h->k_key = best_rice(h, key_step_of, 7, &sorted);

  h->sorted = sorted < plain + (uint64_t)FIRST_BITS * h->n;
  if (!h->sorted) h->k_key = 0;
}

static bool prepare(channels *h) {
  uint32_t all = 0;
  h->highest = -128;
  for (uint32_t i = 0; i < h->n; i++) {
    const thr_channel *c = &h->c[i];
    if (c->mult != 0 && c->mult < 1 << 30) return false; /* the first bit is not stored */
    if (c->bias == INT32_MIN) return false;
    if (c->shift > h->highest) h->highest = c->shift;
    all |= (uint32_t)c->bias;
  }
  for (uint32_t i = 0; i < h->n; i++)
    if (down_of(h, i) > 127) return false;
  h->bias_shift = all ? (uint32_t)__builtin_ctz(all) : 0;
  if (h->bias_shift > 30) h->bias_shift = 30;
  return true;
}

/* --- writing --- */

static void put(th_bits *b, uint32_t v, uint32_t n) {
  if (n > 16) th_bits_put(b, v >> 16, (int)n - 16);
  th_bits_put(b, v, n > 16 ? 16 : (int)n);
}

static void put_rice(th_bits *b, uint32_t v, uint32_t k) {
  const uint32_t ones = v >> k;
  for (uint32_t i = 0; i < ones && i < MOST_ONES; i++) put(b, 1, 1);
  if (ones >= MOST_ONES) {
    put(b, v, 32);
    return;
  }
  put(b, 0, 1);
  put(b, v, k);
}

static void put_mult(const channels *h, th_bits *b, uint32_t i) {
  const uint32_t given = h->sorted ? FIRST_BITS : 0, length = h->least + extra_of(h, i);
  put_rice(b, extra_of(h, i), h->k_length);
  if (length_of(h, i) == NO_MULTIPLIER) return;
  const uint32_t rest = (uint32_t)h->c[i].mult & ((1u << 30) - 1u);
  if (length > given) put(b, rest >> (30u - length), length - given);
}

static void write(const channels *h, th_buf *out) {
  th_buf_u8(out, (uint8_t)h->highest);
  th_buf_u8(out, (uint8_t)(h->least | h->k_length << 5));
  th_buf_u8(out, (uint8_t)(h->k_bias | h->k_down << 5 | (h->sorted ? 128 : 0)));
  th_buf_u8(out, (uint8_t)(h->bias_shift | h->k_key << 5));
  th_bits b = th_bits_begin(out);
  for (uint32_t i = 0; i < h->n; i++) {
    if (h->sorted)
      put_rice(&b, key_step_of(h, i), h->k_key);
    else if (!h->same || i == 0)
      put_rice(&b, down_of(h, i), h->k_down);
    if (!h->same || i == 0) put_mult(h, &b, i);
    put_rice(&b, folded_of(h, i), h->k_bias);
  }
  th_bits_end(&b);
}

static bool comes_back(const channels *h, const uint8_t *data, uint32_t bytes) {
  const thr_requant r = {.coded = data, .coded_bytes = bytes};
  thr_channel_state state = {0};
  for (uint32_t i = 0; i < h->n; i++) {
    thr_channel c;
    thr_decode_channels(&r, &state, &c);
    if (c.bias != h->c[i].bias || c.mult != h->c[i].mult || (c.mult && c.shift != h->c[i].shift)) return false;
  }
  return true;
}

bool th_encode_channels(const thr_channel *channel, uint32_t n, th_buf *out) {
  channels h = {.c = channel, .n = n};
  const size_t before = out->size;
  uint64_t ignored;
  if (n == 0 || !prepare(&h)) return false;
  choose_order(&h);
  choose_length(&h);
  h.k_bias = best_rice(&h, folded_of, 24, &ignored);
  write(&h, out);
  if (!out->failed && comes_back(&h, out->data + before, (uint32_t)(out->size - before))) return true;
  out->size = before;
  return false;
}
