/* Resizing pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_DATA_RESIZE_H
#define TH_DATA_RESIZE_H

#include "format/image.h"

/* out: y * x * image->c bytes. Each output pixel is a weighted mean of the input around its centre, by a triangle that
 * is as wide as the larger of both pixels: linear interpolation when growing, averaging when shrinking (as Pillow's
 * BILINEAR). The picture is stretched when the proportions differ. */
th_status th_resize(th_arena *arena, const th_image *image, int y, int x, uint8_t *out);

#endif
