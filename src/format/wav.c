/* RIFF: a header, then chunks of a name, a length and that many bytes, padded to an even number. "fmt " describes,
 * "data" holds the samples; all others are skipped. SPDX-License-Identifier: Apache-2.0 */
#include "format/wav.h"

#include <string.h>

#include "base/bytes.h"

enum { PCM = 1, EXTENSIBLE = 0xfffe };

typedef struct layout {
  uint32_t format, channels, rate, bits;
  const uint8_t *data;
  uint32_t bytes;
} layout;

static th_status read_format(th_reader *r, uint32_t size, layout *l) {
  size_t begin = r->pos;
  l->format = th_reader_u16(r);
  l->channels = th_reader_u16(r);
  l->rate = th_reader_u32(r);
  th_reader_take(r, 6);
  l->bits = th_reader_u16(r);
  if (l->format == EXTENSIBLE && size >= 26) { /* the format proper is the begin of a longer identifier */
    th_reader_take(r, 8);
    l->format = th_reader_u16(r);
  }
  TH_TRY(th_reader_status(r));
  th_reader_seek(r, begin);
  if (l->format != PCM || l->bits != 16 || l->channels < 1 || l->channels > 2)
    return th_fail(TH_ERR_INPUT, "%s: WAV of format %u, %u bits, %u channels; supported is PCM (1), 16 bits, 1 or 2",
                   r->what, l->format, l->bits, l->channels);
  if (l->rate < 1000 || l->rate > 192000)
    return th_fail(TH_ERR_INPUT, "%s: sampling rate of %u Hz; supported are 1000 to 192000", r->what, l->rate);
  return TH_OK;
}

static th_status read_chunks(th_reader *r, layout *l) {
  while (!l->data) {
    const uint8_t *name = th_reader_take(r, 4);
    uint32_t size = th_reader_u32(r);
    TH_TRY(th_reader_status(r));
    if (memcmp(name, "fmt ", 4) == 0) TH_TRY(read_format(r, size, l));
    const uint8_t *data = th_reader_take(r, size);
    if (!data) return th_fail_in(th_reader_status(r), "WAV chunk '%.4s' of %u bytes", (const char *)name, size);
    if (memcmp(name, "data", 4) == 0) l->data = data, l->bytes = size;
    if (size % 2 && th_reader_left(r)) th_reader_take(r, 1);
  }
  if (!l->format) return th_fail(TH_ERR_INPUT, "%s: WAV without a 'fmt ' chunk before the data", r->what);
  return TH_OK;
}

static int sample_at(const uint8_t *p) {
  return (int16_t)(p[0] | p[1] << 8);
}

th_status th_wav_decode(th_arena *arena, const uint8_t *data, size_t size, const char *what, th_wav *wav) {
  th_reader r = th_reader_init(data, size, what);
  layout l = {0};
  if (size < 12 || memcmp(data, "RIFF", 4) != 0 || memcmp(data + 8, "WAVE", 4) != 0)
    return th_fail(TH_ERR_INPUT, "%s: not a WAV file", what);
  th_reader_seek(&r, 12);
  TH_TRY(read_chunks(&r, &l));
  size_t count = l.bytes / (2 * l.channels);
  int16_t *samples = TH_ARRAY(arena, int16_t, count);
  if (!samples) return TH_ERR_RESOURCE;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *p = l.data + i * 2 * l.channels;
    int sum = sample_at(p) + (l.channels == 2 ? sample_at(p + 2) : 0);
    samples[i] = (int16_t)(l.channels == 2 ? (sum - (sum & 1)) / 2 : sum);
  }
  *wav = (th_wav){.rate = (int)l.rate, .count = (int)count, .samples = samples};
  return count ? TH_OK : th_fail(TH_ERR_INPUT, "%s: WAV without samples", what);
}
