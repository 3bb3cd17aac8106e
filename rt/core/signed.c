/* Opening a signed program. Layout: docs/format.md, "Signed programs".
 *
 * The order matters: nothing in the file is believed before its signature is. The only numbers looked at until then are
 * the two lengths that say where the signature lies, and they must add up to the bytes that there are.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "parse.h"

enum { TRAILER_BYTES = 12 }; /* up to the signature */

typedef struct parts {
  const uint8_t *trailer, *signature;
  uint32_t blob_bytes, signature_bytes;
} parts;

static thr_status split(const uint8_t *file, size_t bytes, parts *p) {
  static const uint8_t magic[4] = {'T', 'H', 'I', 'M'}, mark[4] = {'T', 'H', 'S', 'G'};
  if (bytes < THR_HEADER_BYTES || memcmp(file, magic, 4) != 0) return THR_ERR_MAGIC;
  p->blob_bytes = thr_load_u32(file + 8);
  if (p->blob_bytes == bytes) return THR_ERR_SIGNATURE; /* a plain file */
  if (bytes < TRAILER_BYTES || p->blob_bytes > bytes - TRAILER_BYTES) return THR_ERR_LENGTH;
  p->trailer = file + p->blob_bytes;
  p->signature = p->trailer + TRAILER_BYTES;
  p->signature_bytes = p->trailer[10] | (uint32_t)p->trailer[11] << 8;
  if (memcmp(p->trailer, mark, 4) != 0) return THR_ERR_SIGNATURE;
  return p->signature_bytes == bytes - TRAILER_BYTES - p->blob_bytes ? THR_OK : THR_ERR_LENGTH;
}

thr_status thr_open_signed(thr_model *model, const void *file, size_t bytes, const thr_signer *signer) {
  parts p;
  memset(model, 0, sizeof *model);
  const thr_status status = split(file, bytes, &p);
  if (status != THR_OK) return status;
  const size_t message_bytes = (size_t)p.blob_bytes + TRAILER_BYTES;
  if (p.trailer[8] != signer->scheme || p.trailer[9] != 0) return THR_ERR_SIGNATURE;
  if (!signer->verify(signer->user, file, message_bytes, p.signature, p.signature_bytes)) return THR_ERR_SIGNATURE;
  if (thr_load_u32(p.trailer + 4) < signer->revision) return THR_ERR_REVISION;
  return thr_open(model, file, p.blob_bytes);
}

uint32_t thr_signed_revision(const thr_model *model) {
  return thr_load_u32(model->blob + model->blob_bytes + 4);
}
