/* Weight constraints: one mechanism for pruning, clustering and quantization (ARCHITECTURE.md, section 5).
 *
 * Each weight tensor keeps float shadow values w and an ordered stack of constraints. Forward uses
 * v = project_k(... project_1(w)); backward sends dL/dv through the stack in reverse to dL/dw and to the constraints'
 * own parameters. A technique is one file train/<name>.c and one row of constraints.def. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_TRAIN_CONSTRAINT_H
#define TH_TRAIN_CONSTRAINT_H

#include "base/bytes.h"
#include "base/rng.h"
#include "ir/graph.h"
#include "train/optimizer.h"

typedef struct th_constraint th_constraint;

typedef struct th_tick {
  double progress; /* 0..1 of the whole fit */
  long step;
  int epoch;
  bool epoch_begins;
  const float *grad; /* dL/dv of the last step, NULL at the first */
} th_tick;

typedef struct th_constraint_class {
  const char *name; /* "mask", "codebook", "grid" */
  /* in and out have n elements and may be the same memory */
  void (*project)(th_constraint *c, const float *in, float *out, int64_t n);
  /* d_out -> d_in (may be the same memory); also sets the gradients of own parameters. `in` is what project saw. */
  void (*backward)(th_constraint *c, const float *in, const float *d_out, float *d_in, int64_t n);
  void (*update)(th_constraint *c, const th_optimizer *o); /* moves own parameters; NULL: none */
  /* Once a step, before project; `in` is what project will see. TH_ERR_RESOURCE when memory runs out. */
  th_status (*tick)(th_constraint *c, const float *in, int64_t n, const th_tick *t);
  void (*finish)(th_constraint *c, const float *in, float *out, int64_t n); /* final values, exact */
  /* Grid that the finished values lie on, if any: writes scales (count 1 or channels) and axis; returns count or 0. It
   * is attached to the float tensor as its th_quant. NULL: none. */
  int (*scales)(const th_constraint *c, const float **scale, int *axis);
  /* Whether the values are of the final kind already (a mask still growing is not): only such epochs can be the best
   * one. NULL: always. */
  bool (*settled)(const th_constraint *c);
  void (*save)(const th_constraint *c, th_buf *b);   /* everything that changes, for checkpoints */
  th_status (*load)(th_constraint *c, th_reader *r); /* into a constraint created with the same arguments */
  void (*destroy)(th_constraint *c);
} th_constraint_class;

struct th_constraint {
  const th_constraint_class *cls;
  /* implementations embed this as first member */
};

#define TH_CONSTRAINT(name, what) extern const th_constraint_class th_constraint_##name;
#include "train/constraints.def"
#undef TH_CONSTRAINT

/* The stacks of one graph, keyed by tensor id; and grids on activations. */
typedef struct th_constraints th_constraints;
th_status th_constraints_create(const th_graph *graph, th_constraints **cs);
void th_constraints_destroy(th_constraints *cs);
/* Appends to the stack of a constant tensor; takes ownership of c (also on failure). */
th_status th_constraints_add(th_constraints *cs, int tensor, th_constraint *c);
int th_constraints_depth(const th_constraints *cs, int tensor);
th_constraint *th_constraints_get(const th_constraints *cs, int tensor, int level);
/* Puts a fake-quantization grid on an activation tensor (QAT); takes ownership. Must be a grid without channel axis. */
th_status th_constraints_add_activation(th_constraints *cs, int tensor, th_constraint *c);
th_constraint *th_constraints_activation(const th_constraints *cs, int tensor);

/* --- used by the trainer --- */
/* All tensors' ticks and projections of one step, level by level. `values` and `in` are indexed by tensor: in[t] the
 * shadow, values[t] where the projected value goes (never the same memory); `grad` (may be NULL) dL/dv of the last
 * step. Tensors without a stack are skipped. */
th_status th_constraints_tick(th_constraints *cs, float *const *in, float *const *values, float *const *grad,
                              const th_tick *t);
th_status th_constraints_project(th_constraints *cs, float *const *in, float *const *values);
/* Gradient through the stack of one tensor, in place; the inputs of the levels are those of the last projection. */
void th_constraints_backward(th_constraints *cs, int tensor, const float *in, float *grad);
void th_constraints_update(th_constraints *cs, const th_optimizer *o);
bool th_constraints_settled(const th_constraints *cs);
void th_constraints_save(const th_constraints *cs, th_buf *b);
th_status th_constraints_load(th_constraints *cs, th_reader *r);
/* One line per stack ("w: mask codebook grid"), to see whether a checkpoint fits. */
void th_constraints_describe(const th_constraints *cs, th_buf *text);
/* Final values of one tensor, and into `g`: the values as constants, and th_quant of weights and activations. */
void th_constraints_finish(th_constraints *cs, int tensor, const float *in, float *out);
th_status th_constraints_attach(const th_constraints *cs, th_graph *g);

/* --- mask: pruning (Han et al. 2015; schedule: Zhu & Gupta 2017, eq. 1; regrowth by gradient: Evci et al. 2020) --- */
typedef enum th_prune_schedule { TH_PRUNE_CONSTANT, TH_PRUNE_POLYNOMIAL } th_prune_schedule;
typedef enum th_granularity { TH_GRANULARITY_ELEMENT, TH_GRANULARITY_BLOCK, TH_GRANULARITY_N_M } th_granularity;
typedef struct th_mask_options {
  float sparsity; /* final fraction of zeros, 0..1; negative: keep the zeros that are there (preserve) */
  th_prune_schedule schedule;
  float begin, end; /* part of the fit over which sparsity grows (polynomial), 0..1 */
  th_granularity granularity;
  int block, keep_of; /* block: consecutive weights of a channel; n:m = block of keep_of */
  int channel_axis;   /* of output channels, for blocks and n:m; tensors of one dimension have none */
  bool regrow;
} th_mask_options;
th_status th_mask_create(const th_mask_options *o, int64_t n, const th_shape *shape, th_constraint **c);
/* Global scope: one threshold over several masks; `by_deviation`: over magnitudes in units of each layer's standard
 * deviation at the beginning (Han et al. 2015, section 3). The group owns nothing; members must be mask constraints. */
th_status th_mask_group(th_constraint **masks, int count, bool by_deviation);

/* --- codebook: weight clustering (Han et al. 2016, section 3) --- */
typedef enum th_centroid_init {
  TH_CENTROID_LINEAR,
  TH_CENTROID_DENSITY,
  TH_CENTROID_RANDOM,
  TH_CENTROID_KMEANSPP,
  TH_CENTROID_KEEP /* the values that are there already: at most `clusters` distinct ones after division by keep_scales
                    */
} th_centroid_init;
typedef struct th_codebook_options {
  int clusters; /* incl. the pinned zero when zero_pinned */
  th_centroid_init init;
  bool zero_pinned;     /* centroid 0 is exactly 0 and owns exactly the zeros (after pruning) */
  int lloyd_iterations; /* default 30 */
  float rate_lambda;    /* entropy term in re-assignment: (w-c)^2 / mean w^2 - lambda * log2 P(c); 0: off */
  int channel_axis;     /* >= 0: weights are divided by a scale per channel of this axis before clustering */
  bool power_scales;    /* channel scales are rounded up to 2^(k/4): few distinct ones, cheap to store */
  int grid_bits;        /* > 0: finish() also rounds the centroids to integers of so many bits (8) times the scale */
  const float *keep_scales; /* TH_CENTROID_KEEP: the grid scale the weights lie on (1, or one per channel): centroids
                             * start as exactly those integers times it, and finish() keeps the scale. Copied. */
  uint64_t seed;
} th_codebook_options;
th_status th_codebook_create(const th_codebook_options *o, const float *w, int64_t n, const th_shape *shape,
                             th_constraint **c);
int th_codebook_values(const th_constraint *c, const float **centroids, const uint16_t **index);

/* --- grid: fake quantization of weights (symmetric) and activations (affine); straight-through gradient, learned step
 * (LSQ: Esser et al. 2020, eq. 3 and section 2.2) or observed range --- */
typedef enum th_range { TH_RANGE_OBSERVED, TH_RANGE_LEARNED } th_range;
typedef struct th_grid_options {
  int bits;         /* 2..16 */
  bool symmetric;   /* weights: zero 0, range -(2^(b-1)-1) .. 2^(b-1)-1 */
  int least;        /* of weights: another lowest level; 0: as above */
  int channel_axis; /* -1: one scale per tensor */
  th_range range;
  float rate; /* weights: entropy term when they choose their level: (v-k)^2 / mean v^2 - rate * log2 P(k); 0: off */
  float freeze_at; /* part of the fit after which observed ranges and learned steps stay put; 1: never */
  const float
      *begin;   /* weights: the scales to begin with (1, or one per channel), copied; NULL: those of least error */
  float lo, hi; /* activations: first range, from calibration */
} th_grid_options;
th_status th_grid_create(const th_grid_options *o, const float *w, int64_t n, const th_shape *shape, th_constraint **c);
int th_grid_scales(const th_constraint *c, const float **scale, const int32_t **zero);

#endif
