/* range: weights by a range coder (arithmetic.h), their probabilities by a parametric model (range.h).
 *
 * Which symbol it is is found by halving, which needs no division. Table: docs/format.md. SPDX-License-Identifier:
 * Apache-2.0 */
#include "range.h"

#include "code.h"

enum { TAIL_ENTRIES = 64, WIDTHS = 80 };

/* Normal, logistic and Laplace distribution, each with standard deviation 1. */
static const uint16_t tails[3][TAIL_ENTRIES] = {
    {32768, 29508, 26299, 23189, 20220, 17432, 14852, 12503, 10398, 8539, 6924, 5542, 4378, 3413, 2625, 1992,
     1491,  1101,  801,   575,   407,   284,   195,   132,   88,    58,   38,   24,   15,   9,    6,    3,
     2,     1,     1,     0,     0,     0,     0,     0,     0,     0,    0,    0,    0,    0,    0,    0,
     0,     0,     0,     0,     0,     0,     0,     0,     0,     0,    0,    0,    0,    0,    0,    0},
    {32768, 29069, 25463, 22035, 18850, 15958, 13381, 11128, 9187, 7538, 6152, 4999, 4048, 3268, 2631, 2115,
     1697,  1360,  1089,  871,   696,   556,   444,   354,   283,  226,  180,  144,  114,  91,   73,   58,
     46,    37,    29,    23,    19,    15,    12,    9,     8,    6,    5,    4,    3,    2,    2,    2,
     1,     1,     1,     1,     0,     0,     0,     0,     0,    0,    0,    0,    0,    0,    0,    0},
    {32768, 27458, 23009, 19281, 16157, 13539, 11345, 9507, 7966, 6676, 5594, 4688, 3928, 3292, 2758, 2311,
     1937,  1623,  1360,  1140,  955,   800,   671,   562,  471,  395,  331,  277,  232,  195,  163,  137,
     114,   96,    80,    67,    56,    47,    40,    33,   28,   23,   20,   16,   14,   11,   10,   8,
     7,     6,     5,     4,     3,     3,     2,     2,    2,    1,    1,    1,    1,    1,    1,    0},
};

static const uint16_t inverse_width[8] = {32768, 30048, 27554, 25268, 23170, 21247, 19484, 17867}; /* 2^(15 - i / 8) */

static int32_t nibble(uint32_t v) {
  v &= 15u;
  return v < 8u ? (int32_t)v : (int32_t)v - 16;
}

static uint32_t step_of(uint32_t n, uint32_t unit) {
  n &= 15u;
  return unit * ((1u << (n < 11u ? n : 11u)) - 1u);
}

static int parse_neighbours(thr_range_model *m, const uint8_t *table, uint32_t bytes) {
  if (bytes < 11) return 0;
  m->share[0] = nibble(table[5]);
  m->share[1] = nibble((uint32_t)table[5] >> 4);
  m->share[2] = nibble(table[6]);
  m->near = table[7] + 1u;
  m->far = table[6] & 16u ? table[8] + 1u : 0;
  m->row = table[9] | (uint32_t)table[10] << 8;
  return 1;
}

int thr_range_parse(thr_range_model *m, const uint8_t *table, uint32_t bytes) {
  static const thr_range_model none = {0};
  *m = none;
  if (bytes < 5 || (table[0] & 3u) > 2u) return 0;
  m->tail = tails[table[0] & 3u];
  m->follow = (int32_t)(table[0] >> 2 & 7u);
  m->decay = (int32_t)(table[0] >> 5 & 3u) + 3;
  m->width = (int8_t)table[1];
  m->zero = step_of(table[2], 16);
  m->edge = step_of((uint32_t)table[2] >> 4, 4);
  m->inside = THR_RANGE_TOTAL - 256u - m->zero - 2u * m->edge;
  m->constant = (int8_t)table[3];
  m->first_mean = (uint32_t)table[4] << 8;
  return table[0] & 128u ? parse_neighbours(m, table, bytes) : 1;
}

uint32_t thr_range_memory(const uint8_t *table, uint32_t bytes) {
  return bytes > 0 && table[0] & 128u ? THR_RANGE_MEMORY : 0;
}

int32_t thr_range_expect(const thr_range_model *m, const int8_t *memory, uint32_t at) {
  int32_t sum = m->constant * 8;
  if (m->near == 0 || !memory) return sum;
  const uint32_t in_row = m->row ? at % m->row : at, far = m->far;
  /* In a grid of lines, the first of a line has no nearer neighbour. */
  const int has_near = in_row >= m->near && (far == 0 || far % m->near != 0 || in_row % far >= m->near);
  const int has_far = far != 0 && in_row >= far;
  if (has_near) sum += m->share[0] * memory[(at - m->near) % THR_RANGE_MEMORY];
  if (has_far) sum += m->share[1] * memory[(at - far) % THR_RANGE_MEMORY];
  if (has_near && has_far && in_row >= far + m->near && far + m->near <= THR_RANGE_MEMORY)
    sum += m->share[2] * memory[(at - far - m->near) % THR_RANGE_MEMORY];
  return sum;
}

uint32_t thr_range_width(const thr_range_model *m, uint32_t mean) {
  uint32_t v = mean + 8u, octave = 3;
  while (v > 15u) v >>= 1, octave++; /* v: 8..15, the leading bits */
  const int32_t level = (int32_t)(octave * 8u + (v & 7u)), width = m->width + (m->follow * level >> 2);
  return width < 0 ? 0 : width >= WIDTHS ? WIDTHS - 1u : (uint32_t)width;
}

uint32_t thr_range_below(const thr_range_model *m, uint32_t width, int32_t expected, int32_t v) {
  if (v < -126) return v < -127 ? 0 : 1; /* what lies outside the int8 values counts for -127 and 127 */
  if (v > 127) return THR_RANGE_TOTAL;
  const int32_t t = 8 * v - 4 - expected;
  const uint32_t distance = (uint32_t)(t < 0 ? -t : t);
  const uint32_t z = distance * inverse_width[width & 7u] >> (5u + (width >> 3)), i = z >> 8;
  uint32_t tail = 0;
  if (i < TAIL_ENTRIES - 1) tail = m->tail[i] - ((uint32_t)(m->tail[i] - m->tail[i + 1]) * (z & 255u) >> 8);
  const uint32_t part = t < 0 ? tail : THR_RANGE_TOTAL - tail;
  /* 65536 * 65535 does not fit: halve both */
  uint32_t below = ((part >> 1) * (m->inside >> 1) >> 14) + (uint32_t)(v + 128) + m->edge;
  if (v > 0) below += m->zero;
  return below;
}

uint32_t thr_range_learn(const thr_range_model *m, uint32_t mean, int32_t expected, int32_t v) {
  const int32_t deviation = 8 * v - expected;
  const uint32_t now = (uint32_t)(deviation < 0 ? -deviation : deviation) << 6;
  return now >= mean ? mean + ((now - mean) >> m->decay) : mean - ((mean - now) >> m->decay);
}

/* --- decoding --- */

static int32_t next_weight(thr_stream *stream, const thr_range_model *m, int32_t expected) {
  const uint32_t width = thr_range_width(m, stream->mean), unit = stream->range >> 16;
  int32_t v = -128;
  uint32_t low = 0, high = THR_RANGE_TOTAL;
  for (int32_t half = 128; half > 0; half >>= 1) {
    const uint32_t middle = thr_range_below(m, width, expected, v + half);
    if (stream->value >= middle * unit) {
      v += half;
      low = middle;
    } else {
      high = middle;
    }
  }
  thr_range_narrow(stream, low, high);
  return v;
}

void thr_decode_range(thr_stream *stream, int8_t *out, uint32_t count) {
  thr_range_model m;
  const int good = thr_range_parse(&m, stream->weights->table, stream->weights->table_bytes);
  if (good && stream->range == 0) {
    stream->mean = m.first_mean;
    thr_range_start(stream);
  }
  for (uint32_t i = 0; i < count; i++) {
    int32_t v = 0;
    if (good) {
      const int32_t expected = thr_range_expect(&m, stream->memory, stream->run);
      v = next_weight(stream, &m, expected);
      stream->mean = thr_range_learn(&m, stream->mean, expected, v);
      if (stream->memory) stream->memory[stream->run % THR_RANGE_MEMORY] = (int8_t)v;
      stream->run++;
    }
    out[i] = (int8_t)v;
  }
}
