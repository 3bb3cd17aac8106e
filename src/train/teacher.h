/* The teacher of distillation: a graph that turns a batch into logits, or several, whose mean logits teach.
 *
 * A float graph runs through the same walk as the student. An integer one runs through eval/, on the device's kernels;
 * when it ends in a softmax, what goes into that is taken: eight bits of probability would hide the small ones, which
 * are what a temperature brings out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_TEACHER_H
#define TH_TRAIN_TEACHER_H

#include <stdint.h>

#include "base/status.h"
#include "ir/graph.h"
#include "train/match.h"

typedef struct th_teacher th_teacher;

bool th_teacher_is_float(const th_graph *g); /* no integers anywhere */

/* TH_ERR_INPUT unless the graph maps so many values to so many answers, as its student does. */
th_status th_teacher_check(const th_graph *g, int64_t input_elems, int outputs);

/* match: tensors that are to be kept, of the one teacher; NULL: none. */
th_status th_teacher_create(const th_graph *const *graphs, int count, int64_t input_elems, int outputs, int batch,
                            const th_match *match, th_teacher **teacher);
void th_teacher_destroy(th_teacher *teacher); /* accepts NULL */
/* From now on answers to samples [0, samples) are remembered: for samples that are the same each time. */
th_status th_teacher_remember(th_teacher *teacher, int samples);
/* th_teacher_run of the samples `which`, whose values are x; asks only where it does not remember. */
th_status th_teacher_answer(th_teacher *teacher, const int32_t *which, const float *x, int samples,
                            const float **logits);
/* Points the pairs' targets at what the teacher's tensors hold since the last run. */
void th_teacher_aim(const th_teacher *teacher, th_match *match);
/* logits: `outputs` per sample; valid until the next call. */
th_status th_teacher_run(th_teacher *teacher, const float *x, int samples, const float **logits);

#endif
