/* The .npy header (NumPy format specification, versions 1.0 to 3.0): magic, version, length, then a Python dictionary
 * of three keys, read by looking for each. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "data/array.h"

enum { MOST_HEADER = 1 << 16 };

/* The text behind "'key':", blanks skipped; NULL when the header has no such key. */
static const char *value_of(const char *header, const char *key) {
  const char *at = strstr(header, key);
  if (!at || at == header || at[-1] != '\'') return NULL;
  at += strlen(key);
  if (*at++ != '\'') return NULL;
  at += strspn(at, " ");
  if (*at++ != ':') return NULL;
  return at + strspn(at, " ");
}

static bool read_type(const char *text, th_array *a) {
  if (!text || text[0] != '\'' || !text[1] || !text[2] || !strchr("<>|=", text[1])) return false;
  a->big = text[1] == '>';
  a->kind = text[2];
  char *end;
  long bytes = strtol(text + 3, &end, 10);
  if (*end != '\'') return false;
  a->bytes = (int)bytes;
  bool whole = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  return (a->kind == 'b' && bytes == 1) || ((a->kind == 'i' || a->kind == 'u') && whole) ||
         (a->kind == 'f' && whole && bytes > 1);
}

/* "(60000, 28, 28)", "(5,)", "()" */
static bool read_shape(const char *text, th_array *a) {
  if (!text || *text++ != '(') return false;
  while (*text != ')') {
    char *end;
    if (*text < '0' || *text > '9' || a->rank == TH_ARRAY_RANK) return false;
    long long v = strtoll(text, &end, 10);
    if (v < 0 || v > INT64_MAX / 16) return false;
    a->dim[a->rank++] = v;
    text = end + strspn(end, " ");
    if (*text == ',') text += 1 + strspn(text + 1, " ");
  }
  return true;
}

static th_status read_header(const char *header, const char *what, th_array *a) {
  const char *type = value_of(header, "descr"), *order = value_of(header, "fortran_order");
  if (!read_type(type, a))
    return th_fail(TH_ERR_INPUT, "%s: .npy element type %.12s; supported are bool and 8 to 64 bit integers and floats",
                   what, type ? type : "is missing");
  if (!order || (strncmp(order, "True", 4) != 0 && strncmp(order, "False", 5) != 0))
    return th_fail(TH_ERR_INPUT, "%s: .npy header without fortran_order", what);
  a->fortran = order[0] == 'T';
  if (!read_shape(value_of(header, "shape"), a))
    return th_fail(TH_ERR_INPUT, "%s: .npy header without a shape of at most %d dimensions", what, TH_ARRAY_RANK);
  return TH_OK;
}

static th_status take_data(th_reader *r, th_array *a) {
  uint64_t bytes = (uint64_t)a->bytes, left = th_reader_left(r);
  for (int i = 0; i < a->rank; i++) {
    if (a->dim[i] && bytes > left / (uint64_t)a->dim[i] + 1) bytes = UINT64_MAX >> 8;
    bytes = bytes > UINT64_MAX >> 9 ? bytes : bytes * (uint64_t)a->dim[i];
  }
  if (bytes != left)
    return th_fail(TH_ERR_INPUT, "%s: %s: the .npy shape needs other than the %llu bytes that are there", r->what,
                   bytes > left ? "truncated" : "too long", (unsigned long long)left);
  a->data = r->data + r->pos;
  return TH_OK;
}

th_status th_array_from_npy(const uint8_t *data, size_t size, const char *what, th_array *a) {
  char header[MOST_HEADER];
  *a = (th_array){.what = what};
  th_reader r = th_reader_init(data, size, what);
  const uint8_t *magic = th_reader_take(&r, 8);
  if (!magic || memcmp(magic, "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
    return th_fail(TH_ERR_INPUT, "%s: not a .npy array of format 1 to 3", what);
  uint32_t length = magic[6] == 1 ? th_reader_u16(&r) : th_reader_u32(&r);
  if (length >= sizeof header) return th_fail(TH_ERR_INPUT, "%s: .npy header of %u bytes", what, length);
  const uint8_t *text = th_reader_take(&r, length);
  if (!text) return th_reader_status(&r);
  memcpy(header, text, length);
  header[length] = 0;
  TH_TRY(read_header(header, what, a));
  return take_data(&r, a);
}
