/* YAML: a document as a small tree with line numbers, over libyaml. For recipes.
 *
 * One document, maps with scalar keys, lists, scalars. Aliases and repeated keys are refused, nesting is limited: a
 * recipe needs none of them, and a file from elsewhere may abuse them. Tags mean nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_YAML_H
#define TH_FORMAT_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum th_yaml_kind { TH_YAML_SCALAR, TH_YAML_LIST, TH_YAML_MAP } th_yaml_kind;

typedef struct th_yaml {
  th_yaml_kind kind;
  int line;              /* 1-based: of the key inside a map, else where the value begins */
  const char *what;      /* the file, for messages */
  const char *key;       /* when inside a map, else NULL */
  const char *text;      /* scalar: its text, never NULL; else NULL */
  bool quoted;           /* scalar: written in quotes, so it is text even if it looks like a number */
  int count;             /* children */
  struct th_yaml *child; /* first child of a list or map */
  struct th_yaml *next;
} th_yaml;

/* The tree lives in `arena`. An empty document gives an empty map. Errors say "what:line: ...". */
th_status th_yaml_parse(th_arena *arena, const char *text, size_t size, const char *what, th_yaml **root);

const th_yaml *th_yaml_get(const th_yaml *map, const char *key); /* NULL when absent */

/* Typed values with the range they must lie in; errors name file, line, key, what was found and expected. */
th_status th_yaml_int(const th_yaml *value, long long lo, long long hi, long long *out);
th_status th_yaml_double(const th_yaml *value, double lo, double hi, double *out);
th_status th_yaml_bool(const th_yaml *value, bool *out); /* true false yes no on off */
th_status th_yaml_string(const th_yaml *value, const char **out);
th_status th_yaml_choice(const th_yaml *value, const char *const *names, int count, int *index);
th_status th_yaml_expect(const th_yaml *value, th_yaml_kind kind);

/* Refuses keys of `map` that are not among `keys`, with a "did you mean". */
th_status th_yaml_check_keys(const th_yaml *map, const char *const *keys, int count);

#endif
