/* The three methods of TFLM_DECODE. See tflm_decode.h.
 *
 * The ancillary tensor begins with 16 bytes: method, 1, 0, 0, 1, two bytes of the method's parameters, zeros. All bit
 * streams begin at the most significant bit of byte 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/tflm_decode.h"

#include <string.h>

#include "encode/bits.h"
#include "encode/code.h"

enum { HEADER_BYTES = 16, LUT_MOST_WIDTH = 7, LONGEST_WORD = 15, MOST_ENTRIES = 1024 };

static void put_header(th_buf *ancillary, th_tflm_method method, unsigned parameter, unsigned stride) {
  const uint8_t header[HEADER_BYTES] = {(uint8_t)method, 1, 0, 0, 1, (uint8_t)parameter, (uint8_t)stride};
  th_buf_append(ancillary, header, sizeof header);
}

/* --- look-up tables: one per channel, of its values in order --- */

static int channel_of(const th_tflm_weights *w, size_t i) {
  const size_t channels = (size_t)w->channels;
  return (int)(w->channel_last ? i % channels : i / (w->count / channels));
}

static void find_values(const th_tflm_weights *w, int channel, bool used[256]) {
  const size_t step = w->channel_last ? (size_t)w->channels : 1, n = w->count / (size_t)w->channels;
  const size_t first = w->channel_last ? (size_t)channel : (size_t)channel * n;
  memset(used, 0, 256);
  for (size_t i = 0; i < n; i++) used[(uint8_t)w->values[first + i * step]] = true;
}

/* Numbers the used values, lowest first as signed; returns how many. */
static int number_values(const bool used[256], uint8_t number[256]) {
  int n = 0;
  for (int v = INT8_MIN; v <= INT8_MAX; v++)
    if (used[(uint8_t)v]) number[(uint8_t)v] = (uint8_t)n++;
  return n;
}

static void put_value_table(const bool used[256], int stride, th_buf *ancillary) {
  int n = 0;
  for (int v = INT8_MIN; v <= INT8_MAX; v++) {
    if (!used[(uint8_t)v]) continue;
    th_buf_u8(ancillary, (uint8_t)v);
    n++;
  }
  th_buf_zeros(ancillary, (size_t)(stride - n));
}

static bool encode_lut(const th_tflm_weights *w, th_buf *stream, th_buf *ancillary) {
  bool used[256];
  uint8_t number[256];
  int stride = 1, width = 1;
  for (int c = 0; c < w->channels; c++) {
    find_values(w, c, used);
    const int n = number_values(used, number);
    if (n > stride) stride = n;
  }
  while (1 << width < stride) width++;
  if (width > LUT_MOST_WIDTH) return false;
  put_header(ancillary, TH_TFLM_LUT, (unsigned)width, (unsigned)stride);
  for (int c = 0; c < w->channels; c++) {
    find_values(w, c, used);
    put_value_table(used, stride, ancillary);
  }
  th_bits bits = th_bits_begin(stream);
  for (size_t i = 0; i < w->count; i++) {
    const uint8_t *table =
        ancillary->data + ancillary->size - (size_t)(w->channels - channel_of(w, i)) * (size_t)stride;
    int k = 0;
    while (!ancillary->failed && (int8_t)table[k] != w->values[i]) k++;
    th_bits_put(&bits, (uint32_t)k, width);
  }
  th_bits_end(&bits);
  return true;
}

/* --- Huffman --- */

typedef struct word_list { /* canonical code words, shortest first */
  uint8_t symbol[256], length[256];
  uint16_t word[256];
  int n;
} word_list;

static void make_words(const uint8_t length[TH_CODE_SYMBOLS], word_list *l) {
  unsigned next = 0;
  l->n = 0;
  for (int bits = 1; bits <= LONGEST_WORD; bits++, next <<= 1)
    for (int s = 0; s < TH_CODE_SYMBOLS; s++) {
      if (length[s] != bits) continue;
      l->symbol[l->n] = (uint8_t)s;
      l->length[l->n] = (uint8_t)bits;
      l->word[l->n++] = (uint16_t)next++;
    }
}

typedef struct decode_table {
  uint16_t entry[MOST_ENTRIES];
  int n;
} decode_table;

static bool begins_with(const word_list *l, int i, unsigned prefix, int bits) {
  return l->length[i] >= bits && (unsigned)l->word[i] >> (l->length[i] - bits) == prefix;
}

/* Bits that a table for the words behind a prefix looks up: as many as its shortest word has, so that no word has two
 * entries and no bit is read in vain. */
static int table_bits(const word_list *l, unsigned prefix, int bits) {
  for (int i = 0; i < l->n; i++)
    if (begins_with(l, i, prefix, bits)) return l->length[i] - bits;
  return 0;
}

/* Appends the table of the words that begin with `prefix`, and those that its entries lead to; returns its bits. An
 * entry is a leaf (bit 15, bits used, symbol) or leads on (bits of the next table less 1, its distance from here). */
static int put_table(const word_list *l, unsigned prefix, int bits, decode_table *t) {
  const int width = table_bits(l, prefix, bits), first = t->n;
  t->n += 1 << width;
  for (int k = 0; k < 1 << width; k++) {
    const unsigned here = prefix << width | (unsigned)k;
    int i = 0;
    while (!begins_with(l, i, here, bits + width)) i++;
    if (l->length[i] == bits + width) {
      t->entry[first + k] = (uint16_t)(0x8000u | (unsigned)width << 11 | l->symbol[i]);
    } else {
      const int next = t->n, next_width = put_table(l, here, bits + width, t);
      t->entry[first + k] = (uint16_t)((unsigned)(next_width - 1) << 11 | (unsigned)(next - first - k));
    }
  }
  return width;
}

/* The reader takes words of 32 bits, one ahead of what it needs. */
static void put_words(const th_tflm_weights *w, const word_list *l, th_buf *stream) {
  int place[256] = {0};
  const size_t start = stream->size;
  for (int i = 0; i < l->n; i++) place[l->symbol[i]] = i;
  th_bits bits = th_bits_begin(stream);
  for (size_t i = 0; i < w->count; i++) {
    const int k = place[(uint8_t)w->values[i]];
    th_bits_put(&bits, l->word[k], l->length[k]);
  }
  th_bits_end(&bits);
  th_buf_zeros(stream, (4 - (stream->size - start) % 4) % 4 + 4);
}

static bool encode_huffman(const th_tflm_weights *w, th_buf *stream, th_buf *ancillary) {
  uint32_t freq[TH_CODE_SYMBOLS] = {0};
  uint8_t length[TH_CODE_SYMBOLS];
  word_list words;
  decode_table table = {.n = 0};
  for (size_t i = 0; i < w->count; i++) freq[(uint8_t)w->values[i]]++;
  th_huffman_lengths(freq, LONGEST_WORD, length);
  make_words(length, &words);
  if (words.n < 2) return false;
  const int width = put_table(&words, 0, 0, &table);
  put_header(ancillary, TH_TFLM_HUFFMAN, (unsigned)(width - 1) << 4, 0);
  for (int i = 0; i < table.n; i++) th_buf_u16(ancillary, table.entry[i]);
  put_words(w, &words, stream);
  return true;
}

/* --- zeros left out --- */

static bool encode_prune(const th_tflm_weights *w, th_buf *stream, th_buf *ancillary) {
  if (!w->zero_is_zero) return false;
  put_header(ancillary, TH_TFLM_PRUNE, 0, 0);
  th_bits bits = th_bits_begin(stream);
  for (size_t i = 0; i < w->count; i++) {
    th_bits_put(&bits, w->values[i] != 0, 1);
    if (w->values[i] != 0) th_buf_u8(ancillary, (uint8_t)w->values[i]);
  }
  th_bits_end(&bits);
  return true;
}

/* --- choosing --- */

bool th_tflm_encode(const th_tflm_weights *w, th_tflm_method method, th_buf *stream, th_buf *ancillary) {
  if (w->count == 0 || w->channels < 1 || w->count % (size_t)w->channels != 0) return false;
  switch (method) {
    case TH_TFLM_LUT:
      return encode_lut(w, stream, ancillary);
    case TH_TFLM_HUFFMAN:
      return encode_huffman(w, stream, ancillary);
    default:
      return encode_prune(w, stream, ancillary);
  }
}

bool th_tflm_encode_smallest(const th_tflm_weights *w, size_t overhead, th_buf *stream, th_buf *ancillary) {
  size_t least = w->count > overhead ? w->count - overhead : 0;
  int best = -1;
  for (int m = 0; m < TH_TFLM_METHODS; m++) {
    th_buf s = {0}, a = {0};
    if (th_tflm_encode(w, (th_tflm_method)m, &s, &a) && s.size + a.size < least) {
      least = s.size + a.size;
      best = m;
    }
    stream->failed = stream->failed || s.failed || a.failed;
    th_buf_free(&s);
    th_buf_free(&a);
  }
  return best >= 0 && th_tflm_encode(w, (th_tflm_method)best, stream, ancillary);
}
