/* The codebook's own state, shared by its class (codebook.c) and by how weights choose their cluster
 * (codebook_assign.c). SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_CODEBOOK_H
#define TH_TRAIN_CODEBOOK_H

#include "train/constraint.h"

typedef struct th_codebook {
  th_constraint base;
  th_codebook_options o;
  int64_t n, inner;
  int channels, k, first; /* first: clusters below are pinned (0 or 1) */
  float *scale;           /* by channel */
  float *level, *value;   /* by cluster: trained; as used (rounded when grid_bits) */
  float *mean;            /* by cluster: of the members' shadows / scale */
  double *sum;            /* by cluster: gradient */
  int64_t *count;
  th_own *own;
  uint16_t *index;
  int32_t *member; /* weights that are not pinned, ascending: most of a pruned tensor's are */
  int64_t members; /* -1: to be listed again */
  float *kept;     /* their gradients */
  float rms_scale; /* over the weights */
} th_codebook;

/* Consecutive elements of one channel. */
static inline int64_t th_codebook_span_count(const th_codebook *b) {
  return b->channels > 1 ? b->n / b->inner : 1;
}

static inline int64_t th_codebook_span_elems(const th_codebook *b) {
  return b->channels > 1 ? b->inner : b->n;
}

static inline float th_codebook_span_scale(const th_codebook *b, int64_t span) {
  return b->scale[b->channels > 1 ? span % b->channels : 0];
}

static inline bool th_codebook_is_pinned(const th_codebook *b, float w) {
  return b->first && w == 0.0f;
}

/* codebook_assign.c. Weights go to the cluster of the nearest mean; means follow their members; both, with the entropy
 * term. */
void th_codebook_assign(th_codebook *b, const float *in);
void th_codebook_follow(th_codebook *b, const float *in);
void th_codebook_reassign(th_codebook *b, const float *in);
/* A mask below may have pruned weights, or brought them back, since the last assignment. */
void th_codebook_follow_zeros(th_codebook *b, const float *in);

#endif
