/* IDX files (the format of MNIST): big-endian arrays of 1 to 4 dimensions, plain or .gz.
 *
 *   byte 0..1  0
 *   byte 2     element type: 08 u8, 09 s8, 0b s16, 0c s32, 0d f32, 0e f64
 *   byte 3     number of dimensions
 *   then       one u32 per dimension, then the elements, last dimension fastest
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_IDX_H
#define TH_DATA_IDX_H

#include "base/arena.h"
#include "base/status.h"
#include "ir/types.h"

typedef struct th_idx {
  th_dtype dtype; /* U8, S8, S16 as stored; S32, F32 in this machine's byte order; f64 becomes F32 */
  int rank;
  int32_t dim[4];
  const void *data; /* in the arena */
} th_idx;

/* Checks magic, type, dimensions and that the file holds exactly as many bytes as they say, before converting. */
th_status th_idx_read(th_arena *arena, const char *path, th_idx *idx);

#endif
