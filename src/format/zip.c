/* Reading zip archives. See zip.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/zip.h"

#include <string.h>
#include <zip.h>

enum { MOST_RATIO = 1100 }; /* deflate cannot expand by more than 1032 */

struct th_zip {
  zip_t *archive;
  const char *what;
  size_t size;
};

bool th_zip_probe(const uint8_t *data, size_t size) {
  return size >= 4 && (memcmp(data, "PK\3\4", 4) == 0 || memcmp(data, "PK\5\6", 4) == 0);
}

static th_status open_source(th_zip *z, const uint8_t *data, size_t size) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(data, size, 0, &error);
  if (!source) return th_fail(TH_ERR_RESOURCE, "%s: out of memory while opening the zip archive", z->what);
  z->archive = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (z->archive) return TH_OK;
  const bool says_more = zip_error_code_zip(&error) != ZIP_ER_NOZIP; /* "Not a zip archive" */
  th_status status = th_fail(TH_ERR_INPUT, "%s: not a readable zip archive%s%s", z->what, says_more ? ": " : "",
                             says_more ? zip_error_strerror(&error) : "");
  zip_source_free(source);
  zip_error_fini(&error);
  return status;
}

th_status th_zip_open(const uint8_t *data, size_t size, const char *what, th_zip **zip) {
  th_zip *z = th_alloc(sizeof *z);
  if (!z) return TH_ERR_RESOURCE;
  z->what = what;
  z->size = size;
  th_status status = open_source(z, data, size);
  if (status == TH_OK)
    *zip = z;
  else
    th_free(z);
  return status;
}

void th_zip_close(th_zip *zip) {
  if (!zip) return;
  zip_discard(zip->archive);
  th_free(zip);
}

int th_zip_count(const th_zip *zip) {
  zip_int64_t n = zip_get_num_entries(zip->archive, 0);
  return n > 0 && n < 1 << 20 ? (int)n : 0;
}

const char *th_zip_name(const th_zip *zip, int i) {
  const char *name = zip_get_name(zip->archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
  return name ? name : "";
}

int th_zip_find(const th_zip *zip, const char *name) {
  int n = th_zip_count(zip);
  for (int i = 0; i < n; i++)
    if (strcmp(th_zip_name(zip, i), name) == 0) return i;
  return -1;
}

static th_status check_sizes(const th_zip *z, const zip_stat_t *st, const char *name, size_t limit) {
  const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if ((st->valid & wanted) != wanted) return th_fail(TH_ERR_INPUT, "%s: %s: has no sizes", z->what, name);
  if (st->size > limit)
    return th_fail(TH_ERR_INPUT, "%s: %s: %llu bytes are more than the limit of %zu", z->what, name,
                   (unsigned long long)st->size, limit);
  if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
    return th_fail(TH_ERR_INPUT, "%s: %s: compression method %u; supported are stored and deflate", z->what, name,
                   (unsigned)st->comp_method);
  if (st->comp_size > z->size)
    return th_fail(TH_ERR_INPUT, "%s: %s: %llu compressed bytes are more than the archive has", z->what, name,
                   (unsigned long long)st->comp_size);
  zip_uint64_t most = st->comp_method == ZIP_CM_STORE ? st->comp_size : (st->comp_size + 1) * MOST_RATIO;
  if (st->size > most)
    return th_fail(TH_ERR_INPUT, "%s: %s: %llu bytes cannot come from %llu compressed ones", z->what, name,
                   (unsigned long long)st->size, (unsigned long long)st->comp_size);
  return TH_OK;
}

static th_status read_all(th_zip *z, zip_file_t *file, const char *name, uint8_t *data, size_t size) {
  size_t at = 0;
  while (at < size) {
    zip_int64_t n = zip_fread(file, data + at, size - at);
    if (n <= 0) {
      const char *why = n < 0 ? zip_error_strerror(zip_file_get_error(file)) : "it ends early";
      return th_fail(TH_ERR_INPUT, "%s: %s: corrupt at byte %zu of %zu: %s", z->what, name, at, size, why);
    }
    at += (size_t)n;
  }
  uint8_t more;
  if (zip_fread(file, &more, 1) != 0) /* also where libzip compares the CRC */
    return th_fail(TH_ERR_INPUT, "%s: %s: corrupt: checksum or length differ", z->what, name);
  return TH_OK;
}

th_status th_zip_read(th_zip *z, int i, th_arena *arena, size_t limit, uint8_t **data, size_t *size) {
  zip_stat_t st;
  const char *name = th_zip_name(z, i);
  if (zip_stat_index(z->archive, (zip_uint64_t)i, 0, &st) != 0)
    return th_fail(TH_ERR_INPUT, "%s: entry %d: %s", z->what, i, zip_strerror(z->archive));
  TH_TRY(check_sizes(z, &st, name, limit));
  *size = (size_t)st.size;
  *data = th_arena_alloc(arena, *size + 1);
  if (!*data) return TH_ERR_RESOURCE;
  zip_file_t *file = zip_fopen_index(z->archive, (zip_uint64_t)i, 0);
  if (!file) return th_fail(TH_ERR_INPUT, "%s: %s: %s", z->what, name, zip_strerror(z->archive));
  th_status status = read_all(z, file, name, *data, *size);
  zip_fclose(file);
  return status;
}
