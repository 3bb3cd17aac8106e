/* Zip archives held in memory, through libzip (which checks CRC): .npz and .keras files are read, libraries written.
 *
 * The size an entry claims is compared with a limit, and with what its compressed bytes can make, before anything is
 * allocated. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_ZIP_H
#define TH_FORMAT_ZIP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

typedef struct th_zip th_zip;

bool th_zip_probe(const uint8_t *data, size_t size);

/* `data` and `what` (for messages) must outlive the archive. */
th_status th_zip_open(const uint8_t *data, size_t size, const char *what, th_zip **zip);
void th_zip_close(th_zip *zip); /* accepts NULL */

int th_zip_count(const th_zip *zip);
const char *th_zip_name(const th_zip *zip, int i);
int th_zip_find(const th_zip *zip, const char *name); /* -1: no such entry */

/* The whole entry, uncompressed, into `arena`, followed by one NUL byte that is not counted. */
th_status th_zip_read(th_zip *zip, int i, th_arena *arena, size_t limit, uint8_t **data, size_t *size);

typedef struct th_zip_entry {
  const char *name;
  const void *data;
  size_t size;
} th_zip_entry;

/* Appends an archive of these files, in this order, deflated; the same bytes for the same files, whatever the day. */
th_status th_zip_write(const th_zip_entry *entries, int n, th_buf *out);

#endif
