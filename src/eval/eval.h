/* Running a graph forward on the host.
 *
 * Float nodes run through op/, integer nodes through the runtime's own kernels (eval/lower.h), so the numbers printed
 * are those of the device. Samples are spread over threads; results do not depend on their number.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_EVAL_EVAL_H
#define TH_EVAL_EVAL_H

#include "base/log.h"
#include "ir/graph.h"

typedef struct th_eval th_eval;

/* Prepares a graph (which must outlive the result). keep_all: every tensor of the last run can be read. */
th_status th_eval_open(const th_graph *graph, bool keep_all, th_eval **eval);
/* Same with the first `variants` kernel variants of this processor alone (eval/variant.h); 0: the reference. */
th_status th_eval_open_variants(const th_graph *graph, bool keep_all, int variants, th_eval **eval);
void th_eval_close(th_eval *eval); /* accepts NULL */

/* Runs `samples` samples. inputs[i]/outputs[i]: the graph's i-th input/output in its own dtype, sample after sample. */
th_status th_eval_run(th_eval *eval, int samples, const void *const *inputs, void *const *outputs);
/* Same with float at the borders: integer inputs are quantized, integer outputs dequantized with the graph's own
 * scale and zero (x/s + z, round half away from zero, clamp); s32 and bool without a scale stand for themselves. */
th_status th_eval_run_f32(th_eval *eval, int samples, const float *const *inputs, float *const *outputs);
/* Variables (graph.h) are reset before each sample, so that samples do not depend on each other. After th_eval_stream
 * they keep their values from sample to sample and from run to run, until th_eval_reset; samples then run one after the
 * other. */
bool th_eval_has_state(const th_eval *eval);
th_status th_eval_stream(th_eval *eval);
void th_eval_reset(th_eval *eval);
/* Values of any tensor after a run with keep_all: `samples` samples in its dtype. NULL for absent ones. */
const void *th_eval_tensor(const th_eval *eval, int tensor);

/* Steps in order, and what a run of one sample spends in them: the least since th_eval_time_steps(). */
typedef struct th_eval_step {
  const char *name, *op;
  const char *variant; /* "avx512"; "reference"; "float" */
  double seconds;
} th_eval_step;
int th_eval_steps(const th_eval *eval);
th_eval_step th_eval_step_info(const th_eval *eval, int step);
void th_eval_time_steps(th_eval *eval); /* from now on; reads the clock before each step */

/* Quantizes and dequantizes per tensor: the one place that does it on the host. */
void th_quantize_f32(const float *x, int64_t n, float scale, int32_t zero, th_dtype dtype, void *q);
void th_dequantize(const void *q, th_dtype dtype, int64_t n, float scale, int32_t zero, float *x);

#endif
