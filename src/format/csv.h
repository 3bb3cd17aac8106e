/* Text tables (RFC 4180, with the liberties that are taken in practice): one row at a time, fields as they stand.
 *
 * Fields may be quoted, with doubled quotes inside, and then hold separators and line ends. The separator is whichever
 * of comma, semicolon and tab is most frequent in the first line. Lines may end in LF or CR LF; empty ones are skipped.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_CSV_H
#define TH_FORMAT_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { TH_CSV_COLUMNS = 1 << 16 };

typedef struct th_csv_field {
  const char *text;
  size_t size;
  bool quoted; /* `text` is what stands between the quotes, doubled ones still doubled */
} th_csv_field;

typedef struct th_csv {
  const char *what, *at, *end;
  char separator;
  int line; /* of the row read last, from 1 */
  int next_line;
} th_csv;

th_csv th_csv_begin(const char *text, size_t size, const char *what); /* skips a byte order mark */
/* At least the number of fields of the first row, at most TH_CSV_COLUMNS. */
int th_csv_width(const th_csv *csv);
/* The next row; *count 0 at the end of the text. `fields` has room for `most`; a longer row is an error. */
th_status th_csv_row(th_csv *csv, th_csv_field *fields, int most, int *count);
/* The field without blanks around and with quotes undoubled, cut to the size of buf; returns buf. */
const char *th_csv_text(const th_csv *csv, const th_csv_field *field, char *buf, size_t buf_size);
/* Whole field, finite; a decimal comma is understood where the separator is another. */
bool th_csv_number(const th_csv *csv, const th_csv_field *field, double *value);
bool th_csv_is_missing(const th_csv *csv, const th_csv_field *field); /* empty, NA, N/A, NaN, null, none, ? */

#endif
