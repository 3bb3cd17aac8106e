/* Data sets: samples with labels or numbers to predict, split into train, validation and test.
 *
 * Samples are kept raw, as the file has them, and turned into float on fetch: value = ((raw - zero) * scale - mean[c])
 * / std[c]. The validation split is a part of the training set, drawn with a seed, stratified by class; the test split
 * is never used to choose anything. Where the files come from is a row in data/sources.def. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_DATA_DATASET_H
#define TH_DATA_DATASET_H

#include "base/arena.h"
#include "base/rng.h"
#include "base/status.h"
#include "ir/types.h"

typedef enum th_split_id { TH_SPLIT_TRAIN, TH_SPLIT_VAL, TH_SPLIT_TEST, TH_SPLIT_COUNT } th_split_id;

typedef struct th_split {
  int count;
  const int32_t *index; /* sample numbers in the store below; NULL: 0..count-1 */
  int store;            /* 0: train store, 1: test store */
} th_split;

typedef struct th_store {
  int count;
  th_dtype dtype;        /* U8, S8, S16, F32 */
  const void *samples;   /* count * sample_elems */
  const int32_t *labels; /* NULL when there are none */
  const float *targets;  /* count * target_elems numbers to predict; NULL when there are none */
  const int32_t *groups; /* number of the recording that a sample is a piece of, ascending; NULL: each stands alone */
} th_store;

#define TH_DATA_LIMIT ((size_t)1 << 31) /* bytes of one store */
#define TH_MAX_CLASSES 65536

typedef struct th_dataset {
  th_arena *arena;
  const char *name;
  th_shape shape;           /* of one sample without batch: (y, x, c) or (n) */
  int classes;              /* 0: no labels */
  const char **class_names; /* NULL: numbers */
  bool told_few;            /* th_layout_tell_few() was heard */
  int positive;             /* class of the positive answer, for AUC; -1: not known */
  int target_elems;         /* numbers to predict for each sample, 0: none; labels and targets exclude each other */
  th_store store[2];
  th_split split[TH_SPLIT_COUNT];
  float scale;  /* default 1/255 for U8, 1 otherwise */
  float zero;   /* raw value that stands for 0 */
  bool own;     /* integers in the quantization of the model they were made for: th_dataset_adopt() before fetching */
  int channels; /* entries of mean and std: 1 or the last dimension */
  float mean[4], std[4];
  struct th_augment *augment; /* from the augment= key; NULL when none */
} th_dataset;

/* Augmentation of one image, parameters of each kind drawn from the sample's own stream. */
typedef struct th_augment {
  float shift;  /* pixels, up to, both directions; raw 0 moves in. Whole pixels if this is a whole number and neither
                 * rotate nor zoom is set */
  float rotate; /* degrees, up to */
  float zoom;   /* 0.1: factor in [0.9, 1.1] */
  bool flip;    /* horizontally, half of the time */
  int crop;     /* pad by this many pixels, then crop at random: integer shifts */
  int erase;    /* side of a random square set to zero (cutout) */
} th_augment;

/* DATA of the command line: "NAME|PATH[,key=value...]" (docs/guide/data.md). NAME is looked for as a folder in each of
 * `dirs`, then in "data" and /usr/share/datasets. `seed` draws the validation split unless the key seed= says
 * otherwise; key val= gives its part, default 0.1. */
th_status th_dataset_open_in(const char *spec, const char *const *dirs, int n_dirs, uint64_t seed,
                             th_dataset **dataset);
th_status th_dataset_open(const char *spec, uint64_t seed, th_dataset **dataset); /* no further folders */
void th_dataset_close(th_dataset *dataset);                                       /* accepts NULL */
int th_dataset_sample_elems(const th_dataset *d);
/* The raw integers of an `own` set are those of a model's input: real = scale * (raw - zero). */
void th_dataset_adopt(th_dataset *d, float scale, int32_t zero);
const char *th_dataset_class_name(const th_dataset *d, int label, char buf[16]); /* "7" without names */
/* Depends on samples, labels, splits, normalization and augmentation: equal for the same data, different for other. */
uint64_t th_dataset_hash(const th_dataset *d);

/* x: n samples of float, y: n labels (either may be NULL). `which` are positions within the split. `augment` NULL: as
 * is. Sample i draws from stream th_rng_init(seed, epoch << 32 | which[i]). Safe to call from several threads. */
void th_dataset_fetch(const th_dataset *d, th_split_id split, const int32_t *which, int n, const th_augment *augment,
                      uint64_t seed, uint32_t epoch, float *x, int32_t *y);

/* t: n rows of the split's numbers to predict. */
void th_dataset_fetch_targets(const th_dataset *d, th_split_id split, const int32_t *which, int n, float *t);
/* Number of the recording that a sample of the split is a piece of; the sample's own where there are none. */
int32_t th_dataset_group(const th_dataset *d, th_split_id split, int32_t which);

/* Names that th_dataset_open knows, and where each comes from. */
typedef struct th_dataset_known {
  const char *name, *what, *source, *license;
} th_dataset_known;
const th_dataset_known *th_dataset_list(int *count);

/* The kinds of data sets that a path can be (data/sources.def): what it is, and the keys of its own. false behind the
 * last. */
bool th_dataset_kind(int i, const char **what, const char **keys);

/* Checks the four files of a known data set in folder `dir` (each plain or .gz) against the SHA-256 of their contents,
 * uncompressed. TH_ERR_INPUT names the file that is missing or differs. */
th_status th_dataset_verify(const char *name, const char *dir);

#endif
