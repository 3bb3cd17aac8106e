/* Narrowing, carries, the end. See arithmetic.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/arithmetic.h"

#include "../../rt/decode/arithmetic.h"

static void put(th_arithmetic *a, uint8_t byte) {
  if (a->begun) th_buf_u8(a->out, byte);
  a->begun = true;
}

static void shift(th_arithmetic *a) {
  if (a->low < 0xff000000u || a->low > UINT32_MAX) {
    const uint8_t carry = (uint8_t)(a->low >> 32);
    put(a, (uint8_t)(a->cache + carry));
    for (; a->pending; a->pending--) put(a, (uint8_t)(255 + carry));
    a->cache = (uint8_t)(a->low >> 24);
  } else {
    a->pending++;
  }
  a->low = (a->low & 0xffffffu) << 8;
}

th_arithmetic th_arithmetic_begin(th_buf *out) {
  return (th_arithmetic){.out = out, .before = out->size, .range = UINT32_MAX};
}

void th_arithmetic_put(th_arithmetic *a, uint32_t low, uint32_t high) {
  const uint32_t unit = a->range >> 16;
  a->low += (uint64_t)low * unit;
  a->range = high == THR_RANGE_TOTAL ? a->range - low * unit : (high - low) * unit;
  while (a->range < THR_RANGE_LEAST) {
    a->range <<= 8;
    shift(a);
  }
}

/* The number in the range with the most zeros at its end; those need not be stored. */
void th_arithmetic_end(th_arithmetic *a) {
  for (int zeros = 32; zeros >= 0; zeros -= 8) {
    const uint64_t mask = ((uint64_t)1 << zeros) - 1, v = (a->low + mask) & ~mask;
    if (v - a->low >= a->range) continue;
    a->low = v;
    break;
  }
  for (int i = 0; i < 5; i++) shift(a);
  while (a->out->size > a->before && a->out->data[a->out->size - 1] == 0) a->out->size--;
}
