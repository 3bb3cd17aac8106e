/* NumPy .npy files, as far as inputs and outputs of a model need them: versions 1 to 3, C order, little-endian numbers.
 * Format: "numpy.lib.format" of the NumPy reference manual. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

enum { NPY_RANK = 8 };

typedef struct npy_view { /* points into the file's bytes */
  const uint8_t *data;
  size_t bytes;
  char dtype[8]; /* the library's names: "f32", "s8", "u8", "s16", "s32"; and "f64" */
  int rank;
  int64_t dim[NPY_RANK];
} npy_view;

th_status npy_read(const uint8_t *file, size_t size, const char *what, npy_view *view);

/* Appends a .npy file of shape (samples, then `shape` such as "1x28x28x1" without its leading 1) to `out`. */
th_status npy_write(const void *data, size_t bytes, const char *dtype, int samples, const char *shape, th_buf *out);

#endif
