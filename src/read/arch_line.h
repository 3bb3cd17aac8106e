/* One line of an architecture text, split into its words: "layer [argument] [key=value ...]". Internal to read/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_ARCH_LINE_H
#define TH_READ_ARCH_LINE_H

#include "ir/graph.h"

typedef enum arch_key {
  KEY_NAME,
  KEY_FROM,
  KEY_KERNEL,
  KEY_STRIDE,
  KEY_DILATION,
  KEY_PADDING,
  KEY_GROUPS,
  KEY_MULTIPLIER,
  KEY_BIAS,
  KEY_ACTIVATION,
  KEY_ALPHA,
  KEY_BETA,
  KEY_EPSILON,
  KEY_MOMENTUM,
  KEY_AXIS,
  KEY_AXES,
  KEY_KEEP_DIMS,
  KEY_COUNT
} arch_key;

typedef struct arch_line {
  const char *what; /* file, for messages */
  int line;
  const char *word;     /* the layer */
  const char *argument; /* the word without '=' behind it, NULL when absent */
  const char *value[KEY_COUNT];
} arch_line;

extern const char *const th_arch_key_names[KEY_COUNT];

/* Splits `text` (one line, without its end, changed in place). A line of blanks or comment leaves word NULL. */
th_status th_arch_line_split(char *text, arch_line *l);

/* Typed access. `role` says what is meant ("output channels") for the message. */
th_status th_arch_int(const arch_line *l, const char *role, const char *text, int lo, int hi, int *out);
th_status th_arch_float(const arch_line *l, const char *role, const char *text, double lo, double hi, float *out);
th_status th_arch_pair(const arch_line *l, const char *role, const char *text, int lo, int hi, int out[2]); /* 3, 3x5 */
th_status th_arch_yes(const arch_line *l, const char *role, const char *text, bool *out);
th_status th_arch_shape(const arch_line *l, const char *role, const char *text, int max_rank, th_shape *out);
/* Splits "a,b,c" into at most `limit` pieces that live in `arena`. */
th_status th_arch_list(const arch_line *l, const char *role, const char *text, th_arena *arena, const char **items,
                       int limit, int *count);

/* th_fail with "file:line: layer: " in front */
th_status th_arch_fail(const arch_line *l, const char *fmt, ...) TH_PRINTF(2, 3);

#endif
