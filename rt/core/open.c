/* Opening a blob: the one place that judges it. Layout: docs/format.md. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fields.h"
#include "parse.h"
#include "stage.h"

thr_status thr_header_check(const uint8_t *blob, size_t bytes, uint8_t kind) {
  static const uint8_t magic[4] = {'T', 'H', 'I', 'M'};
  if (bytes < THR_HEADER_BYTES) return bytes >= 4 && memcmp(blob, magic, 4) == 0 ? THR_ERR_LENGTH : THR_ERR_MAGIC;
  if (memcmp(blob, magic, 4) != 0) return THR_ERR_MAGIC;
  if (blob[4] != THR_VERSION) return THR_ERR_VERSION;
  if (blob[5] != kind || (blob[6] != 0 && kind != THR_KIND_PROGRAM) || blob[7] != 0) return THR_ERR_MALFORMED;
  if (thr_load_u32(blob + 8) != bytes) return THR_ERR_LENGTH;
  if (thr_load_u32(blob + 12) != thr_crc32(blob + THR_HEADER_BYTES, bytes - THR_HEADER_BYTES)) return THR_ERR_CHECKSUM;
  return THR_OK;
}

static thr_status read_counts(thr_model *m) {
  if (m->blob_bytes < THR_PROGRAM_BYTES) return THR_ERR_MALFORMED;
  m->arena_bytes = thr_load_u32(m->blob + 16);
  m->steps = (uint16_t)(m->blob[20] | (unsigned)m->blob[21] << 8);
  m->inputs = m->blob[22];
  m->outputs = m->blob[23];
  m->states = m->blob[6];
  m->mults = thr_load_u32(m->blob + 24);
  if (m->arena_bytes > INT32_MAX || m->mults > (m->blob_bytes - THR_PROGRAM_BYTES) / 4u) return THR_ERR_MALFORMED;
  m->mult = (const int32_t *)(const void *)(m->blob + THR_PROGRAM_BYTES); /* aligned: thr_open has seen to it */
  m->io_at = THR_PROGRAM_BYTES + 4u * m->mults;
  return THR_OK;
}

static thr_status check_io(thr_model *m, thr_cursor *c) {
  for (uint32_t i = 0; i < (uint32_t)m->inputs + m->outputs; i++) {
    thr_io_info info;
    uint32_t offset;
    const thr_status status = thr_io_parse(c, &info, &offset);
    if (status != THR_OK) return status;
    if ((uint64_t)offset + info.bytes > m->arena_bytes) return THR_ERR_MALFORMED;
    if (offset % thr_dtype_bytes(info.dtype) != 0) return THR_ERR_MALFORMED;
  }
  return THR_OK;
}

static thr_status check_states(thr_model *m, thr_cursor *c) {
  m->states_at = (uint32_t)(c->at - m->blob);
  for (uint32_t i = 0; i < m->states; i++) {
    thr_initial state;
    if (thr_state_parse(c, &state) != THR_OK) return THR_ERR_MALFORMED;
    if ((uint64_t)state.offset + state.bytes > m->arena_bytes) return THR_ERR_MALFORMED;
  }
  m->steps_at = (uint32_t)(c->at - m->blob);
  return THR_OK;
}

/* The stages of the chain that is being read. */
typedef struct chain_shape {
  uint32_t stages, left; /* left: that must follow */
  thr_lines out[THR_STAGES_MOST];
} chain_shape;

/* Whether a step stands where it may: the stages of a chain one after another, each fed by earlier ones with as many
 * lines as they make, so that a chain comes to its end. */
static int fits_chain(chain_shape *chain, const thr_parsed_step *parsed) {
  thr_stage stage;
  if (chain->left == 0) chain->stages = 0;
  if (!parsed->chained) return chain->left == 0;
  if (chain->left > 0 ? parsed->left != chain->left - 1u : 0) return 0;
  if (chain->stages + parsed->left >= THR_STAGES_MOST || !thr_stage_of_parsed(parsed, &stage)) return 0;
  for (uint32_t i = 0; i < stage.inputs; i++) {
    const thr_stage_input *in = &stage.in[i];
    if (in->from < 0) continue;
    if ((uint32_t)in->from >= chain->stages) return 0;
    const thr_lines *made = &chain->out[in->from];
    if (made->rows != in->lines.rows || made->bytes != in->lines.bytes || made->kept != in->lines.kept) return 0;
  }
  chain->out[chain->stages++] = stage.out;
  chain->left = parsed->left;
  return 1;
}

static thr_status check_steps(const thr_model *m, thr_cursor *c) {
  chain_shape chain;
  chain.stages = chain.left = 0;
  for (uint32_t i = 0; i < m->steps; i++) {
    thr_parsed_step parsed;
    thr_status status = thr_step_parse(m, c, &parsed);
    if (status == THR_OK) status = thr_step_check(m, &parsed);
    if (status == THR_OK && !fits_chain(&chain, &parsed)) status = THR_ERR_MALFORMED;
    if (status != THR_OK) return status;
  }
  return c->at == c->end && chain.left == 0 ? THR_OK : THR_ERR_MALFORMED;
}

thr_status thr_open(thr_model *model, const void *blob, size_t blob_bytes) {
  memset(model, 0, sizeof *model);
  if (((uintptr_t)blob & 3u) != 0) return THR_ERR_ALIGNMENT;
  thr_status status = thr_header_check(blob, blob_bytes, THR_KIND_PROGRAM);
  if (status != THR_OK) return status;
  thr_model m = {.blob = blob, .blob_bytes = (uint32_t)blob_bytes};
  status = read_counts(&m);
  if (status != THR_OK) return status;
  thr_cursor c = {m.blob + m.io_at, m.blob + m.blob_bytes, 0};
  status = check_io(&m, &c);
  if (status == THR_OK) status = check_states(&m, &c);
  if (status == THR_OK) status = check_steps(&m, &c);
  if (status == THR_OK) *model = m;
  return status;
}
