/* Text tables: one column is the class, or some are to be predicted, the others are the sample. See data/source.h.
 *
 * Every file is read twice: first rows are counted, so that exactly what is needed is allocated, then converted. A
 * first row without any number is the header. Classes are whole numbers from 0, or texts, sorted byte by byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/source.h"
#include "format/csv.h"

enum { TEXT = 256 };

typedef enum role { FEATURE, LABEL, TARGET, DROP } role;

typedef struct table {
  const char *path;
  const uint8_t *text;
  size_t size;
  int columns, rows; /* rows without the header, with missing values if those are dropped */
  bool has_header;
  const char **names; /* of columns; numbers without a header */
  const char **label; /* texts of the labels kept, in order */
  int n_labels;
} table;

typedef struct reader {
  th_dataset *d;
  const th_data_spec *spec;
  table part[2];
  th_csv_field *fields;
  role *roles;    /* by column */
  int *target_at; /* by column */
  int features, targets;
  int n_odd; /* labels that are no whole numbers from 0: then all are texts */
  struct {   /* the first one */
    const table *part;
    const char *text;
    int line;
    bool is_number;
  } odd;
} reader;

bool th_source_probe_csv(const th_source_place *place) {
  const char *extension = th_path_extension(place->path);
  return !place->names && (th_str_eq(extension, ".csv") || th_str_eq(extension, ".tsv") || place->spec->label ||
                           place->spec->target.count);
}

/* --- the first line --- */

static th_status name_columns(reader *r, table *t, const th_csv *c) {
  char text[TEXT];
  double unused;
  t->names = TH_ARRAY(r->d->arena, const char *, t->columns);
  if (!t->names) return TH_ERR_RESOURCE;
  t->has_header = true;
  for (int i = 0; i < t->columns; i++) t->has_header &= !th_csv_number(c, &r->fields[i], &unused);
  for (int i = 0; i < t->columns; i++) {
    t->names[i] = t->has_header ? th_arena_strdup(r->d->arena, th_csv_text(c, &r->fields[i], text, sizeof text))
                                : th_arena_printf(r->d->arena, "%d", i + 1);
    if (!t->names[i]) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

static th_status open_table(reader *r, const char *path, table *t) {
  uint8_t *data;
  *t = (table){.path = path};
  TH_TRY(th_file_read(r->d->arena, path, TH_DATA_LIMIT, &data, &t->size));
  t->text = data;
  th_csv c = th_csv_begin((const char *)data, t->size, path);
  int width = th_csv_width(&c);
  r->fields = TH_ARRAY(r->d->arena, th_csv_field, width);
  if (!r->fields) return TH_ERR_RESOURCE;
  TH_TRY(th_csv_row(&c, r->fields, width, &t->columns));
  if (t->columns == 0) return th_fail(TH_ERR_INPUT, "%s: holds no rows", path);
  return name_columns(r, t, &c);
}

/* --- what each column is for --- */

static th_status find_column(const table *t, const char *name, int *column) {
  long long number;
  for (int i = 0; i < t->columns; i++)
    if (th_str_eq(t->names[i], name)) {
      *column = i;
      return TH_OK;
    }
  if (th_str_int(name, &number) && number >= 1 && number <= t->columns) {
    *column = (int)number - 1;
    return TH_OK;
  }
  const char *close = t->has_header ? th_str_closest(name, t->names, t->columns) : NULL;
  return th_fail(TH_ERR_USAGE, "%s: has no column '%s'%s%s%s; its %d columns can be named by their header or number",
                 t->path, name, close ? "; did you mean '" : "", close ? close : "", close ? "'?" : "", t->columns);
}

static th_status set_roles(reader *r) {
  const table *t = &r->part[0];
  const th_data_spec *s = r->spec;
  int column;
  r->roles = TH_ARRAY(r->d->arena, role, t->columns);
  r->target_at = TH_ARRAY(r->d->arena, int, t->columns);
  if (!r->roles || !r->target_at) return TH_ERR_RESOURCE;
  if (s->label && s->target.count) return th_fail(TH_ERR_USAGE, "data: label= and target= exclude each other");
  for (int i = 0; i < s->drop.count; i++) {
    TH_TRY(find_column(t, s->drop.item[i], &column));
    r->roles[column] = DROP;
  }
  for (int i = 0; i < s->target.count; i++) {
    TH_TRY(find_column(t, s->target.item[i], &column));
    r->roles[column] = TARGET;
    r->target_at[column] = r->targets++;
  }
  if (s->label) {
    TH_TRY(find_column(t, s->label, &column));
    r->roles[column] = LABEL;
  }
  for (int i = 0; i < t->columns; i++) r->features += r->roles[i] == FEATURE;
  return r->features ? TH_OK : th_fail(TH_ERR_INPUT, "%s: no column is left for the samples", t->path);
}

/* --- rows --- */

static bool is_missing(const reader *r, const th_csv *c, const th_csv_field *field) {
  double v;
  if (th_csv_is_missing(c, field)) return true;
  if (!r->spec->n_missing || !th_csv_number(c, field, &v)) return false;
  for (int i = 0; i < r->spec->n_missing; i++)
    if (v == r->spec->missing[i]) return true;
  return false;
}

/* The next row that is to be kept; false at the end. Checks that all fields are there and none is missing. */
static th_status next_row(reader *r, const table *t, th_csv *c, bool *found) {
  int count;
  for (;;) {
    TH_TRY(th_csv_row(c, r->fields, t->columns, &count));
    *found = count > 0;
    if (!count) return TH_OK;
    if (count != t->columns)
      return th_fail(TH_ERR_INPUT, "%s: line %d: has %d fields, the first line has %d", t->path, c->line, count,
                     t->columns);
    int missing = -1;
    for (int i = 0; i < count && missing < 0; i++)
      if (r->roles[i] != DROP && is_missing(r, c, &r->fields[i])) missing = i;
    if (missing < 0) return TH_OK;
    if (!r->spec->drop_missing)
      return th_fail(TH_ERR_INPUT,
                     "%s: line %d: column %s: the value is missing; missing=drop leaves such rows out, drop=%s the "
                     "column",
                     t->path, c->line, t->names[missing], t->names[missing]);
  }
}

static th_status begin_rows(reader *r, const table *t, th_csv *c) {
  int count;
  *c = th_csv_begin((const char *)t->text, t->size, t->path);
  return t->has_header ? th_csv_row(c, r->fields, t->columns, &count) : TH_OK;
}

static th_status count_rows(reader *r, table *t) {
  th_csv c;
  bool found;
  TH_TRY(begin_rows(r, t, &c));
  for (;;) {
    TH_TRY(next_row(r, t, &c, &found));
    if (!found || (r->spec->limit && t->rows == r->spec->limit)) return TH_OK;
    t->rows++;
  }
}

static th_status number_at(reader *r, const table *t, const th_csv *c, int i, float *out) {
  double v;
  char text[40];
  if (th_csv_number(c, &r->fields[i], &v) && fabs(v) < 3e38) {
    *out = (float)v;
    return TH_OK;
  }
  return th_fail(TH_ERR_INPUT, "%s: line %d: column %s: '%s' is not a number; drop=%s leaves the column out", t->path,
                 c->line, t->names[i], th_csv_text(c, &r->fields[i], text, sizeof text), t->names[i]);
}

static th_status keep_label(reader *r, table *t, const th_csv *c, int i) {
  char text[TEXT];
  double v;
  const char *kept = th_arena_strdup(r->d->arena, th_csv_text(c, &r->fields[i], text, sizeof text));
  if (!kept) return TH_ERR_RESOURCE;
  const bool is_number = th_csv_number(c, &r->fields[i], &v);
  if (!is_number || v != floor(v) || v < 0 || v >= TH_MAX_CLASSES) {
    if (r->n_odd++ == 0) r->odd.part = t, r->odd.text = kept, r->odd.line = c->line, r->odd.is_number = is_number;
  }
  t->label[t->n_labels++] = kept;
  return TH_OK;
}

static th_status read_rows(reader *r, table *t, th_store *store) {
  float *x = TH_ARRAY(r->d->arena, float, (size_t)t->rows *(size_t)r->features);
  float *y = r->targets ? TH_ARRAY(r->d->arena, float, (size_t)t->rows *(size_t)r->targets) : NULL;
  t->label = r->spec->label ? TH_ARRAY(r->d->arena, const char *, t->rows) : NULL;
  if (!x || (r->targets && !y) || (r->spec->label && !t->label)) return TH_ERR_RESOURCE;
  *store = (th_store){.count = t->rows, .dtype = TH_DTYPE_F32, .samples = x, .targets = y};
  th_csv c;
  bool found;
  TH_TRY(begin_rows(r, t, &c));
  for (int row = 0; row < t->rows; row++) {
    TH_TRY(next_row(r, t, &c, &found));
    for (int i = 0; i < t->columns; i++) {
      if (r->roles[i] == FEATURE) TH_TRY(number_at(r, t, &c, i, x++));
      if (r->roles[i] == TARGET) TH_TRY(number_at(r, t, &c, i, y + (size_t)row * (size_t)r->targets + r->target_at[i]));
      if (r->roles[i] == LABEL) TH_TRY(keep_label(r, t, &c, i));
    }
  }
  return TH_OK;
}

/* --- classes --- */

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static th_status sort_classes(reader *r) {
  int n = r->part[0].n_labels + r->part[1].n_labels, unique = 0;
  const char **all = TH_ARRAY(r->d->arena, const char *, n);
  if (!all) return TH_ERR_RESOURCE;
  for (int p = 0, at = 0; p < 2; p++)
    for (int i = 0; i < r->part[p].n_labels; i++) all[at++] = r->part[p].label[i];
  qsort(all, (size_t)n, sizeof *all, by_text);
  for (int i = 0; i < n; i++)
    if (i == 0 || strcmp(all[i], all[unique - 1]) != 0) all[unique++] = all[i];
  if (unique > 4096)
    return th_fail(TH_ERR_INPUT, "%s: column %s has %d different texts, at most 4096 classes are supported",
                   r->part[0].path, r->spec->label, unique);
  r->d->class_names = all;
  r->d->classes = unique;
  return TH_OK;
}

static int32_t label_of(const reader *r, const char *text) {
  double v = 0;
  if (!r->n_odd) {
    th_str_double(text, &v);
    return (int32_t)v;
  }
  const char **found = bsearch(&text, r->d->class_names, (size_t)r->d->classes, sizeof text, by_text);
  return (int32_t)(found - r->d->class_names);
}

/* A few labels that are no class numbers among many that are: faults, not names. Classes -1, 0 and 1, or ten digits and
 * "other", are taken as names, which is what the limits are chosen for. */
static th_status check_odd(const reader *r) {
  const int64_t all = (int64_t)r->part[0].n_labels + r->part[1].n_labels, most = r->odd.is_number ? 4 : 20;
  if (!r->n_odd || r->n_odd * most > all) return TH_OK;
  return th_fail(TH_ERR_INPUT,
                 "%s: line %d: column %s: '%.40s' is no class; %lld of %lld labels are whole numbers from 0 to %d",
                 r->odd.part->path, r->odd.line, r->spec->label, r->odd.text, (long long)(all - r->n_odd),
                 (long long)all, TH_MAX_CLASSES - 1);
}

static th_status set_labels(reader *r) {
  if (!r->spec->label) return TH_OK;
  TH_TRY(check_odd(r));
  if (r->n_odd) TH_TRY(sort_classes(r));
  for (int p = 0; p < 2; p++) {
    table *t = &r->part[p];
    int32_t *labels = TH_ARRAY(r->d->arena, int32_t, t->n_labels);
    if (!labels) return TH_ERR_RESOURCE;
    for (int i = 0; i < t->n_labels; i++) labels[i] = label_of(r, t->label[i]);
    if (t->n_labels) TH_TRY(th_source_take_labels(r->d, &r->d->store[p], labels));
  }
  return TH_OK;
}

static th_status check_columns(const reader *r) {
  const table *a = &r->part[0], *b = &r->part[1];
  bool same = a->columns == b->columns && a->has_header == b->has_header;
  for (int i = 0; same && i < a->columns; i++) same = th_str_eq(a->names[i], b->names[i]);
  return same ? TH_OK : th_fail(TH_ERR_INPUT, "%s: its columns are not those of %s", b->path, a->path);
}

th_status th_source_read_csv(th_dataset *d, const char *path, const th_data_spec *spec) {
  reader r = {.d = d, .spec = spec};
  int parts = spec->test_file ? 2 : 1;
  TH_TRY(open_table(&r, path, &r.part[0]));
  TH_TRY(set_roles(&r));
  if (parts == 2) {
    TH_TRY(open_table(&r, spec->test_file, &r.part[1]));
    TH_TRY(check_columns(&r));
  }
  d->shape = th_shape_make(1, r.features);
  d->target_elems = r.targets;
  for (int p = 0; p < parts; p++) {
    TH_TRY(count_rows(&r, &r.part[p]));
    TH_TRY(th_source_room(r.part[p].path, r.part[p].rows, &d->shape, TH_DTYPE_F32));
    TH_TRY(read_rows(&r, &r.part[p], &d->store[p]));
  }
  return set_labels(&r);
}
