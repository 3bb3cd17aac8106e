/* Coding biases, multipliers and shifts of a layer's channels. Decoder: rt/decode/channels.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_CHANNELS_H
#define TH_ENCODE_CHANNELS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "thr_kernels.h"

/* Appends the stream; false, and nothing appended, when a channel does not fit it (biases of more than 31 bits, ...).
 * The decoder has given all channels back before this returns true. */
bool th_encode_channels(const thr_channel *channel, uint32_t n, th_buf *out);

#endif
