/* Coded channels: bias, multiplier and shift of each row as a stream of bits with Rice codes (Rice 1979).
 *
 * Only the leading bits of a multiplier are stored, as many as make a difference (the encoder sees to that). In a
 * sorted stream the rows come in the order of falling scales, so that shift and first bits are a small step from those
 * of the row before. Layout: docs/format.md, "Coded channels". SPDX-License-Identifier: Apache-2.0 */
#include "thr_kernels.h"

enum { HEADER_BYTES = 4, MOST_ONES = 24, NO_MULTIPLIER = 31 };

typedef struct bits {
  const uint8_t *data;
  uint32_t bytes, at;
} bits;

static uint32_t take(bits *b, uint32_t n) {
  uint32_t v = 0;
  for (; n > 0; n--, b->at++) {
    const uint32_t byte = b->at >> 3;
    v = v << 1 | (byte < b->bytes ? (uint32_t)b->data[byte] >> (7u - (b->at & 7u)) & 1u : 0);
  }
  return v;
}

/* As many ones as the number's upper part, a zero, the k lower bits; 24 ones: all 32 bits follow. */
static uint32_t take_rice(bits *b, uint32_t k) {
  uint32_t ones = 0;
  while (ones < MOST_ONES && take(b, 1)) ones++;
  return ones == MOST_ONES ? take(b, 32) : ones << k | take(b, k);
}

/* `given` leading bits after the first are known already. */
static int32_t take_mult(bits *b, const uint8_t *head, uint32_t first, uint32_t given) {
  const uint32_t length = (head[1] & 31u) + take_rice(b, (uint32_t)head[1] >> 5);
  if (length >= NO_MULTIPLIER) return 0;
  uint32_t v = first, n = given;
  if (length > n) {
    v = v << (length - n) | take(b, length - n);
    n = length;
  }
  return (int32_t)((1u << 30) | v << (30u - n));
}

void thr_decode_channels(const thr_requant *r, thr_channel_state *state, thr_channel *channel) {
  static const uint8_t none[HEADER_BYTES] = {0};
  const uint8_t *head = r->coded_bytes >= HEADER_BYTES ? r->coded : none;
  bits b = {r->coded, r->coded_bytes, state->bit ? state->bit : 8u * HEADER_BYTES};
  uint32_t down = 0;
  const int same = !(head[2] & 128u) && head[3] >> 5 == 7 && state->bit != 0; /* one multiplier for all */
  if (same) {
    channel->mult = state->mult;
  } else if (head[2] & 128u) {
    state->key = (state->key + take_rice(&b, (uint32_t)head[3] >> 5)) & 0xffffu;
    down = state->key >> 8;
    channel->mult = take_mult(&b, head, 255u - (state->key & 255u), 8);
  } else {
    down = take_rice(&b, (uint32_t)head[2] >> 5 & 3u);
    channel->mult = take_mult(&b, head, 0, 0);
  }
  const int32_t shift = (int8_t)head[0] - (int32_t)(down & 127u);
  channel->shift = same ? state->shift : (int8_t)(shift < -31 ? -31 : shift > 30 ? 30 : shift);
  const uint32_t k = head[2] & 31u, folded = take_rice(&b, k);
  channel->bias = (int32_t)(((folded >> 1) ^ (0u - (folded & 1u))) << (head[3] & 31u));
  state->mult = channel->mult;
  state->shift = channel->shift;
  state->bit = b.at;
}
