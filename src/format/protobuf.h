/* Protocol buffers from untrusted bytes: protobuf-c behind a check and an arena.
 *
 * protobuf-c recurses into messages as deep as the bytes say, joins a message that occurs twice, and allocates what
 * the bytes ask for. So the bytes are walked first, along the schema: every length must fit what surrounds it, nesting
 * has a limit, a message field that may occur once occurs once, and what unpacking will allocate is bounded. Then
 * everything is unpacked into one arena, which is also how it is released.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_PROTOBUF_H
#define TH_FORMAT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct ProtobufCMessageDescriptor;

enum { TH_PROTOBUF_MAX_DEPTH = 40, TH_PROTOBUF_MAX_BYTES = 640 << 20 };

/* `what` names the file in messages. The message lives in `arena`. */
th_status th_protobuf_unpack(const struct ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                             const char *what, th_arena *arena, void **message);

/* True when all bytes are fields of `type`, by number and kind, looking at the outermost message alone, and field
 * `needed` is among them. No error is recorded. */
bool th_protobuf_probe(const struct ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                       uint32_t needed);

#endif
