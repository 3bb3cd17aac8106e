/* A small text table: columns as wide as their widest cell, numbers to the right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_REPORT_TABLE_H
#define TH_REPORT_TABLE_H

#include "base/arena.h"
#include "base/bytes.h"

typedef struct th_table th_table;

/* `columns`: headers separated by '|'; one that begins with '<' is aligned to the left, the others to the right. The
 * table lives in the arena. NULL when out of memory; the functions below accept that. */
th_table *th_table_create(th_arena *arena, const char *columns);
void th_table_cell(th_table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));           /* fills rows left to right */
void th_table_print(const th_table *t, th_buf *out); /* the last row is completed with empty cells */

/* "12345" -> "12,345". buf has room for 32 characters; returns buf. */
const char *th_thousands(char buf[32], long long v);

#endif
