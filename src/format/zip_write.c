/* Writing zip archives into memory. See zip.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <zip.h>

#include "format/zip.h"

/* Entries carry a local time. Always the first that the format has, 1980-01-01 (year 0, month 1, day 1). */
enum { FIRST_TIME = 0, FIRST_DATE = 1 << 5 | 1 };

static th_status add(zip_t *archive, const th_zip_entry *entry) {
  zip_source_t *source = zip_source_buffer(archive, entry->data, entry->size, 0);
  const zip_int64_t i = source ? zip_file_add(archive, entry->name, source, ZIP_FL_ENC_UTF_8) : -1;
  if (i < 0) {
    th_status status = th_fail(TH_ERR_RESOURCE, "%s: into a zip archive: %s", entry->name, zip_strerror(archive));
    if (source) zip_source_free(source);
    return status;
  }
  if (zip_set_file_compression(archive, (zip_uint64_t)i, ZIP_CM_DEFLATE, 9) != 0 ||
      zip_file_set_dostime(archive, (zip_uint64_t)i, FIRST_TIME, FIRST_DATE, 0) != 0)
    return th_fail(TH_ERR_INTERNAL, "%s: into a zip archive: %s", entry->name, zip_strerror(archive));
  return TH_OK;
}

/* What zip_close has written to the source. */
static th_status take(zip_source_t *source, th_buf *out) {
  uint8_t block[4096];
  zip_int64_t n;
  if (zip_source_open(source) != 0) return th_fail(TH_ERR_RESOURCE, "reading a zip archive back");
  while ((n = zip_source_read(source, block, sizeof block)) > 0) th_buf_append(out, block, (size_t)n);
  zip_source_close(source);
  return n < 0 ? th_fail(TH_ERR_RESOURCE, "reading a zip archive back") : th_buf_status(out);
}

static th_status write_to(zip_source_t *source, const th_zip_entry *entries, int n) {
  zip_error_t error;
  zip_error_init(&error);
  zip_t *archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (!archive) {
    th_status status = th_fail(TH_ERR_RESOURCE, "a zip archive: %s", zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
  }
  zip_source_keep(source); /* the archive gives its own reference away when it closes */
  th_status status = TH_OK;
  for (int i = 0; i < n && status == TH_OK; i++) status = add(archive, &entries[i]);
  if (status == TH_OK && zip_close(archive) == 0) return TH_OK;
  if (status == TH_OK) status = th_fail(TH_ERR_RESOURCE, "a zip archive: %s", zip_strerror(archive));
  zip_discard(archive);
  return status;
}

th_status th_zip_write(const th_zip_entry *entries, int n, th_buf *out) {
  zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
  if (!source) return TH_ERR_RESOURCE;
  th_status status = write_to(source, entries, n);
  if (status == TH_OK) status = take(source, out);
  zip_source_free(source);
  return status;
}
