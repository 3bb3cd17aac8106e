/* The constant arrays of generated C: which ones a program needs, printed once even when several steps share the
 * content. Part of the C writer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_CSOURCE_TABLES_H
#define TH_WRITE_CSOURCE_TABLES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "eval/lower.h"

typedef struct th_step_tables { /* identifiers; NULL when the step has no such table */
  const char *weights, *table, *bias, *mult, *shift, *index, *channels, *packed;
} th_step_tables;

typedef struct th_table th_table;
typedef struct th_tables {
  th_table *item;
  int n;
  th_step_tables *step; /* per step */
  const char **value;   /* per program value: its constant data, or NULL */
  const th_program_step *first;
} th_tables;

/* Appends all arrays; step_name[i] is the identifier of step i. The strings live in `arena`. */
th_status th_tables_print(th_tables *t, const th_program *p, const char *const *step_name, th_arena *arena, th_buf *c);
th_step_tables th_tables_of_step(const th_tables *t, const th_program_step *s);
const char *th_tables_of_value(const th_tables *t, int value);

/* Whether the step's weights are multiplied where they are decoded: no other kernel asks for that. */
bool th_csource_uses_dot(const th_program_step *s);

/* Bytes of all arrays, each beginning at a multiple of its elements' bytes and of `align`. */
th_status th_tables_bytes(const th_program *p, uint32_t align, uint64_t *bytes);

/* "thr_decode_huffman"; NULL when no coder has this decoder. */
const char *th_decoder_name(thr_decode_fn *decode);

#endif
