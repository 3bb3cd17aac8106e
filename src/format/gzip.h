/* gzip, inflated whole (RFC 1952, through zlib, which checks CRC and length).
 *
 * The size a gzip file claims is not trusted: output grows as data arrive and stops at a limit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_GZIP_H
#define TH_FORMAT_GZIP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

bool th_gzip_probe(const uint8_t *data, size_t size);

/* Inflates all members of a gzip file into `arena`. Errors name `what` and the byte of the compressed file. */
th_status th_gzip_inflate(th_arena *arena, const uint8_t *data, size_t size, size_t limit, const char *what,
                          uint8_t **out, size_t *out_size);

#endif
