/* Constant data where it lies. On AVR program memory has addresses of its own: a constant stays there only if it is
 * marked THR_FLASH, and only the functions below can read it. Everywhere else the mark is empty and they are plain
 * loads. Weights, tables and parameters are read this way by every file of rt that an AVR may run.
 *
 * THR_RUN calls a kernel with a parameter struct that is marked: on AVR with a copy, on the stack while the kernel
 * runs. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FLASH_H
#define THR_FLASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVR__)

#define THR_FLASH __attribute__((__progmem__))

static inline uint8_t thr_flash_u8(const void *from) {
  uint8_t value;
  __asm__("lpm %0, Z" : "=r"(value) : "z"(from));
  return value;
}

static inline uint16_t thr_flash_u16(const void *from) {
  uint16_t value;
  __asm__("lpm %A0, Z+\n\tlpm %B0, Z" : "=r"(value), "+z"(from));
  return value;
}

static inline uint32_t thr_flash_u32(const void *from) {
  uint32_t value;
  __asm__("lpm %A0, Z+\n\tlpm %B0, Z+\n\tlpm %C0, Z+\n\tlpm %D0, Z" : "=r"(value), "+z"(from));
  return value;
}

static inline void thr_flash_copy(void *to, const void *from, size_t bytes) {
  uint8_t *out = (uint8_t *)to;
  const uint8_t *in = (const uint8_t *)from;
  for (; bytes > 0; bytes--) *out++ = thr_flash_u8(in++);
}

#define THR_RUN(kernel, type, params, ...)   \
  do {                                       \
    type p_;                                 \
    thr_flash_copy(&p_, &params, sizeof p_); \
    kernel(&p_, __VA_ARGS__);                \
  } while (0)

#else

#define THR_FLASH

static inline uint8_t thr_flash_u8(const void *from) {
  return *(const uint8_t *)from;
}

static inline uint16_t thr_flash_u16(const void *from) {
  return *(const uint16_t *)from;
}

static inline uint32_t thr_flash_u32(const void *from) {
  return *(const uint32_t *)from;
}

static inline void thr_flash_copy(void *to, const void *from, size_t bytes) {
  memcpy(to, from, bytes);
}

#define THR_RUN(kernel, type, params, ...) kernel(&params, __VA_ARGS__)

#endif

static inline int8_t thr_flash_s8(const void *from) {
  return (int8_t)thr_flash_u8(from);
}

static inline int32_t thr_flash_s32(const void *from) {
  return (int32_t)thr_flash_u32(from);
}

#endif
