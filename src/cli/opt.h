/* Command line options as tables.
 *
 * A row names an option, the place of its value inside a struct, and what it is for; from rows come the parser, --help,
 * "did you mean", shell completion and man pages. A group is rows plus the struct they fill. Values keep the default
 * that the struct held before.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPT_H
#define CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

#define OPT_LIST_MAX 16

typedef struct opt_list { /* of an option that may be given several times */
  const char *item[OPT_LIST_MAX];
  int count;
} opt_list;

typedef struct opt_seed {
  uint64_t value;
  bool given;
} opt_seed;

typedef enum opt_kind {
  OPT_FLAG,   /* bool */
  OPT_STRING, /* const char *, points into argv */
  OPT_FILE,   /* the same; completed with file names */
  OPT_FILES,  /* opt_list */
  OPT_INT,    /* int within lo..hi */
  OPT_SEED,   /* opt_seed */
  OPT_SETTING /* const char * that the library will check; without arg a flag: "true", or "false" by --no-NAME */
} opt_kind;

typedef struct opt_row {
  opt_kind kind;
  char letter;      /* 0: long form only */
  const char *name; /* without dashes; NULL ends a table */
  size_t at;        /* offsetof the value in the struct */
  const char *arg;  /* "N", "FILE", "fast|small"; NULL for flags */
  const char *help;
  int lo, hi; /* OPT_INT */
} opt_row;

#define OPT_END \
  { OPT_FLAG, 0, NULL, 0, NULL, NULL, 0, 0 }

typedef struct opt_group {
  const char *title;
  const opt_row *rows;
  void *values; /* NULL when only names matter (completion) */
} opt_group;

/* Parses argv[0..argc). Words that are no options are moved to the front of argv, in order; their number goes to
 * *n_words. "--" ends options. TH_ERR_USAGE names what is wrong. */
th_status opt_parse(const opt_group *groups, int n_groups, int argc, char **argv, int *n_words);

/* Appends the table as help text, with defaults as the struct now holds them. */
void opt_help(const opt_group *group, th_buf *out);

#endif
