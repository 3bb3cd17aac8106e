/* The vectors of this build. Each source of this folder is compiled once per row of isa.def, with THR_ISA as suffix.
 *
 * A vector holds THR_LANES 32-bit integers. Sums of products read their operands as "dwords": one 32-bit lane holds
 * THR_GROUP neighbouring values of the input and of a weight row, and thr_v_dot() adds their products to the lane.
 *
 *   avx512   16 lanes, 4 values: VPDPBUSD, unsigned input (x + 128) times signed weight
 *   avx2      8 lanes, 2 values of 16 bits: VPMADDWD; the 8-bit form would saturate
 *
 * THR_OFFSET is what a staged input value exceeds the int8 value by. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_X86_SIMD_H
#define THR_X86_SIMD_H

#include <immintrin.h>
#include <string.h>

#include "../ref/arith.h"
#include "thr_variant.h"

#define THR_PASTE2(name, isa) thr_##name##_##isa
#define THR_PASTE(name, isa) THR_PASTE2(name, isa)
#define THR_X86_NAME(name) THR_PASTE(name, THR_ISA_NAME) /* thr_conv2d_s8_avx2 */

#define THR_INLINE static inline __attribute__((always_inline))
#define THR_UNROLL _Pragma("GCC unroll 16")

#if defined(__AVX512VNNI__)

#define THR_LANES 16
#define THR_GROUP 4
#define THR_OFFSET 128
typedef __m512i thr_vec;
typedef uint8_t thr_staged;
typedef int8_t thr_packed;

THR_INLINE thr_vec thr_v_load(const void *p) {
  return _mm512_loadu_si512(p);
}
THR_INLINE void thr_v_store(void *p, thr_vec v) {
  _mm512_storeu_si512(p, v);
}
THR_INLINE thr_vec thr_v_set(int32_t x) {
  return _mm512_set1_epi32(x);
}
THR_INLINE thr_vec thr_v_set64(int64_t x) {
  return _mm512_set1_epi64(x);
}
THR_INLINE thr_vec thr_v_set8(int32_t x) {
  return _mm512_set1_epi8((char)x);
}
THR_INLINE thr_vec thr_v_dot(thr_vec acc, thr_vec x, thr_vec w) {
#if defined(__clang__)
  return _mm512_dpbusd_epi32(acc, x, w);
#else /* gcc 12 copies and spills accumulators that go through the intrinsic */
  __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "vm"(w));
  return acc;
#endif
}
THR_INLINE thr_vec thr_v_add(thr_vec a, thr_vec b) {
  return _mm512_add_epi32(a, b);
}
THR_INLINE thr_vec thr_v_sub(thr_vec a, thr_vec b) {
  return _mm512_sub_epi32(a, b);
}
THR_INLINE thr_vec thr_v_shl(thr_vec a, thr_vec n) {
  return _mm512_sllv_epi32(a, n);
}
THR_INLINE thr_vec thr_v_mul(thr_vec a, thr_vec b) {
  return _mm512_mullo_epi32(a, b);
}
#define thr_v_shift(a, n) _mm512_slli_epi32(a, n)
#define thr_v_shift_right(a, n) _mm512_srai_epi32(a, n)
/* High halves of the 64-bit a * mult + add; `odd` for the odd lanes, their multipliers moved one lane down. */
THR_INLINE thr_vec thr_v_high(thr_vec a, thr_vec even_mult, thr_vec odd_mult, thr_vec even_add, thr_vec odd_add) {
  const thr_vec even = _mm512_add_epi64(_mm512_mul_epu32(a, even_mult), even_add);
  const thr_vec odd = _mm512_add_epi64(_mm512_mul_epu32(_mm512_srli_epi64(a, 32), odd_mult), odd_add);
  return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
}
/* (a - (a < below ? 1 : 0)) >> n */
THR_INLINE thr_vec thr_v_round(thr_vec a, thr_vec below, thr_vec n) {
  a = _mm512_mask_add_epi32(a, _mm512_cmplt_epi32_mask(a, below), a, _mm512_set1_epi32(-1));
  return _mm512_srav_epi32(a, n);
}
/* Four vectors as int8, saturated, and clamped; a comes first. */
THR_INLINE thr_vec thr_v_narrow(thr_vec a, thr_vec b, thr_vec c, thr_vec d, thr_vec lo, thr_vec hi) {
  const thr_vec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const thr_vec q = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
  return _mm512_permutexvar_epi32(order, _mm512_min_epi8(_mm512_max_epi8(q, lo), hi));
}
/* The same without bringing the parts into order: each 128-bit lane holds 4 of a, of b, of c, of d. */
THR_INLINE thr_vec thr_v_narrow_lanes(thr_vec a, thr_vec b, thr_vec c, thr_vec d, thr_vec lo, thr_vec hi) {
  const thr_vec q = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
  return _mm512_min_epi8(_mm512_max_epi8(q, lo), hi);
}
#define thr_v_store_half(p, v, i) _mm256_storeu_si256((__m256i *)(void *)(p), _mm512_extracti64x4_epi64(v, i))
#define thr_v_store_quarter(p, v, i) _mm_storeu_si128((__m128i *)(void *)(p), _mm512_extracti32x4_epi32(v, i))
/* THR_LANES int8 values as 32-bit ones */
THR_INLINE thr_vec thr_v_widen(const int8_t *p) {
  __m128i x;
  memcpy(&x, p, sizeof x);
  return _mm512_cvtepi8_epi32(x);
}
/* Sum divided by n, truncated; both exact in float32 */
THR_INLINE thr_vec thr_v_divide(thr_vec a, float n) {
  return _mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(a), _mm512_set1_ps(n)));
}
/* x + (x > 0 ? n : -n) */
THR_INLINE thr_vec thr_v_away(thr_vec x, int32_t n) {
  const __mmask16 positive = _mm512_cmpgt_epi32_mask(x, _mm512_setzero_si512());
  return _mm512_add_epi32(x, _mm512_mask_blend_epi32(positive, _mm512_set1_epi32(-n), _mm512_set1_epi32(n)));
}

/* Copies n int8 values as staged ones. */
THR_INLINE void thr_stage(thr_staged *to, const int8_t *from, size_t n) {
  const thr_vec flip = thr_v_set8(-128);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) thr_v_store(to + i, _mm512_xor_si512(thr_v_load(from + i), flip));
  if (i < n) {
    const __mmask64 rest = ~(__mmask64)0 >> (64 - (n - i));
    _mm512_mask_storeu_epi8(to + i, rest, _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, from + i), flip));
  }
}

/* 16 values of four rows as dwords: dword i of `to` holds those at i. */
THR_INLINE void thr_interleave(const thr_staged *a, const thr_staged *b, const thr_staged *c, const thr_staged *d,
                               int32_t *to, size_t line) {
  const thr_vec dwords = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const thr_vec bytes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  thr_vec v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)a));
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)b), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)c), 2);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)d), 3);
  (void)line;
  thr_v_store(to, _mm512_shuffle_epi8(_mm512_permutexvar_epi32(dwords, v), bytes));
}

#else

#define THR_LANES 8
#define THR_GROUP 2
#define THR_OFFSET 0
typedef __m256i thr_vec;
typedef int16_t thr_staged;
typedef int16_t thr_packed;

THR_INLINE thr_vec thr_v_load(const void *p) {
  return _mm256_loadu_si256((const __m256i *)p);
}
THR_INLINE void thr_v_store(void *p, thr_vec v) {
  _mm256_storeu_si256((__m256i *)p, v);
}
THR_INLINE thr_vec thr_v_set(int32_t x) {
  return _mm256_set1_epi32(x);
}
THR_INLINE thr_vec thr_v_set64(int64_t x) {
  return _mm256_set1_epi64x(x);
}
THR_INLINE thr_vec thr_v_set8(int32_t x) {
  return _mm256_set1_epi8((char)x);
}
THR_INLINE thr_vec thr_v_dot(thr_vec acc, thr_vec x, thr_vec w) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w));
}
THR_INLINE thr_vec thr_v_add(thr_vec a, thr_vec b) {
  return _mm256_add_epi32(a, b);
}
THR_INLINE thr_vec thr_v_sub(thr_vec a, thr_vec b) {
  return _mm256_sub_epi32(a, b);
}
THR_INLINE thr_vec thr_v_shl(thr_vec a, thr_vec n) {
  return _mm256_sllv_epi32(a, n);
}
THR_INLINE thr_vec thr_v_mul(thr_vec a, thr_vec b) {
  return _mm256_mullo_epi32(a, b);
}
#define thr_v_shift(a, n) _mm256_slli_epi32(a, n)
#define thr_v_shift_right(a, n) _mm256_srai_epi32(a, n)
THR_INLINE thr_vec thr_v_high(thr_vec a, thr_vec even_mult, thr_vec odd_mult, thr_vec even_add, thr_vec odd_add) {
  const thr_vec even = _mm256_add_epi64(_mm256_mul_epu32(a, even_mult), even_add);
  const thr_vec odd = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(a, 32), odd_mult), odd_add);
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
THR_INLINE thr_vec thr_v_round(thr_vec a, thr_vec below, thr_vec n) {
  return _mm256_srav_epi32(_mm256_add_epi32(a, _mm256_cmpgt_epi32(below, a)), n);
}
THR_INLINE thr_vec thr_v_narrow_lanes(thr_vec a, thr_vec b, thr_vec c, thr_vec d, thr_vec lo, thr_vec hi) {
  const thr_vec q = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  return _mm256_min_epi8(_mm256_max_epi8(q, lo), hi);
}
THR_INLINE thr_vec thr_v_narrow(thr_vec a, thr_vec b, thr_vec c, thr_vec d, thr_vec lo, thr_vec hi) {
  const thr_vec order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  return _mm256_permutevar8x32_epi32(thr_v_narrow_lanes(a, b, c, d, lo, hi), order);
}
#define thr_v_store_half(p, v, i) _mm_storeu_si128((__m128i *)(void *)(p), _mm256_extracti128_si256(v, i))
#define thr_v_store_quarter(p, v, i)                 \
  do {                                               \
    const int64_t part = _mm256_extract_epi64(v, i); \
    memcpy(p, &part, sizeof part);                   \
  } while (0)
THR_INLINE thr_vec thr_v_widen(const int8_t *p) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
THR_INLINE thr_vec thr_v_divide(thr_vec a, float n) {
  return _mm256_cvttps_epi32(_mm256_div_ps(_mm256_cvtepi32_ps(a), _mm256_set1_ps(n)));
}
THR_INLINE thr_vec thr_v_away(thr_vec x, int32_t n) {
  const thr_vec positive = _mm256_cmpgt_epi32(x, _mm256_setzero_si256());
  return _mm256_add_epi32(x, _mm256_blendv_epi8(_mm256_set1_epi32(-n), _mm256_set1_epi32(n), positive));
}

THR_INLINE void thr_stage(thr_staged *to, const int8_t *from, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    thr_v_store(to + i, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
  for (; i < n; i++) to[i] = from[i];
}

/* 16 values of four rows as dwords: dword i of `to` holds those of a and b at i, dword `line` + i those of c and d. */
THR_INLINE void thr_interleave(const thr_staged *a, const thr_staged *b, const thr_staged *c, const thr_staged *d,
                               int32_t *to, size_t line) {
  for (int i = 0; i < 16; i += 8) {
    const __m128i va = _mm_loadu_si128((const __m128i *)(const void *)(a + i));
    const __m128i vb = _mm_loadu_si128((const __m128i *)(const void *)(b + i));
    const __m128i vc = _mm_loadu_si128((const __m128i *)(const void *)(c + i));
    const __m128i vd = _mm_loadu_si128((const __m128i *)(const void *)(d + i));
    _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_unpacklo_epi16(va, vb));
    _mm_storeu_si128((__m128i *)(void *)(to + i + 4), _mm_unpackhi_epi16(va, vb));
    _mm_storeu_si128((__m128i *)(void *)(to + line + i), _mm_unpacklo_epi16(vc, vd));
    _mm_storeu_si128((__m128i *)(void *)(to + line + i + 4), _mm_unpackhi_epi16(vc, vd));
  }
}

#endif

/* Weights that are read once only: asks for those of some iterations later. */
THR_INLINE void thr_v_ahead(const thr_packed *p) {
  _mm_prefetch((const char *)p + 2048, _MM_HINT_T0);
  _mm_prefetch((const char *)p + 2048 + 64, _MM_HINT_T0);
  _mm_prefetch((const char *)p + 2048 + 128, _MM_HINT_T0);
  _mm_prefetch((const char *)p + 2048 + 192, _MM_HINT_T0);
}

/* The staged values of one lane, in all lanes. */
THR_INLINE thr_vec thr_v_spread(const thr_staged *p) {
  int32_t dword;
  memcpy(&dword, p, sizeof dword);
  return thr_v_set(dword);
}

#define THR_QUAD (4 * THR_LANES) /* int8 results of four vectors: one store */

#endif
