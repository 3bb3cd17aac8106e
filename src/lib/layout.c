/* Do samples lie as an input wants them? Equal counts are not enough: a picture with channels first has as many values
 * as one with channels last. Shapes agree when they are equal apart from dimensions of size 1, or one of them is flat.
 * See layout.h and thimble/thimble.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lib/metric.h"

enum { NAMES_SHOWN = 8 };

/* The next dimension that is not 1, from *at on; 0 behind the last. */
static int64_t next_dim(const int64_t *dim, int rank, int *at) {
  while (*at < rank && dim[*at] == 1) ++*at;
  return *at < rank ? dim[(*at)++] : 0;
}

static bool is_flat(const int64_t *dim, int rank) {
  int at = 0;
  next_dim(dim, rank, &at);
  return next_dim(dim, rank, &at) == 0;
}

static bool agree(const int64_t *a, int a_rank, const int64_t *b, int b_rank) {
  if (is_flat(a, a_rank) || is_flat(b, b_rank)) return true;
  for (int i = 0, k = 0;;) {
    const int64_t x = next_dim(a, a_rank, &i), y = next_dim(b, b_rank, &k);
    if (x != y) return false;
    if (!x) return true;
  }
}

static int port_dims(const th_port *port, int64_t dim[TH_MAX_RANK]) {
  th_shape s;
  if (!th_shape_parse(port->shape, &s)) return 0;
  for (int i = 0; i < s.rank; i++) dim[i] = s.dim[i];
  return s.rank;
}

bool th_port_takes(const th_port *port, int samples, int rank, const int64_t *dim) {
  int64_t wanted[TH_MAX_RANK] = {0};
  const int wanted_rank = port_dims(port, wanted);
  if (rank <= 1) return true; /* sample after sample, as in a raw file */
  if (samples == 1 && agree(dim, rank, wanted, wanted_rank)) return true;
  if (dim[0] == samples && agree(dim + 1, rank - 1, wanted, wanted_rank)) return true;
  return wanted_rank > 1 && dim[0] == samples * wanted[0] && agree(dim + 1, rank - 1, wanted + 1, wanted_rank - 1);
}

static bool is_channels_first(const th_shape *samples, const th_shape *wanted) {
  const int32_t *s = samples->dim, *w = wanted->dim;
  return samples->rank == 3 && wanted->rank == 3 && s[0] == w[2] && s[1] == w[0] && s[2] == w[1];
}

th_status th_layout_check(const th_model *m, const th_dataset *set) {
  const th_port in = th_model_input(m, 0);
  int64_t wanted[TH_MAX_RANK] = {0}, dim[TH_MAX_RANK];
  const int rank = port_dims(&in, wanted);
  for (int i = 0; i < set->shape.rank; i++) dim[i] = set->shape.dim[i];
  if (agree(dim, set->shape.rank, wanted, rank)) return TH_OK;
  const int batch = rank > 1 && wanted[0] == 1;
  th_shape shape = {.rank = rank - batch};
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = (int32_t)wanted[i + batch];
  char found[TH_SHAPE_TEXT], expected[TH_SHAPE_TEXT];
  return th_fail(TH_ERR_INPUT, "%s: samples are %s, input %s of %s wants %s%s", set->name,
                 th_shape_text(&set->shape, found), in.name, m->path, th_shape_text(&shape, expected),
                 is_channels_first(&set->shape, &shape) ? " (pictures are fed channels last)" : "");
}

void th_layout_tell_few(const th_context *ctx, th_dataset *set, int outputs) {
  if (!set->class_names || set->classes >= outputs || th_is_autoencoder(set, outputs) || set->told_few) return;
  char names[40 * NAMES_SHOWN] = "";
  for (int i = 0; i < set->classes && i <= NAMES_SHOWN; i++) {
    const char *name = i < NAMES_SHOWN ? set->class_names[i] : "...";
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%.30s", i ? ", " : "", name);
  }
  set->told_few = true;
  th_log(ctx, TH_LOG_WARN,
         "data set %s has %d named classes (%s), the model %d outputs: classes are numbered by their sorted names",
         set->name, set->classes, names, outputs);
}
